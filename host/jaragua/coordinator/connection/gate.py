"""Which messages the coordinator reads while somebody floods it (P3, M15). Pure: the time is passed in."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from typing import Final

from jaragua.coordinator.connection.roster import Roster
from jaragua.node.connection.lanes import OTHERS, Lane, Lanes, cbor_text, text_of
from jaragua.node.connection.sieve import Verdict
from jaragua.trust.members import Members
from jaragua.wire.topics import TopicKind, build, pattern

#: An update's device, run and round, as topic and header have them.
Missing = tuple[str, str, str]

_MISSING: Final = Lane(
    "missing", 100, 200, "updates on each topic of one that is waited for: updates that name its device"
)
_FOLLOWED: Final = Lane("followed", 10, 20, "updates on each topic of one that is waited for: others")
#: A fleet that comes back sends what is in its outboxes.
_UNASKED: Final = Lane("unasked", 50, 100, "updates on all other topics")
#: The states of a whole fleet.
_RETAINED: Final = Lane("retained", 1000, 16384, "retained messages that a subscription brings")
#: What is missed of states is read again.
_KNOWN_STATE: Final = Lane("known state", 20, 40, "of each known node and device: its states")
_KNOWN_STATES: Final = Lane("known states", 100, 300, "states of all known nodes and devices")
_NEW_STATES: Final = Lane("new states", 30, 100, "states of all others")
#: R10.
_CLAIMS_TO_US: Final = Lane("claims to us", 50, 100, "claims to this coordinator")
_CLAIMS: Final = Lane("claims", 10, 20, "other claims")
_ANSWERS: Final = Lane("answers", 1000, 8192, "answers to questions that wait for one")
#: In the order of the table in M15.
LANES: Final = (
    *(_MISSING, _FOLLOWED, _UNASKED, _RETAINED, _KNOWN_STATE, _KNOWN_STATES, _NEW_STATES),
    *(_CLAIMS_TO_US, _CLAIMS, _ANSWERS, OTHERS),
)

#: An update has no properties that mean anything.
_UPDATES: Final = (_MISSING, _FOLLOWED, _UNASKED)
_DEVICE: Final = cbor_text("device")
_SECONDS_UNTIL_FORGOTTEN: Final = 10.0
_MOST_LEFT: Final = 16384


class RoundsGate:
    """Of the connection on which updates come that are waited for, and what is said to this coordinator alone.

    questions: correlation data of the questions that are not answered.
    """

    def __init__(self, fleet: str, questions: Collection[bytes], *, all_updates: bool = False) -> None:
        """all_updates: not only those that are waited for come here (M16.6)."""
        self.missing: dict[Missing, str] = {}
        """The updates that are waited for, and the node of each."""
        self._nodes = _nodes(fleet)
        self._questions = questions
        self._other_updates = _UNASKED if all_updates else _FOLLOWED
        self._claim, self._reply = (
            f"{build(TopicKind.HOST_CLAIM, fleet)[: -len('claim')]}{end}/".encode() for end in ("claim", "reply")
        )
        self._lanes = Lanes()

    def admits(self, topic: bytes, head: bytes, now_s: float, *, is_retained: bool) -> Verdict:
        """See `Gate`."""
        lane, key = self._lane(topic, head)
        if not self._lanes.has_room(lane, now_s, key):
            return Verdict.TOO_MUCH
        return Verdict.TAKEN if lane in _UPDATES else Verdict.READ

    def _lane(self, topic: bytes, head: bytes) -> tuple[Lane, bytes]:
        if topic.startswith(self._nodes):
            lane = self._lane_of_update(topic, head)
            return lane, b"" if lane is _UNASKED else topic
        if topic.startswith(self._claim):
            return _CLAIMS_TO_US, b""
        if topic.startswith(self._reply) and any(question in head for question in self._questions):
            return _ANSWERS, b""
        return OTHERS, b""

    def _lane_of_update(self, topic: bytes, head: bytes) -> Lane:
        parts = topic.decode("ascii", "replace").split("/")
        if len(parts) != 8:
            return self._other_updates
        missing = (text_of(head, _DEVICE), parts[6], parts[7])
        return _MISSING if self.missing.get(missing) == parts[4] else self._other_updates


class PublicGate:
    """Of the connection on which all else comes. own_name: what marks a claim of this coordinator, or for it."""

    def __init__(self, fleet: str, roster: Roster, own_name: bytes) -> None:
        self.has_missed_some = False
        """Something was not read here; what the broker has left out for lack of room nobody can know."""
        self.members: Callable[[], Members | None] = lambda: None
        """Of the fleet; None of an open one."""
        self.on_stranger: Callable[[bytes], None] = lambda topic: None
        """Called for each message of no member, with its topic."""
        self._roster = roster
        self._own_name = own_name
        self._nodes = _nodes(fleet)
        self._claim = build(TopicKind.HOST_CLAIM, fleet).encode()
        self._few = frozenset(build(kind, fleet).encode() for kind in (TopicKind.RUN, TopicKind.HOST_STATE))
        self._followed: frozenset[bytes] = frozenset()
        self._left: dict[bytes, float] = {}
        self._lanes = Lanes()

    def leave_out(self, topics: Iterable[str], now_s: float) -> None:
        """What comes on these, and for a while on those before, is read on the other connection."""
        followed = frozenset(topic.encode() for topic in topics)
        self._left = {topic: until_s for topic, until_s in self._left.items() if until_s > now_s}
        if len(self._left) < _MOST_LEFT:
            self._left.update(dict.fromkeys(self._followed - followed, now_s + _SECONDS_UNTIL_FORGOTTEN))
        self._followed = followed

    def admits(self, topic: bytes, head: bytes, now_s: float, *, is_retained: bool) -> Verdict:
        """See `Gate`."""
        if topic in self._followed or self._left.get(topic, now_s) > now_s:
            return Verdict.READ_ELSEWHERE
        if self._is_of_a_stranger(topic):
            self.on_stranger(topic)
            return Verdict.STRANGER
        is_read = self._has_room(topic, head, now_s, is_retained=is_retained)
        self.has_missed_some = self.has_missed_some or not is_read
        return Verdict.of(is_read=is_read)

    def _has_room(self, topic: bytes, head: bytes, now_s: float, *, is_retained: bool) -> bool:
        if is_retained:
            return self._lanes.has_room(_RETAINED, now_s)
        if topic.startswith(self._nodes):
            return self._has_room_for_node(topic, now_s)
        if topic == self._claim:
            return self._lanes.has_room(_CLAIMS_TO_US if self._own_name in head else _CLAIMS, now_s)
        # By topic where the topic is one of a few.
        return self._lanes.has_room(OTHERS, now_s, key=topic if topic in self._few else None)

    def _is_of_a_stranger(self, topic: bytes) -> bool:
        """G8: told by the topic alone, before anything is kept or decoded."""
        members = self.members()
        if members is None or not topic.startswith(self._nodes):
            return False
        parts = topic.decode("ascii", "replace").split("/")
        if len(parts) > 6 and parts[5] == "dev":
            return not members.admits(parts[4], parts[6])
        return not members.has_node(parts[4])

    def _has_room_for_node(self, topic: bytes, now_s: float) -> bool:
        parts = topic.decode("ascii", "replace").split("/")
        if len(parts) == 8 and parts[5] == "up":
            return self._lanes.has_room(_UNASKED, now_s)
        if parts[-1] != "$state" or len(parts) not in (6, 8):
            return self._lanes.has_room(OTHERS, now_s)
        if not self._roster.knows(parts[4], parts[6] if len(parts) == 8 else ""):
            return self._lanes.has_room(_NEW_STATES, now_s)
        return self._lanes.has_room(_KNOWN_STATE, now_s, key=topic) and self._lanes.has_room(_KNOWN_STATES, now_s)


def _nodes(fleet: str) -> bytes:
    """How the topics of nodes begin."""
    return pattern(TopicKind.NODE_STATE, fleet).removesuffix("+/$state").encode()
