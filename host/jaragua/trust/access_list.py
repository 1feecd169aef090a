"""The access list of the broker, made from the topic definitions (G4, G5, G22). Pure text."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from jaragua.wire.topics import ACCESS, CHECK_FILTER, Party, TopicKind, pattern

#: The identity of the coordinator at the broker; no node may have this name.
COORDINATOR: Final = "coordinator"
#: What mosquitto replaces by the identity of whoever is connected.
_SELF: Final = "%u"
_OBSERVER: Final = "+observer"


def observer_identity(name: str) -> str:
    """The name of an observer's certificate. mosquitto applies no pattern to an identity with a `+` in it (G22)."""
    return name + _OBSERVER


def access_list(fleet: str, observers: Iterable[str] = ()) -> str:
    """An `acl_file` of mosquitto: what every node may do, what the coordinator may do, what observers may read.

    observers: their names.
    """
    lines = [
        f"# Access list of the fleet {fleet}, made by `jaragua broker init` from the topics of the protocol (M).",
        "# A pattern holds for every identity; %u is the name in its certificate.",
        f"pattern readwrite {CHECK_FILTER}",
    ]
    for kind in TopicKind:
        right = _right(kind, Party.NODE)
        if right:
            lines.append(f"pattern {right} {_own(kind, fleet)}")
    lines += ["", f"user {COORDINATOR}"]
    lines += [
        f"topic {right} {pattern(kind, fleet)}" for kind in TopicKind if (right := _right(kind, Party.COORDINATOR))
    ]
    for name in sorted(observers):
        lines += ["", f"user {observer_identity(name)}"]
        lines += [
            f"topic {right} {pattern(kind, fleet)}" for kind in TopicKind if (right := _right(kind, Party.OBSERVER))
        ]
    return "\n".join(lines) + "\n"


def _right(kind: TopicKind, party: Party) -> str:
    """mosquitto's word for what a party may do there, "" for nothing."""
    access = ACCESS[kind]
    reads, writes = party in access.readers, party in access.writers
    if reads and writes:
        return "readwrite"
    return "read" if reads else "write" if writes else ""


def _own(kind: TopicKind, fleet: str) -> str:
    """The filter of a topic with the node's own name in it."""
    if "{node}" not in kind.value:
        return pattern(kind, fleet)
    return pattern(kind, fleet, node="self").replace("/node/self/", f"/node/{_SELF}/", 1)
