"""Consistent Overhead Byte Stuffing (Cheshire and Baker, 1999): no zero byte inside a frame (L1.1)."""

from __future__ import annotations

from jaragua.errors import ProtocolError

_LONGEST_RUN = 254


def encode(data: bytes) -> bytes:
    """`data` without any 0x00; the closing 0x00 is not part of it."""
    out = bytearray()
    parts = data.split(b"\x00")
    for number, part in enumerate(parts):
        while len(part) >= _LONGEST_RUN:
            out += b"\xff" + part[:_LONGEST_RUN]
            part = part[_LONGEST_RUN:]
            # A full run that ends the data needs no code byte after it.
            if not part and number == len(parts) - 1:
                return bytes(out)
        out.append(len(part) + 1)
        out += part
    return bytes(out)


def decode(data: bytes) -> bytes:
    """The bytes that `encode` was given; ProtocolError if `data` (without the closing 0x00) is no COBS."""
    out = bytearray()
    at = 0
    while at < len(data):
        code = data[at]
        run = data[at + 1 : at + code]
        if code == 0 or 0 in run or len(run) != code - 1:
            raise ProtocolError("a frame is not COBS: a run ends outside of it")
        out += run
        at += code
        if code <= _LONGEST_RUN and at < len(data):
            out.append(0)
    return bytes(out)
