"""The Thing Descriptions (WoT TD 1.1) that a node publishes of itself and its devices; rules: semantics.md, S2."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Final

from jaragua.node.connection.url import BrokerUrl
from jaragua.node.public_reports import MEMORY, camel_case
from jaragua.semantics.things.affordances import (
    CBOR,
    JSON,
    Address,
    Affordance,
    Schema,
    action,
    event,
    readable,
    record,
)
from jaragua.semantics.things.device_facts import NOTHING_STATED, device_facts
from jaragua.semantics.things.statements import Statements
from jaragua.semantics.things.thing_description import Fact, Security, Thing, as_json, thing_description
from jaragua.wire.messages import Health, Identity
from jaragua.wire.topics import TopicKind, build

_STATE_NAMES = ["init", "ready", "training", "sleeping", "disconnected", "lost", "stale"]
_WHOLE: Final = {"type": "integer"}
_TEXT: Final = {"type": "string"}
_YES_OR_NO: Final = {"type": "boolean"}
_NUMBERS: Final = {"type": "array", "items": {"type": "number"}}
_ID: Final = {"type": "string", "pattern": "^[a-z0-9-]{1,32}$"}
#: Variables of a question's topics (M51).
_CALLER: Final = {
    "asker": {**_ID, "title": "Who asks: its name at the broker, without +asker; any name at an open broker"},
    "call": {**_ID, "title": "Drawn by who asks, for this question alone"},
}
_MODEL: Final = record(
    ["model", "architecture"], model=_TEXT, architecture=_TEXT, inputs=_WHOLE, outputs=_WHOLE, classifier=_YES_OR_NO
)
_HEALTH: Final = record(**{camel_case(one.name): _WHOLE for one in fields(Health) if one.name != "id"})
_PROGRESS: Final = record(
    ["done", "samples"], run=_TEXT, round=_WHOLE, rounds=_WHOLE, trial=_WHOLE, done=_WHOLE, samples=_WHOLE
)
_REJECTED: Final = record(["reason", "why", "count"], reason=_TEXT, why=_TEXT, count=_WHOLE)
_ANSWER: Final = record(
    ["status"],
    status={"type": "string", "enum": ["ok", "refused"]},
    label=_WHOLE,
    **{"class": _TEXT},
    outputs=_NUMBERS,
    weights=_TEXT,
    model=_TEXT,
    why=_TEXT,
)


@dataclass(frozen=True)
class Place:
    """Where in the topic tree a node stands."""

    url: BrokerUrl
    fleet: str
    node: str

    def address(self, kind: TopicKind, **parts: str) -> Address:
        """A topic of this node at its broker, without credentials."""
        return Address(self.url.public, build(kind, self.fleet, node=self.node, **parts))

    @property
    def state(self) -> Address:
        """Where the node's state is."""
        return self.address(TopicKind.NODE_STATE)

    def answers(self, kind: TopicKind, device: str) -> Address:
        """The topic of questions or answers, with the variables of a form for who asks."""
        first = build(kind, self.fleet, node=self.node, device=device, asker="asker", call="call")
        return Address(self.url.public, first.removesuffix("asker/call") + "{asker}/{call}")

    @property
    def security(self) -> Security:
        """How a client of the broker says who it is."""
        if self.url.files.certificate:
            return "certificate"
        return "none" if self.url.username is None else "basic"


@dataclass(frozen=True)
class DeviceFacts:
    """What a device says of itself, in the words of its Thing Description. `identifier` never changes."""

    identifier: str
    title: str
    facts: Mapping[str, Fact] = field(default_factory=dict)


def facts_of_board(device: str, identity: Identity, stated: Statements = NOTHING_STATED) -> DeviceFacts:
    """What a board's Thing Description says: its one `identity` message (L4.1), its type, its owner."""
    title = f"{device} ({identity.board})"
    return DeviceFacts(identity.uid.hex(), title, {"kind": "board", **device_facts(identity, stated)})


def describe_node(place: Place, kind: str) -> bytes:
    """The Thing Description of a gateway or a Pi as a node, JSON."""
    thing = Thing(
        identifier=f"{place.fleet}/{place.node}",
        title=f"{place.node} ({kind})",
        facts={"kind": kind, "fleet": place.fleet, "node": place.node},
        properties={"state": readable("State of the node", _state(_STATE_NAMES[:-1]), place.state, CBOR)},
    )
    return as_json(thing_description(thing, place.security))


def describe_device(place: Place, device: str, facts: DeviceFacts) -> bytes:
    """The Thing Description of one device, JSON: what it is, what can be read of it, what it can be asked (S2.8)."""
    thing = Thing(
        identifier=facts.identifier,
        title=facts.title,
        facts={"fleet": place.fleet, "node": place.node, "device": device, **facts.facts},
        properties=_properties(place, device, facts.facts),
        actions={"infer": _infer(place, device)},
        events=_events(place, device),
    )
    return as_json(thing_description(thing, place.security))


def _properties(place: Place, device: str, facts: Mapping[str, Fact]) -> dict[str, Affordance]:
    """A board has a link, whose health it tells; a Pi has none. What nothing is known of is no property."""
    state = place.address(TopicKind.DEVICE_STATE, device=device)
    memory = {name: _WHOLE for name in MEMORY if name in facts}
    found = {
        "state": readable("State of the device", _state(_STATE_NAMES), state, CBOR),
        "nodeState": readable(
            "State of its node; if that is lost, so is the device", _state(_STATE_NAMES[:-1]), place.state, CBOR
        ),
        "model": _property(place, device, "model", "What the device computes", _MODEL),
    }
    if memory:
        found["memory"] = _property(place, device, "memory", "Memory in bytes", record(list(memory), **memory))
    if facts.get("kind") == "board":
        found["health"] = _property(place, device, "health", "Health of the link", _HEALTH)
    return found


def _property(place: Place, device: str, name: str, title: str, schema: Schema) -> Affordance:
    return readable(title, schema, place.address(TopicKind.DEVICE_PROPERTY, device=device, name=name), JSON)


def _events(place: Place, device: str) -> dict[str, Affordance]:
    answers = place.answers(TopicKind.ANSWER, device)
    addresses = {
        name: place.address(TopicKind.DEVICE_EVENT, device=device, name=name) for name in ("progress", "rejected")
    }
    return {
        "progress": event("How far a job of a run is", _PROGRESS, addresses["progress"], JSON),
        "rejected": event("Something that was asked was refused", _REJECTED, addresses["rejected"], JSON),
        "inferred": event("The answer to `infer`", _ANSWER, answers, JSON, uriVariables=_CALLER),
    }


def _infer(place: Place, device: str) -> Affordance:
    """The number of inputs is in `model`: W3C's shapes refuse `minItems` (they want xsd:unsignedInt of JSON-LD)."""
    return action(
        "Compute the network's outputs of one sample; the answer is the event `inferred`",
        place.answers(TopicKind.QUESTION, device),
        JSON,
        input=record(["inputs"], inputs=_NUMBERS),
        uriVariables=_CALLER,
        safe=True,
        idempotent=True,
        synchronous=False,
    )


def _state(names: list[str]) -> dict[str, object]:
    return record(["state"], state={"type": "string", "enum": names}, epoch=_WHOLE)
