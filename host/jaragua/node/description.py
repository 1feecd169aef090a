"""The Thing Descriptions (WoT TD 1.1) that a node publishes of itself and its devices; rules: semantics.md, S2."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from jaragua.node.connection.url import BrokerUrl
from jaragua.semantics.things.affordances import Address, action, observable, readable, record
from jaragua.semantics.things.device_facts import NOTHING_STATED, device_facts
from jaragua.semantics.things.statements import Statements
from jaragua.semantics.things.thing_description import Fact, Security, Thing, as_json, thing_description
from jaragua.wire.messages import Identity
from jaragua.wire.topics import TopicKind, build

_STATE_NAMES = ["init", "ready", "training", "sleeping", "disconnected", "lost", "stale"]
_WHOLE = {"type": "integer"}


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
    address = place.address(TopicKind.NODE_STATE)
    thing = Thing(
        identifier=f"{place.fleet}/{place.node}",
        title=f"{place.node} ({kind})",
        facts={"kind": kind, "fleet": place.fleet, "node": place.node},
        properties={"state": readable("State of the node", _state(_STATE_NAMES[:-1]), address)},
        actions={"stop": action("Drop what a run still asks of this node", _command(place, "stop"))},
    )
    return as_json(thing_description(thing, place.security))


def describe_device(place: Place, device: str, facts: DeviceFacts) -> bytes:
    """The Thing Description of one device, JSON: what it is, where its state is, what it can be asked."""
    state, telemetry = (place.address(kind, device=device) for kind in (TopicKind.DEVICE_STATE, TopicKind.TELEMETRY))
    thing = Thing(
        identifier=facts.identifier,
        title=facts.title,
        facts={"fleet": place.fleet, "node": place.node, "device": device, **facts.facts},
        properties={
            "state": readable("State of the device", _state(_STATE_NAMES), state),
            "telemetry": observable("Link health and progress of training", record(), telemetry),
        },
        actions={
            "train": action("Train on the device's own task", _command(place, "train")),
            "adapt": action("Evaluate a start on a held-out task", _command(place, "adapt")),
        },
    )
    return as_json(thing_description(thing, place.security))


def _command(place: Place, verb: str) -> Address:
    return place.address(TopicKind.COMMAND, verb=verb)


def _state(names: list[str]) -> dict[str, object]:
    return record(["state"], state={"type": "string", "enum": names}, epoch=_WHOLE)
