"""Reads maps of plain values whose keys are those of a rule of `messages.cddl`: in one pass, with the check.

What this takes, `plain_cbor.loads` and `schema.check` take too, with the same values; `tests/wire/test_messages.py`
compares them. Of anything else it says nothing, and those two decide: a long way of writing a number, a half-precision
float, a list, a wrong value.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from typing import Any, Final

from jaragua.wire.cbor.cddl import Element
from jaragua.wire.cbor.quick_check import Fits, made_of

#: The value that begins at an offset, and the offset behind it. Raises: IndexError, ValueError, struct.error.
_Read = Callable[[bytes, int], tuple[Any, int]]
#: A map's values by key; None: it takes a closer look.
MapReader = Callable[[bytes], dict[str, Any] | None]

_DOUBLE: Final = struct.Struct(">d")
#: CBOR (RFC 8949, 3.1): the first byte of a value of each kind, and how many bytes of length or number follow some.
_NEGATIVE, _BYTES, _TEXT, _MAP, _FALSE, _TRUE, _FLOAT64 = 0x20, 0x40, 0x60, 0xA0, 0xF4, 0xF5, 0xFB
_LONGEST_IN_HEAD: Final = 23
_WIDTHS: Final = {24: 1, 25: 2, 26: 4, 27: 8}


def map_reader(rules: Mapping[str, Element], element: Element) -> MapReader | None:
    """The function of a rule; None for a rule that is no map of plain values."""
    known: dict[bytes, tuple[str, _Read]] = {}
    needed = 0
    for child in element.children if element.type == "MAP" else ():
        read = _checked(rules, child)
        if child.key is None or read is None:
            return None
        key = str(child.key.value)
        known[bytes([_TEXT | len(key)]) + key.encode()] = key, read
        needed += bool(child.min_qty)
    return _of(known, needed, frozenset(str(one.key.value) for one in element.children if one.key and one.min_qty))


def _of(known: Mapping[bytes, tuple[str, _Read]], fewest: int, needed: frozenset[str]) -> MapReader | None:
    if not known:
        return None

    def read(data: bytes) -> dict[str, Any] | None:
        values: dict[str, Any] = {}
        try:
            count, at = _map_head(data)
            for _ in range(count):
                end = at + 1 + (data[at] & 31)
                name, value_at = known[data[at:end]]
                values[name], at = value_at(data, end)
        except (LookupError, ValueError, struct.error):
            return None
        if at != len(data) or len(values) != count or count < fewest or not needed <= values.keys():
            return None
        return values

    return read


def _map_head(data: bytes) -> tuple[int, int]:
    """Entries of a map, and where the first begins."""
    count = data[0] - _MAP
    if 0 <= count <= _LONGEST_IN_HEAD:
        return count, 1
    if count == _LONGEST_IN_HEAD + 1:
        return data[1], 2
    raise ValueError(count)


def _checked(rules: Mapping[str, Element], element: Element) -> _Read | None:
    """Reads a value of an element, and only such; None if its kind is not read here."""
    plain = _resolved(rules, element)
    kinds = {child.type for child in (plain.children if plain.type == "UNION" else (plain,))}
    make = _READERS.get(kinds.pop()) if len(kinds) == 1 else None
    return None if make is None else make(made_of(rules, element))


def _resolved(rules: Mapping[str, Element], element: Element) -> Element:
    while element.type == "OTHER":
        element = rules[str(element.value)]
    return element


def _uint(fits: Fits) -> _Read:
    def read(data: bytes, at: int) -> tuple[int, int]:
        value, end = data[at], at + 1
        if value > _LONGEST_IN_HEAD:
            end += _WIDTHS[value]
            value = int.from_bytes(data[at + 1 : end], "big")
        if fits(value):
            return value, end
        raise ValueError(value)

    return read


def _int(fits: Fits) -> _Read:
    positive = _uint(fits)

    def read(data: bytes, at: int) -> tuple[int, int]:
        if data[at] < _NEGATIVE:
            return positive(data, at)
        value, end = data[at] - _NEGATIVE, at + 1
        if value > _LONGEST_IN_HEAD:
            end += _WIDTHS[value]
            value = int.from_bytes(data[at + 1 : end], "big")
        if fits(-1 - value):
            return -1 - value, end
        raise ValueError(value)

    return read


def _text(fits: Fits) -> _Read:
    return _string(_TEXT, bytes.decode, fits)


def _bytes(fits: Fits) -> _Read:
    return _string(_BYTES, bytes, fits)


def _string(major: int, value_of: Callable[[bytes], Any], fits: Fits) -> _Read:
    """Reads a string of up to 255 bytes: its length is in the head, or in the byte behind it."""

    def read(data: bytes, at: int) -> tuple[Any, int]:
        size = data[at] - major
        if size == _LONGEST_IN_HEAD + 1:
            at += 1
            size = data[at]
        elif not 0 <= size <= _LONGEST_IN_HEAD:
            raise ValueError(size)
        end = at + 1 + size
        value = value_of(data[at + 1 : end])
        if fits(value):
            return value, end
        raise ValueError(value)

    return read


def _float(fits: Fits) -> _Read:
    def read(data: bytes, at: int) -> tuple[float, int]:
        value = _DOUBLE.unpack_from(data, at + 1)[0]
        if data[at] == _FLOAT64 and fits(value):
            return value, at + 9
        raise ValueError(value)

    return read


def _bool(fits: Fits) -> _Read:
    def read(data: bytes, at: int) -> tuple[bool, int]:
        if data[at] in (_FALSE, _TRUE) and fits(data[at] == _TRUE):
            return data[at] == _TRUE, at + 1
        raise ValueError(at)

    return read


_READERS: Final[Mapping[str, Callable[[Fits], _Read]]] = {
    "UINT": _uint,
    "INT": _int,
    "TSTR": _text,
    "BSTR": _bytes,
    "FLOAT": _float,
    "BOOL": _bool,
}
