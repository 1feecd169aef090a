"""The access list of the broker, made from the topic definitions (G4, G5, G22, G28). Pure text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal

from jaragua.wire.topics import ACCESS, CHECK_FILTER, Party, TopicKind, pattern

#: The identity of the coordinator at the broker; no node may have this name.
COORDINATOR: Final = "coordinator"
#: The identity of the coordinator's aggregators (R30).
AGGREGATOR: Final = "aggregator"
#: Identities that are no nodes; no node may have such a name.
SERVERS: Final = frozenset({COORDINATOR, AGGREGATOR})
#: What mosquitto replaces by the identity of whoever is connected.
_SELF: Final = "%u"
#: Who has an identity and is no member.
Guest = Literal["observer", "asker"]
#: The level of a topic that has a party's own name in it.
_OWN_LEVEL: Final = {Party.NODE: "{node}", Party.ASKER: "{asker}"}
_PARTIES: Final[Mapping[Guest, Party]] = {"observer": Party.OBSERVER, "asker": Party.ASKER}


def guest_identity(name: str, guest: Guest) -> str:
    """The name of a guest's certificate. mosquitto applies no pattern to an identity with a `+` in it (G22)."""
    return f"{name}+{guest}"


def access_list(fleet: str, guests: Mapping[str, Guest] | None = None) -> str:
    """An `acl_file` of mosquitto: what every node may do, what the coordinator and its aggregators may do, and guests.

    guests: by name.
    """
    lines = [
        f"# Access list of the fleet {fleet}, made by `jaragua broker init` from the topics of the protocol (M).",
        "# A pattern holds for every identity; %u is the name in its certificate.",
        f"pattern readwrite {CHECK_FILTER}",
    ]
    lines += _rights("pattern", Party.NODE, fleet, _SELF)
    lines += ["", f"user {COORDINATOR}", *_rights("topic", Party.COORDINATOR, fleet)]
    lines += ["", f"user {AGGREGATOR}", *_rights("topic", Party.AGGREGATOR, fleet)]
    for name, guest in sorted((guests or {}).items()):
        lines += ["", f"user {guest_identity(name, guest)}", *_rights("topic", _PARTIES[guest], fleet, name)]
    return "\n".join(lines) + "\n"


def _rights(word: str, party: Party, fleet: str, name: str = "") -> list[str]:
    """A line for each kind of topic. name: the party's own, or what stands for it."""
    own = _OWN_LEVEL.get(party, "")
    return [f"{word} {right} {_filter(kind, fleet, own, name)}" for kind in TopicKind if (right := _right(kind, party))]


def _right(kind: TopicKind, party: Party) -> str:
    """mosquitto's word for what a party may do there, "" for nothing."""
    access = ACCESS[kind]
    reads, writes = party in access.readers, party in access.writers
    if reads and writes:
        return "readwrite"
    return "read" if reads else "write" if writes else ""


def _filter(kind: TopicKind, fleet: str, own_part: str, own_name: str) -> str:
    """The filter of a kind of topic, with a party's own name in its place."""
    parts, levels = kind.value.split("/"), pattern(kind, fleet).split("/")
    root = levels[: -len(parts)]
    own = (own_name if part == own_part else level for part, level in zip(parts, levels[len(root) :], strict=True))
    return "/".join([*root, *own])
