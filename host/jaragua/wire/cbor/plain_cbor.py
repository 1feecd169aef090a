"""The part of CBOR (RFC 8949) that Jaragua speaks: definite lengths, no tags, little nesting.

Bytes from a wire are walked before cbor2 builds anything from them: a tag could make it compile an expression or scale
a decimal, and a claimed length could be huge.
"""

from __future__ import annotations

from typing import Any, Final

import cbor2

from jaragua.wire.cbor.schema import MessageError

_MAX_DEPTH: Final = 4
_UINT, _BYTES, _TEXT, _ARRAY, _MAP, _TAG, _SIMPLE = 0, 2, 3, 4, 5, 6, 7
#: Additional information 24..27: that many bytes of argument follow.
_ARGUMENT_BYTES: Final = {24: 1, 25: 2, 26: 4, 27: 8}
#: Simple values and floats: false, true, null, float16, float32, float64.
_ALLOWED_SIMPLE: Final = frozenset({20, 21, 22, 25, 26, 27})
#: By major type, of arguments below 256.
_SHORT_HEADS: Final = [
    [bytes([major << 5 | argument] if argument < 24 else [major << 5 | 24, argument]) for argument in range(256)]
    for major in range(8)
]


def loads(data: bytes) -> Any:
    """The one value in `data`; MessageError if it is not exactly one value of the plain part of CBOR."""
    end = _end_of_flat_map(data) or _skip(data, 0, 0)
    if end != len(data):
        raise MessageError(f"{len(data) - end} bytes follow the message")
    try:
        return cbor2.loads(data)
    except (cbor2.CBORDecodeError, ValueError, TypeError) as error:
        raise MessageError(f"the message is not CBOR: {error}") from error


def dumps(value: object) -> bytes:
    """The bytes of `cbor2.dumps`; of most values sooner."""
    if type(value) is int and value >= 0:
        return _written_head(_UINT, value)
    if type(value) is str:
        content = value.encode()
        return _written_head(_TEXT, len(content)) + content
    if type(value) is bytes:
        return _written_head(_BYTES, len(value)) + value
    written: bytes = cbor2.dumps(value)
    return written


def _written_head(major: int, argument: int) -> bytes:
    """As short as it can be (RFC 8949, 4.2.1)."""
    if argument < 256:
        return _SHORT_HEADS[major][argument]
    for additional, width in _ARGUMENT_BYTES.items():
        if argument < 1 << 8 * width:
            return bytes((major << 5 | additional,)) + argument.to_bytes(width, "big")
    raise MessageError(f"{argument} has more than 64 bits")


def _end_of_flat_map(data: bytes) -> int:
    """The offset behind a map of plain values alone, which most messages are; 0: look at it more closely."""
    size = len(data)
    if not size or data[0] >> 5 != _MAP or data[0] & 31 > 24:
        return 0
    at = 1
    count = data[0] & 31
    if count == 24:
        if size < 2:
            return 0
        count, at = data[1], 2
    for _ in range(2 * count):
        if at >= size:
            return 0
        first = data[at]
        major, argument = first >> 5, first & 31
        at += 1
        if argument > 23:
            width = _ARGUMENT_BYTES.get(argument)
            if width is None or (major == _SIMPLE and argument not in _ALLOWED_SIMPLE):
                return 0
            argument = int.from_bytes(data[at : at + width], "big")
            at += width
        elif major == _SIMPLE and argument not in _ALLOWED_SIMPLE:
            return 0
        if major in (_BYTES, _TEXT):
            at += argument
        elif major > _TEXT and major != _SIMPLE:
            return 0
    return at if at <= size else 0


def _skip(data: bytes, at: int, depth: int) -> int:
    """The offset behind the value that begins at `at`."""
    if depth > _MAX_DEPTH:
        raise MessageError("the message is nested too deeply")
    major, argument, at = _head(data, at)
    if major in (_BYTES, _TEXT):
        at += argument
    elif major in (_ARRAY, _MAP):
        for _ in range(argument * (2 if major == _MAP else 1)):
            at = _skip(data, at, depth + 1)
    if at > len(data):
        raise MessageError("the message is cut off")
    return at


def _head(data: bytes, at: int) -> tuple[int, int, int]:
    """Major type, argument, and the offset behind both."""
    if at >= len(data):
        raise MessageError("the message is cut off")
    major, additional = data[at] >> 5, data[at] & 31
    if major == _TAG or additional > 27 or (major == _SIMPLE and additional not in _ALLOWED_SIMPLE):
        raise MessageError(f"the message uses a part of CBOR that Jaragua does not (byte 0x{data[at]:02x})")
    argument_bytes = _ARGUMENT_BYTES.get(additional, 0)
    end = at + 1 + argument_bytes
    if end > len(data):
        raise MessageError("the message is cut off")
    argument = int.from_bytes(data[at + 1 : end], "big") if argument_bytes else additional
    return major, argument, end
