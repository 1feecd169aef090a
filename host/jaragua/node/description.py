"""W3C Thing Descriptions (WoT TD 1.1) of nodes and devices: pure functions of what is known of them."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from jaragua import __version__
from jaragua.node.connection.url import BrokerUrl
from jaragua.wire.messages import Identity
from jaragua.wire.topics import TopicKind, build

TD_CONTEXT = "https://www.w3.org/2022/wot/td/v1.1"
_MQTT_VOCABULARY = "https://www.w3.org/2019/wot/mqtt#"
_OWN_VOCABULARY = "urn:jaragua:vocabulary:"
# The name space of device ids: a board keeps its id when it moves to another gateway or fleet.
_NAMESPACE = uuid.uuid5(uuid.NAMESPACE_URL, _OWN_VOCABULARY)
_CBOR = "application/cbor"

_STATE_NAMES = ["init", "ready", "training", "sleeping", "disconnected", "lost", "stale"]


@dataclass(frozen=True)
class Place:
    """Where in the topic tree a node stands."""

    url: BrokerUrl
    fleet: str
    node: str

    def href(self, kind: TopicKind, **parts: str) -> str:
        """The URI of a topic of this node, without credentials."""
        return f"{self.url.public}/{build(kind, self.fleet, node=self.node, **parts)}"


@dataclass(frozen=True)
class DeviceFacts:
    """What a device says of itself, in the words of its Thing Description. `identifier` never changes."""

    identifier: str
    title: str
    facts: Mapping[str, str | int | bool] = field(default_factory=dict)


def facts_of_board(device: str, identity: Identity) -> DeviceFacts:
    """All a board's Thing Description says comes from its one `identity` message (L4.1)."""
    return DeviceFacts(
        identifier=identity.uid.hex(),
        title=f"{device} ({identity.board})",
        facts={
            "board": identity.board,
            "uid": identity.uid.hex(),
            "firmware": identity.firmware,
            "build": identity.build.hex(),
            "protocol": f"{identity.major}.{identity.minor}",
            "model": identity.model,
            "architecture": identity.architecture.hex(),
            "blobBytes": identity.blob_bytes,
            "inputs": identity.inputs,
            "outputs": identity.outputs,
            "classifier": identity.classifier,
            "ramBytes": identity.ram_bytes,
            "flashBytes": identity.flash_bytes,
            "arenaBytes": identity.arena_bytes,
            "operators": identity.operators,
        },
    )


def describe_node(place: Place, kind: str) -> bytes:
    """The Thing Description of a gateway or a Pi as a node, JSON."""
    state = _observable(place.href(TopicKind.NODE_STATE), "State of the node", _STATE_NAMES[:-1])
    stop = _action(place.href(TopicKind.COMMAND, verb="stop"), "Drop what a run still asks of this node")
    body = {"properties": {"state": state}, "actions": {"stop": stop}, "jrg:kind": kind}
    return _document(f"{place.fleet}/{place.node}", f"{place.node} ({kind})", body)


def describe_device(place: Place, device: str, facts: DeviceFacts) -> bytes:
    """The Thing Description of one device, JSON: what it is, where its state is, what it can be asked."""
    body = {
        "properties": {
            "state": _observable(
                place.href(TopicKind.DEVICE_STATE, device=device), "State of the device", _STATE_NAMES
            ),
            "telemetry": _observable(
                place.href(TopicKind.TELEMETRY, device=device), "Link health and progress of training"
            ),
        },
        "actions": {
            "train": _action(place.href(TopicKind.COMMAND, verb="train"), "Train on the device's own task"),
            "adapt": _action(place.href(TopicKind.COMMAND, verb="adapt"), "Evaluate a start on a held-out task"),
        },
        **{f"jrg:{name}": value for name, value in facts.facts.items()},
    }
    return _document(facts.identifier, facts.title, body)


def _document(identifier: str, title: str, body: Mapping[str, Any]) -> bytes:
    head = {
        "@context": [TD_CONTEXT, {"mqv": _MQTT_VOCABULARY, "jrg": _OWN_VOCABULARY}],
        "@type": "Thing",
        "id": uuid.uuid5(_NAMESPACE, identifier).urn,
        "title": title,
        "version": {"instance": __version__},
        "securityDefinitions": {"nosec_sc": {"scheme": "nosec"}},
        "security": ["nosec_sc"],
    }
    return json.dumps({**head, **body}, separators=(",", ":")).encode()


def _observable(href: str, title: str, states: list[str] | None = None) -> dict[str, Any]:
    state = {"properties": {"state": {"type": "string", "enum": states}}} if states else {}
    form = {"href": href, "op": ["observeproperty", "unobserveproperty"], "contentType": _CBOR}
    return {
        "title": title,
        "type": "object",
        "readOnly": True,
        "observable": True,
        **state,
        "forms": [{**form, "mqv:controlPacket": "subscribe", "mqv:qos": "1"}],
    }


def _action(href: str, title: str) -> dict[str, Any]:
    form = {"href": href, "op": "invokeaction", "contentType": _CBOR}
    return {"title": title, "forms": [{**form, "mqv:controlPacket": "publish", "mqv:qos": "1"}]}
