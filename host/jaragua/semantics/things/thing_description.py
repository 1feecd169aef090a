"""The frame of a Thing Description: who it is, how to connect, what can be read and asked (S2). Pure."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from jaragua import __version__
from jaragua.semantics.vocabulary import MQTT, OWN, TD_CONTEXT

#: The name space of ids: a board keeps its id when it moves to another gateway or fleet (S2.1).
_NAMESPACE = uuid.uuid5(uuid.NAMESPACE_URL, OWN)

Security = Literal["none", "basic", "certificate"]
Fact = str | int | float | bool | list[str]

_SCHEMES: Final[Mapping[Security, tuple[str, Mapping[str, str]]]] = {
    "none": ("nosec_sc", {"scheme": "nosec"}),
    "basic": ("basic_sc", {"scheme": "basic", "in": "auto"}),
    "certificate": ("cert_sc", {"scheme": "jrg:ClientCertificateScheme", "jrg:issuer": "the fleet's own CA"}),
}


@dataclass(frozen=True)
class Thing:
    """One thing that is described. identifier never changes; facts: term of the own vocabulary -> value (S2.3)."""

    identifier: str
    title: str
    facts: Mapping[str, Fact] = field(default_factory=dict)
    properties: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    actions: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    events: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


def thing_id(identifier: str) -> str:
    """The IRI of a thing."""
    return uuid.uuid5(_NAMESPACE, identifier).urn


def thing_description(thing: Thing, security: Security = "none") -> dict[str, Any]:
    """The Thing Description of a thing as a JSON document. The same arguments give the same document."""
    name, scheme = _SCHEMES[security]
    kinds = {"properties": thing.properties, "actions": thing.actions, "events": thing.events}
    return {
        "@context": [TD_CONTEXT, {"mqv": MQTT, "jrg": OWN}],
        "@type": "Thing",
        "id": thing_id(thing.identifier),
        "title": thing.title,
        "version": {"instance": __version__},
        "securityDefinitions": {name: dict(scheme)},
        "security": [name],
        **{kind: {key: dict(one) for key, one in found.items()} for kind, found in kinds.items() if found},
        **{f"jrg:{term}": value for term, value in thing.facts.items()},
    }


def as_json(document: Mapping[str, Any]) -> bytes:
    """The bytes that are published."""
    return json.dumps(document, separators=(",", ":")).encode()
