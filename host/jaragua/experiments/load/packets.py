"""As much of MQTT 5 as simulated devices need, with so little work that the load is the broker's and the coordinator's.

Only what this package sends and receives: no QoS 2, no flow control below the broker's limits, no reconnection.
"""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Callable
from typing import Final, NamedTuple, cast

CONNECT, CONNACK, PUBLISH, PUBACK, SUBSCRIBE, SUBACK, PINGREQ = 0x10, 0x20, 0x30, 0x40, 0x82, 0x90, 0xC0
_QOS_1: Final = 0x02
_RETAIN: Final = 0x01
_KEEPALIVE_SECONDS: Final = 300
_LARGEST_PACKET_BYTES: Final = 16 * 2**20
_NO_PROPERTIES: Final = b"\0"


class Message(NamedTuple):
    """A message that came."""

    topic: str
    payload: bytes


def _length(count: int) -> bytes:
    """MQTT 5.0, 1.5.5."""
    encoded = bytearray()
    while True:
        count, low = count >> 7, count & 0x7F
        encoded.append(low | (0x80 if count else 0))
        if not count:
            return bytes(encoded)


def _text(text: str) -> bytes:
    content = text.encode()
    return struct.pack(">H", len(content)) + content


def connect(identifier: str) -> bytes:
    """A clean session."""
    properties = b"\x27" + struct.pack(">I", _LARGEST_PACKET_BYTES)
    body = _text("MQTT") + b"\x05\x02" + struct.pack(">H", _KEEPALIVE_SECONDS)
    body += _length(len(properties)) + properties + _text(identifier)
    return bytes([CONNECT]) + _length(len(body)) + body


def subscribe(number: int, *topics: str) -> bytes:
    """QoS 1."""
    body = struct.pack(">H", number) + _NO_PROPERTIES + b"".join(_text(topic) + b"\x01" for topic in topics)
    return bytes([SUBSCRIBE]) + _length(len(body)) + body


def publish(topic: str, payload: bytes, number: int, *, retain: bool = False) -> bytes:
    """QoS 1."""
    head = _text(topic) + struct.pack(">H", number) + _NO_PROPERTIES
    first = PUBLISH | _QOS_1 | (_RETAIN if retain else 0)
    return bytes([first]) + _length(len(head) + len(payload)) + head + payload


class Connection(asyncio.Protocol):
    """One client. on_message: called for each message, which is acknowledged; on_sent: for each one of ours."""

    def __init__(
        self,
        identifier: str,
        on_message: Callable[[Connection, Message], None],
        on_sent: Callable[[Connection], None] = lambda connection: None,
    ) -> None:
        self.identifier = identifier
        self.under_way = 0
        """Messages that the broker has not acknowledged."""
        self.ready = asyncio.get_running_loop().create_future()
        self._on_message, self._on_sent = on_message, on_sent
        self._number = 0
        self._buffer = bytearray()
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Of asyncio."""
        self._transport = cast("asyncio.Transport", transport)
        self._transport.write(connect(self.identifier))

    def connection_lost(self, exc: Exception | None) -> None:
        """Of asyncio."""
        if not self.ready.done():
            self.ready.set_exception(exc or ConnectionError("the broker closed the connection"))
        self._transport = None

    def close(self) -> None:
        """End the connection."""
        if self._transport is not None:
            self._transport.close()

    def subscribe(self, *topics: str) -> None:
        """Ask for topics."""
        self._write(subscribe(self._next(), *topics))

    def publish(self, topic: str, payload: bytes, *, retain: bool = False) -> None:
        """Send at QoS 1."""
        self.under_way += 1
        self._write(publish(topic, payload, self._next(), retain=retain))

    def _next(self) -> int:
        self._number = self._number % 65535 + 1
        return self._number

    def _write(self, data: bytes) -> None:
        if self._transport is not None:
            self._transport.write(data)

    def data_received(self, data: bytes) -> None:
        """Of asyncio."""
        self._buffer += data
        place = 0
        while (found := self._extent(place)) is not None:
            body, after = found
            self._take(self._buffer[place], bytes(self._buffer[body:after]))
            place = after
        del self._buffer[:place]

    def _extent(self, place: int) -> tuple[int, int] | None:
        """Where the body of the packet at a place begins and ends; None: it has not come in full."""
        length = shift = 0
        for at in range(place + 1, len(self._buffer)):
            length |= (self._buffer[at] & 0x7F) << shift
            if self._buffer[at] < 0x80:
                return (at + 1, at + 1 + length) if at + 1 + length <= len(self._buffer) else None
            shift += 7
        return None

    def _take(self, first: int, body: bytes) -> None:
        kind = first & 0xF0
        if kind == PUBLISH:
            self._take_message(first, body)
        elif kind == PUBACK:
            self.under_way -= 1
            self._on_sent(self)
        elif kind == CONNACK and not self.ready.done():
            if body[1]:
                self.ready.set_exception(ConnectionError(f"the broker refuses the connection, reason {body[1]:#x}"))
            else:
                self.ready.set_result(None)

    def _take_message(self, first: int, body: bytes) -> None:
        topic_ends = 2 + int.from_bytes(body[:2], "big")
        rest = topic_ends + (first & _QOS_1)
        if first & _QOS_1:
            self._write(bytes([PUBACK, 2]) + body[topic_ends:rest])
        length, at, shift = 0, rest, 0
        while True:
            length |= (body[at] & 0x7F) << shift
            at, shift = at + 1, shift + 7
            if body[at - 1] < 0x80:
                break
        self._on_message(self, Message(body[2:topic_ends].decode(), body[at + length :]))


async def connected(
    port: int,
    identifier: str,
    on_message: Callable[[Connection, Message], None],
    on_sent: Callable[[Connection], None] = lambda connection: None,
) -> Connection:
    """A connection to a broker on this machine that the broker has accepted. Raises: OSError."""
    loop = asyncio.get_running_loop()
    _, connection = await loop.create_connection(lambda: Connection(identifier, on_message, on_sent), "127.0.0.1", port)
    await connection.ready
    return connection
