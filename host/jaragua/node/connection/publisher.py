"""Messages at QoS 1, many under way at once: packets that go past the client library, which takes too long for each.

The library makes an object, a future and a system call of every message. Here the messages that wait are encoded one
after the other and go out in one write. Their acknowledgements are taken out of what comes by the sieve.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Hashable, Iterable
from typing import Final, Generic, Protocol, TypeVar

from jaragua.node.connection.sieve import FIRST_OWN_IDENTIFIER

#: MQTT 5.0, 3.3.4: a broker that says less in its CONNACK gets less; mosquitto of ours takes so many.
MOST_UNDER_WAY: Final = 512
#: A longer message is the library's: it waits for the socket as long as that takes.
LONGEST_BYTES: Final = 65_536
NO_PROPERTIES: Final = b"\0"
_LAST_IDENTIFIER: Final = 0xFFFF
#: Of a PUBLISH at QoS 1: the first byte.
_FIRST, _RETAINED_FIRST = b"\x32", b"\x33"
_TRY_AGAIN_SECONDS: Final = 0.005


class Packet(Protocol):
    """A message that can be sent."""

    @property
    def topic(self) -> str:
        """Where it goes."""
        ...

    @property
    def retain(self) -> bool:
        """Whether the broker keeps it."""
        ...


PacketT = TypeVar("PacketT", bound=Packet)


class Publisher(Generic[PacketT]):
    """The messages of one connection. send: whole packets for the socket; whether it has taken all that waits.
    most: messages under way that the broker takes.

    `under_way`: by identifier, the key and the message of each that the broker has not acknowledged.
    """

    def __init__(self, send: Callable[[bytes], bool], most: int = MOST_UNDER_WAY) -> None:
        self._most = min(most, MOST_UNDER_WAY)
        self.under_way: dict[int, tuple[Hashable, PacketT]] = {}
        self._send = send
        self._packets: list[bytes] = []
        self._identifier = FIRST_OWN_IDENTIFIER - 1
        self._moved = asyncio.Event()
        self._acknowledgements = 0
        self._watching: asyncio.TimerHandle | None = None
        self._is_stuck = False
        self._retrying: asyncio.TimerHandle | None = None

    @property
    def room(self) -> int:
        """How many more messages may be under way."""
        return max(0, self._most - len(self.under_way))

    def add(self, key: Hashable, message: PacketT, payload: bytes, properties: bytes = NO_PROPERTIES) -> None:
        """Encode a message; `flush` sends what was added. properties: with their length, as they stand in a packet."""
        identifier = self._next_identifier()
        self.under_way[identifier] = key, message
        self._packets.append(publish_packet(message, payload, identifier, properties))

    def flush(self) -> None:
        """Send what was added, in one write; what the socket does not take now goes soon."""
        packets, self._packets = b"".join(self._packets), []
        has_all = self._send(packets)
        if not has_all and self._retrying is None:
            self._retrying = asyncio.get_running_loop().call_later(_TRY_AGAIN_SECONDS, self._retry)

    def acknowledged(self, identifiers: Iterable[int]) -> None:
        """The broker has these messages."""
        for identifier in identifiers:
            self.under_way.pop(identifier, None)
        self._acknowledgements += 1
        self._moved.set()

    async def until_moved(self, seconds: float) -> None:
        """Wait until a message is acknowledged. Raises: TimeoutError after twice so many seconds at the latest."""
        self._moved.clear()
        if self._watching is None:  # one timer for many waits
            self._watch(seconds)
        await self._moved.wait()
        if self._is_stuck:
            raise TimeoutError

    def end(self) -> None:
        """The connection is over."""
        for timer in (self._retrying, self._watching):
            if timer is not None:
                timer.cancel()

    def _watch(self, seconds: float) -> None:
        before = self._acknowledgements

        def look() -> None:
            self._watching = None
            if self._acknowledgements != before and self.under_way:
                self._watch(seconds)
            elif self.under_way:
                self._is_stuck = True
                self._moved.set()

        self._watching = asyncio.get_running_loop().call_later(seconds, look)

    def _retry(self) -> None:
        self._retrying = None
        self.flush()

    def _next_identifier(self) -> int:
        while True:
            self._identifier = FIRST_OWN_IDENTIFIER if self._identifier == _LAST_IDENTIFIER else self._identifier + 1
            if self._identifier not in self.under_way:
                return self._identifier


def publish_packet(message: Packet, payload: bytes, identifier: int, properties: bytes = NO_PROPERTIES) -> bytes:
    """MQTT 5.0, 3.3: a PUBLISH at QoS 1."""
    topic = message.topic.encode()
    head = b"".join((len(topic).to_bytes(2, "big"), topic, identifier.to_bytes(2, "big"), properties))
    first = _RETAINED_FIRST if message.retain else _FIRST
    return b"".join((first, encoded_length(len(head) + len(payload)), head, payload))


def encoded_length(count: int) -> bytes:
    """MQTT 5.0, 1.5.5."""
    if count < 1 << 7:
        return bytes((count,))
    if count < 1 << 14:
        return bytes((count & 0x7F | 0x80, count >> 7))
    encoded = bytearray()
    while True:
        count, low = count >> 7, count & 0x7F
        encoded.append(low | (0x80 if count else 0))
        if not count:
            return bytes(encoded)
