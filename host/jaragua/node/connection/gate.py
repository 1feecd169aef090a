"""Which messages a node reads while somebody floods it (P3, M14). Pure: the time is passed in."""

from __future__ import annotations

from collections.abc import Container
from typing import Final

from jaragua.node.connection.lanes import OTHERS, Lane, Lanes, cbor_text, text_of
from jaragua.node.connection.sieve import Verdict
from jaragua.wire.topics import TopicKind, build, pattern

#: A gateway sends hundreds of updates after an outage, and each is acknowledged.
_OURS: Final = Lane("ours", 100, 300, "of each kind: commands and acknowledgements to an own device, `stop` of the run")
_RETAINED: Final = Lane("retained", 100, 1000, "retained messages that a subscription brings")
_STARTS: Final = Lane("starts", 20, 50, "blobs and differences, published now")
_RUN: Final = Lane("run", 20, 50, "states of the run, published now")
_QUESTIONS: Final = Lane("questions", 5, 20, "of each device of the node: questions (M51)")
#: Each is put right.
_STATES: Final = Lane(
    "states", 5, 10, "states and properties of the node and its devices that another client published"
)
#: In the order of the table in M14.
LANES: Final = (_OURS, _RETAINED, _STARTS, _RUN, _QUESTIONS, _STATES, OTHERS)

_DEVICE, _RUN_KEY = cbor_text("device"), cbor_text("run")
#: Topics below `node/<node>/` that have a share of their own.
_WITH_DEVICE: Final = (b"cmd/train", b"cmd/adapt", b"cmd/secure", b"cmd/statistics", b"cmd/flash", b"ack/")
_STOP: Final = b"cmd/stop"
_STATE: Final = b"$state"
_DEVICES: Final = b"dev/"
_PROPERTY: Final = b"prop/"
_QUESTION: Final = b"infer/"


class NodeGate:
    """What names a device of the node has a share for each kind of message; what does not has a small one in all."""

    def __init__(self, fleet: str, node: str, devices: Container[str]) -> None:
        """devices: of the node, at any time."""
        self.run = ""
        """The run that the coordinator announces, "" before."""
        self.has_missed_a_run = False
        """A message of where the run stands was not read."""
        self._run_topic = build(TopicKind.RUN, fleet).encode()
        self._own = pattern(TopicKind.COMMAND, fleet, node=node).removesuffix("cmd/+").encode()
        self._of_devices = self._own + _DEVICES
        self._starts = tuple(
            pattern(kind, fleet).removesuffix("+").encode() for kind in (TopicKind.BLOB, TopicKind.DIFFERENCE)
        )
        self._devices = devices
        self._lanes = Lanes()

    def admits(self, topic: bytes, head: bytes, now_s: float, *, is_retained: bool) -> Verdict:
        """See `Gate`."""
        return Verdict.of(is_read=self._has_room(topic, head, now_s, is_retained=is_retained))

    def _has_room(self, topic: bytes, head: bytes, now_s: float, *, is_retained: bool) -> bool:
        if is_retained:
            return self._lanes.has_room(_RETAINED, now_s)
        if topic == self._run_topic:
            is_read = self._lanes.has_room(_RUN, now_s)
            self.has_missed_a_run = self.has_missed_a_run or not is_read
            return is_read
        if topic.startswith(self._starts):
            return self._lanes.has_room(_STARTS, now_s)
        if topic.startswith(self._own) and topic.endswith(_STATE):
            return self._lanes.has_room(_STATES, now_s)
        if topic.startswith(self._of_devices):
            return self._has_room_at_device(topic[len(self._of_devices) :], now_s)
        kind = self._kind(topic, head)
        return self._lanes.has_room(_OURS, now_s, key=kind) if kind else self._lanes.has_room(OTHERS, now_s)

    def _has_room_at_device(self, rest: bytes, now_s: float) -> bool:
        """Of a topic below `dev/`: a property that was overwritten, or a question."""
        device, _, what = rest.partition(b"/")
        if what.startswith(_PROPERTY):
            return self._lanes.has_room(_STATES, now_s)
        name = device.decode("ascii", "replace")
        if what.startswith(_QUESTION) and name in self._devices:
            return self._lanes.has_room(_QUESTIONS, now_s, key=name)
        return self._lanes.has_room(OTHERS, now_s)

    def _kind(self, topic: bytes, head: bytes) -> bytes:
        """Of a message that may be meant for the node: what it is; else b""."""
        if not topic.startswith(self._own):
            return b""
        rest = topic[len(self._own) :]
        if rest == _STOP:
            return rest if self.run and text_of(head, _RUN_KEY) == self.run else b""
        kind = next((one for one in _WITH_DEVICE if rest.startswith(one)), b"")
        return kind if kind and text_of(head, _DEVICE) in self._devices else b""
