"""A Thing Description -> RDF of our own terms (S4.2): directly, as RDF libraries expand TD contexts differently. Pure.

Nothing is checked here: a wrong value becomes a literal of its own type, and the shapes refuse it with their sentence.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

from jaragua.semantics.triples import TYPE, Iri, Triple, iri, literal, safe_iri
from jaragua.semantics.vocabulary import OWN, SENSORS

MOST_BYTES: Final = 262_144
_MOST_DEPTH: Final = 16
_OWN_PREFIX: Final = "jrg:"
_KINDS: Final = {"board": "jrg:Board", "pi": "jrg:Pi", "gateway": "jrg:Gateway"}
_AFFORDANCES: Final = {
    "properties": "td:hasPropertyAffordance",
    "actions": "td:hasActionAffordance",
    "events": "td:hasEventAffordance",
}


class BrokenDescriptionError(ValueError):
    """Bytes that are no description at all; the message is one sentence."""


def read_description(payload: bytes) -> dict[str, Any]:
    """The JSON object of a Thing Description. Raises BrokenDescriptionError."""
    if len(payload) > MOST_BYTES:
        raise BrokenDescriptionError(f"a description has at most {MOST_BYTES:,} bytes, this one has {len(payload):,}")
    try:
        document = json.loads(payload.decode("utf-8"))
    except (UnicodeDecodeError, ValueError, RecursionError) as error:
        raise BrokenDescriptionError(f"the description is no JSON: {error}") from error
    if not isinstance(document, dict):
        raise BrokenDescriptionError("the description is no JSON object")
    if _depth(document) > _MOST_DEPTH:
        raise BrokenDescriptionError(f"the description is nested more than {_MOST_DEPTH} deep")
    return document


def thing_iri(document: Mapping[str, Any]) -> Iri:
    """The thing's IRI. Raises BrokenDescriptionError for a description without one."""
    found = document.get("id")
    if not isinstance(found, str) or ":" not in found:
        raise BrokenDescriptionError("the description has no id: a Thing has a text `id` that is a URI")
    return safe_iri(found)


def thing_triples(document: Mapping[str, Any]) -> list[Triple]:
    """The triples of a description. Raises BrokenDescriptionError for one without an id."""
    return list(_thing(thing_iri(document), document))


def _thing(thing: Iri, document: Mapping[str, Any]) -> Iterator[Triple]:
    kinds = document.get("@type")
    if kinds == "Thing" or (isinstance(kinds, list) and "Thing" in kinds):
        yield thing, TYPE, iri("td:Thing")
    yield thing, TYPE, iri("jrg:Described")
    kind = document.get("jrg:kind")
    if isinstance(kind, str) and kind in _KINDS:
        yield thing, TYPE, iri(_KINDS[kind])
    if "title" in document:
        yield thing, iri("td:title"), literal(document["title"])
    version = document.get("version")
    if isinstance(version, dict) and "instance" in version:
        yield thing, iri("schema:version"), literal(version["instance"])
    yield from _security(thing, document)
    yield from _smart_sensor(thing, document)
    for term, value in document.items():
        if term.startswith(_OWN_PREFIX):
            yield from _fact(thing, term.removeprefix(_OWN_PREFIX), value)
    for kind, predicate in _AFFORDANCES.items():
        yield from _affordances(thing, predicate, document.get(kind))


def _smart_sensor(thing: Iri, document: Mapping[str, Any]) -> Iterator[Triple]:
    """Free memory in kilobytes, as queries of the TinyML schema ask for it (S1.2, S1.5)."""
    sizes = {"RAM": document.get("jrg:freeRamBytes"), "Flash": document.get("jrg:freeFlashBytes")}
    known = {kind: size for kind, size in sizes.items() if isinstance(size, int) and not isinstance(size, bool)}
    if document.get("jrg:kind") not in ("board", "pi"):
        return
    yield thing, TYPE, iri("s3n:SmartSensor")
    part, ability = Iri(f"{thing.value}#controller"), Iri(f"{thing.value}#capability")
    yield thing, iri("ssn:hasSubSystem"), part
    yield part, TYPE, iri("s3n:MicroController")
    yield part, iri("s3n:hasSystemCapability"), ability
    for kind, size in known.items():
        node = Iri(f"{thing.value}#free{kind}")
        yield ability, iri("ssn-system:hasSystemProperty"), node
        yield node, TYPE, iri(f"s3n_extend:{kind}")
        yield node, iri("schema:value"), literal(size / 1000)
        yield node, iri("schema:unitCode"), iri("om:kilobyte")


def _security(thing: Iri, document: Mapping[str, Any]) -> Iterator[Triple]:
    names = document.get("security")
    definitions = document.get("securityDefinitions")
    for name in [names] if isinstance(names, str) else names if isinstance(names, list) else []:
        known = isinstance(definitions, dict) and isinstance(name, str) and isinstance(definitions.get(name), dict)
        scheme = definitions[name].get("scheme") if known and isinstance(definitions, dict) else None
        yield thing, iri("jrg:security"), literal(name)
        yield thing, iri("jrg:securityScheme"), literal(scheme if scheme is not None else "undefined")


def _fact(thing: Iri, term: str, value: object) -> Iterator[Triple]:
    predicate = safe_iri(OWN + term)
    for one in value if isinstance(value, list) else [value]:
        yield thing, predicate, literal(one)
        if term == "sensors" and isinstance(one, str) and one in SENSORS:
            yield from _sensor(thing, one)


def _sensor(thing: Iri, name: str) -> Iterator[Triple]:
    """The sensor as a part of the device, as queries of the TinyML schema look for it (S1.3)."""
    part = Iri(f"{thing.value}#{name}")
    yield thing, iri("ssn:hasSubSystem"), part
    yield part, TYPE, Iri(SENSORS[name])


def _affordances(thing: Iri, predicate: str, found: object) -> Iterator[Triple]:
    if found is None:
        return
    if not isinstance(found, dict):
        yield thing, iri(predicate), literal(found)
        return
    for name, affordance in found.items():
        node = safe_iri(f"{thing.value}#{predicate[6:]}-{name}")
        yield thing, iri(predicate), node
        yield node, TYPE, iri("jrg:Affordance")
        yield node, iri("td:name"), literal(name)
        forms = affordance.get("forms") if isinstance(affordance, dict) else None
        for number, form in enumerate(forms if isinstance(forms, list) else []):
            yield from _form(node, Iri(f"{node.value}-{number}"), form)


def _form(affordance: Iri, node: Iri, form: object) -> Iterator[Triple]:
    yield affordance, iri("td:hasForm"), node
    yield node, TYPE, iri("jrg:Form")
    if isinstance(form, dict):
        for key, predicate in (("href", "jrg:href"), ("contentType", "jrg:contentType")):
            if key in form:
                yield node, iri(predicate), literal(form[key])
        operations = form.get("op", [])
        for one in operations if isinstance(operations, list) else [operations]:
            yield node, iri("jrg:op"), literal(one)


def _depth(value: object) -> int:
    depth, level = 0, [value]
    while level and depth <= _MOST_DEPTH:
        depth += 1
        level = [
            inner
            for one in level
            if isinstance(one, dict | list)
            for inner in (one.values() if isinstance(one, dict) else one)
        ]
    return depth
