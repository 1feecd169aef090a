"""Frames (L1): `ver_type | offset | seq | ack | session | total | ack_offset | payload | crc32`, COBS, 0x00."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from jaragua.errors import ProtocolError
from jaragua.wire.definitions import (
    CRC_BYTES,
    HEADER_BYTES,
    HELLO_BYTES,
    MAX_ENCODED_BYTES,
    MAX_PAYLOAD_BYTES,
    PROTOCOL_MAJOR,
    SEQUENCED,
)
from jaragua.wire.link import cobs

_HEADER: Final = struct.Struct("<BBBBHBB")
_HELLO: Final = struct.Struct("<HBBB")
_CRC: Final = struct.Struct("<I")
DELIMITER: Final = b"\x00"
_TEXT: Final = frozenset(range(32, 127)) | frozenset(b"\r\n\t")


class FrameError(ProtocolError):
    """A frame that a receiver drops and counts (L1.3)."""


class BadCrcError(FrameError):
    """The CRC-32 of a frame is wrong (L1.1)."""


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame; `type` is the low nibble, known (`FrameType`) or not.

    Of a message that comes in segments (L3.7), `offset` bytes stand before `payload` and `rest` bytes after it.
    `ack`, `ack_offset`: the message expected next, and how many bytes of it have come.
    """

    type: int
    payload: bytes = b""
    seq: int = 0
    ack: int = 0
    session: int = 0
    major: int = PROTOCOL_MAJOR
    offset: int = 0
    rest: int = 0
    ack_offset: int = 0

    @property
    def total(self) -> int:
        """Bytes of the whole message."""
        return self.offset + len(self.payload) + self.rest


def is_text(data: bytes | bytearray) -> bool:
    """Whether `data` could be a line that a person should see (L1.4)."""
    return _TEXT.issuperset(data)


def pack(frame: Frame) -> bytes:
    """The bytes of `frame` on the wire, with the closing 0x00."""
    if frame.total > MAX_PAYLOAD_BYTES:
        raise FrameError(f"a payload of {frame.total} bytes does not fit a frame of {MAX_PAYLOAD_BYTES}")
    ver_type = frame.major << 4 | frame.type
    place = (frame.offset, frame.seq, frame.ack, frame.session, frame.total, frame.ack_offset)
    head = _HEADER.pack(ver_type, *place)
    body = head + frame.payload
    return cobs.encode(body + _CRC.pack(zlib.crc32(body))) + DELIMITER


def unpack(encoded: bytes) -> Frame:
    """The frame in `encoded` (no 0x00 in it); FrameError if it must be dropped (L1.3), BadCrcError for its CRC."""
    if len(encoded) >= MAX_ENCODED_BYTES:
        raise FrameError(f"a frame of {len(encoded)} bytes is too long")
    try:
        raw = cobs.decode(encoded)
    except ProtocolError as error:
        raise FrameError(error.message) from error
    if len(raw) < HEADER_BYTES + CRC_BYTES:
        raise FrameError(f"a frame of {len(raw)} bytes is too short")
    body = raw[:-CRC_BYTES]
    if zlib.crc32(body) != _CRC.unpack(raw[-CRC_BYTES:])[0]:
        raise BadCrcError("the CRC-32 of a frame is wrong")
    ver_type, offset, seq, ack, session, total, ack_offset = _HEADER.unpack_from(body)
    payload = body[HEADER_BYTES:]
    rest = total - offset - len(payload)
    _check_place(ver_type & 15, offset, len(payload), rest, total)
    return Frame(ver_type & 15, payload, seq, ack, session, ver_type >> 4, offset, rest, ack_offset)


def _check_place(frame_type: int, offset: int, payload_bytes: int, rest: int, total: int) -> None:
    """L1.3: a segment lies in its message and is not empty; only sequenced messages come in segments."""
    if rest < 0 or total > MAX_PAYLOAD_BYTES:
        raise FrameError(f"{payload_bytes} bytes at {offset} do not fit a message of {total}")
    if payload_bytes != total and (frame_type not in SEQUENCED or payload_bytes == 0):
        raise FrameError(f"a frame of type {frame_type} cannot be a segment of {payload_bytes} bytes")


@dataclass(frozen=True, slots=True)
class Hello:
    """The payload of a HELLO (L2.1)."""

    nonce: int
    window: int
    major: int
    minor: int

    def pack(self) -> bytes:
        """Five bytes."""
        return _HELLO.pack(self.nonce, self.window, self.major, self.minor)

    @classmethod
    def unpack(cls, payload: bytes) -> Hello:
        """FrameError if `payload` is shorter than a HELLO; what a later minor may add behind it is ignored."""
        if len(payload) < HELLO_BYTES:
            raise FrameError(f"a HELLO of {len(payload)} bytes is too short")
        return cls(*_HELLO.unpack_from(payload))


@dataclass(slots=True)
class Splitter:
    """Cuts a stream of bytes at 0x00; never holds more than one frame's length of it."""

    _pending: bytearray = field(default_factory=bytearray)

    def feed(self, data: bytes) -> Iterator[bytes]:
        """The pieces that end in `data`, without their 0x00; empty ones are left out. Too long ones come in parts."""
        *ended, rest = data.split(DELIMITER)
        for piece in ended:
            whole = bytes(self._pending) + piece
            self._pending.clear()
            if whole:
                yield whole
        self._pending += rest
        yield from self._lines()
        if len(self._pending) >= 4 * MAX_ENCODED_BYTES:
            yield bytes(self._pending)
            self._pending.clear()

    def _lines(self) -> Iterator[bytes]:
        """Whole lines of text, which other firmware prints without any 0x00.

        A frame is no text: its second byte, `ver_type`, is a control character that text does not have.
        """
        if len(self._pending) > 1 and b"\n" in self._pending and is_text(self._pending):
            *lines, rest = bytes(self._pending).split(b"\n")
            self._pending[:] = rest
            yield from (line + b"\n" for line in lines)
