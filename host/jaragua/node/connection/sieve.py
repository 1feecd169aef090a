"""What comes from a broker, looked at before the client library reads it (P3). Pure.

The library takes so long for a message that a flood would stand between a node and what it waits for. Here a message
that a gate does not admit is acknowledged and left out of the stream; protocol.md, M16, has what both cost.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import Enum, auto
from typing import Final, Protocol

_PUBLISH: Final = 0x30
_PUBACK: Final = b"\x40\x02"
_PUBACK_TYPE: Final = 0x40
#: Packet identifiers from here on are of messages that are published past the client library (see `Publisher`).
FIRST_OWN_IDENTIFIER: Final = 0x8000
_MOST_LENGTH_BYTES: Final = 4
#: What a gate sees of a message's properties and payload.
HEAD_BYTES: Final = 2048


class Verdict(Enum):
    """What becomes of a message."""

    READ = auto()
    TOO_MUCH = auto()
    """It is dropped and counted."""
    READ_ELSEWHERE = auto()
    """It comes on another connection, too."""
    STRANGER = auto()
    """It is of no member of the fleet; the gate has counted it (G8)."""
    TAKEN = auto()
    """It is read, and the client library need not see it: its properties do not matter."""

    @classmethod
    def of(cls, *, is_read: bool) -> Verdict:
        """Read, or too much."""
        return cls.READ if is_read else cls.TOO_MUCH


class Gate(Protocol):
    """Decides which messages are read."""

    def admits(self, topic: bytes, head: bytes, now_s: float, *, is_retained: bool) -> Verdict:
        """What becomes of a message. head: its properties and payload (MQTT 5.0, 3.3), the first HEAD_BYTES of them.

        is_retained: the broker sends it because of a subscription. It must not raise, whatever a peer sent.
        """
        ...


class Sieve:
    """One direction of one connection. on_dropped: called with a number of messages and the last one's topic.

    on_taken: called with topic and payload of a message that the gate wants without the library. on_acknowledged:
    called with identifiers of messages that were published past the library.
    """

    def __init__(
        self,
        gate: Gate,
        on_dropped: Callable[[int, bytes], None],
        on_taken: Callable[[bytes, bytes], None] = lambda topic, payload: None,
        on_acknowledged: Callable[[Sequence[int]], None] = lambda identifiers: None,
    ) -> None:
        self._gate = gate
        self._on_dropped = on_dropped
        self._on_taken = on_taken
        self._on_acknowledged = on_acknowledged
        self._parts: list[bytes] = []
        """The beginning of a packet that has not come in full."""
        self._has = 0
        self._needs = 2
        self._dropped, self._dropped_topic = 0, b""

    def sift(self, data: bytes, now_s: float) -> tuple[bytes, bytes]:
        """Whole packets that are to be read, and the acknowledgements of the messages that are not."""
        self._parts.append(data)
        self._has += len(data)
        if self._has < self._needs:
            return b"", b""
        stream = b"".join(self._parts) if len(self._parts) > 1 else data
        kept: list[bytes] = []
        answers: list[bytes] = []
        ours: list[int] = []
        """Identifiers of messages of ours that the broker has."""
        place = kept_from = 0
        body, after = _extent(stream, 0)
        while after <= len(stream):
            if stream[place] == _PUBACK_TYPE:
                identifier = _of_our_own(stream, body, after)
                is_kept_back = identifier != 0
                if is_kept_back:
                    ours.append(identifier)
            else:
                is_kept_back = self._keeps_back(stream, (place, body, after), now_s, answers)
            if is_kept_back:
                if kept_from < place:
                    kept.append(stream[kept_from:place])
                kept_from = after
            place = after
            body, after = _extent(stream, place)
        kept.append(stream[kept_from:place])
        self._keep(stream[place:], needs=after - place)
        self._tell(ours)
        return b"".join(kept), b"".join(answers)

    def _tell(self, ours: Sequence[int]) -> None:
        if ours:
            self._on_acknowledged(ours)
        if self._dropped:
            count, self._dropped = self._dropped, 0
            self._on_dropped(count, self._dropped_topic)

    def _keeps_back(self, stream: bytes, packet: tuple[int, int, int], now_s: float, answers: list[bytes]) -> bool:
        """Whether the library does not get a packet; the acknowledgement of its message is added to `answers`.

        packet: its place, where its body begins, and where it ends. QoS 2 is the library's to refuse.
        """
        place, body, after = packet
        first = stream[place]
        if first & 0xF4 != _PUBLISH or body + 2 > after:
            return False
        topic_ends = body + 2 + (stream[body] << 8 | stream[body + 1])
        rest = topic_ends + (first & 0x02)  # QoS 1 has an identifier of two bytes
        if rest > after:
            return False
        topic = stream[body + 2 : topic_ends]
        verdict = self._gate.admits(
            topic, stream[rest : min(after, rest + HEAD_BYTES)], now_s, is_retained=bool(first & 1)
        )
        if verdict is Verdict.READ:
            return False
        if first & 0x02:
            answers.append(_PUBACK + stream[topic_ends:rest])
        if verdict is Verdict.TAKEN:
            self._on_taken(topic, _payload(stream, rest, after))
        elif verdict is Verdict.TOO_MUCH:
            self._dropped, self._dropped_topic = self._dropped + 1, topic
        return True

    def _keep(self, left: bytes, needs: int) -> None:
        """What is left of a packet, and how many bytes it has as far as is known."""
        self._parts, self._has, self._needs = [left] if left else [], len(left), max(2, needs)


def _of_our_own(stream: bytes, body: int, after: int) -> int:
    """The identifier that a PUBACK acknowledges, if the library does not know it; else 0."""
    if after - body < 2 or stream[body] < FIRST_OWN_IDENTIFIER >> 8:
        return 0
    return stream[body] << 8 | stream[body + 1]


def _payload(stream: bytes, rest: int, after: int) -> bytes:
    """What is behind the properties, which begin at `rest`; nothing if their length is none."""
    if rest < after and not stream[rest]:
        return stream[rest + 1 : after]
    length = shift = 0
    for at in range(rest, min(after, rest + _MOST_LENGTH_BYTES)):
        length |= (stream[at] & 0x7F) << shift
        if stream[at] < 0x80:
            return stream[at + 1 + length : after]
        shift += 7
    return b""


def _extent(stream: bytes, place: int) -> tuple[int, int]:
    """Where the body of the packet at `place` begins and where it ends; beyond the stream if its length is cut off.

    A length of more than four bytes is none: the packet is given on as it is, and the library ends the connection.
    """
    if place + 1 < len(stream) and stream[place + 1] < 0x80:  # of acknowledgements
        return place + 2, place + 2 + stream[place + 1]
    length = shift = 0
    for at in range(place + 1, place + 1 + _MOST_LENGTH_BYTES):
        if at >= len(stream):
            return at, at + 1
        length |= (stream[at] & 0x7F) << shift
        if stream[at] < 0x80:
            return at + 1, at + 1 + length
        shift += 7
    return place + 1 + _MOST_LENGTH_BYTES, place + 1 + _MOST_LENGTH_BYTES
