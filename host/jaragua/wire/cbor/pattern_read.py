"""Reads maps of plain values with the keys of a rule of `messages.cddl`, in its order: by one regular expression.

Every sender of this project writes its keys in that order. What this takes, `quick_read` takes too, with the same
values; `tests/wire/test_messages.py` compares them. Of anything else it says nothing: other orders, long texts.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable, Mapping
from operator import call
from typing import Any, Final

from jaragua.wire.cbor.cddl import Element
from jaragua.wire.cbor.quick_check import Fits, made_of
from jaragua.wire.cbor.quick_read import MapReader

#: The value in what a group has matched. Raises: ValueError.
_Convert = Callable[[bytes], Any]
#: Of texts and bytes in a pattern: each length is a branch of its own, as an expression cannot count.
_LONGEST: Final = 64
_LONGEST_IN_HEAD: Final = 23
_BYTES, _TEXT, _MAP = 0x40, 0x60, 0xA0
_UINT: Final = rb"([\x00-\x17]|\x18.|\x19..|\x1a.{4}|\x1b.{8})"
_INT: Final = rb"([\x00-\x17\x20-\x37]|[\x18\x38].|[\x19\x39]..|[\x1a\x3a].{4}|[\x1b\x3b].{8})"
_FLOAT: Final = rb"\xfb(.{8})"
_BOOL: Final = rb"([\xf4\xf5])"
_ID: Final = b"[a-z0-9-]"
_DOUBLE: Final = struct.Struct(">d")


def map_reader(rules: Mapping[str, Element], element: Element) -> MapReader | None:
    """The function of a rule; None for a rule that is no map of fewer than 24 plain values."""
    children = element.children if element.type == "MAP" else []
    found = [_field(rules, child) for child in children]
    if not found or None in found or sum(bool(child.min_qty) for child in children) > _LONGEST_IN_HEAD:
        return None
    fields = [one for one in found if one is not None]
    names = [name for name, _, _ in fields]
    converts = [convert for _, _, convert in fields]
    is_fixed = all(child.min_qty for child in children)
    whole = re.compile(b"[\xa1-\xb7]" + b"".join(pattern for _, pattern, _ in fields), re.DOTALL)

    def read(data: bytes) -> dict[str, Any] | None:
        match = whole.fullmatch(data)
        if match is None:
            return None
        count = data[0] - _MAP
        groups = match.groups()
        try:
            if is_fixed:
                return dict(zip(names, map(call, converts, groups), strict=True)) if count == len(names) else None
            values = {
                name: convert(group)
                for name, convert, group in zip(names, converts, groups, strict=True)
                if group is not None
            }
        except ValueError:
            return None
        return values if len(values) == count else None

    return read


def _field(rules: Mapping[str, Element], child: Element) -> tuple[str, bytes, _Convert] | None:
    """Name of a field, the expression for its key and value, and what makes the value of it; None: not read here."""
    value = None if child.key is None else _value(rules, child)
    if child.key is None or value is None:
        return None
    name, (pattern, convert) = str(child.key.value), value
    whole = re.escape(_head(_TEXT, len(name)) + name.encode()) + pattern
    return name, whole if child.min_qty else b"(?:" + whole + b")?", convert


def _value(rules: Mapping[str, Element], child: Element) -> tuple[bytes, _Convert] | None:
    plain, is_id = child, False
    while plain.type == "OTHER":
        is_id = is_id or str(plain.value) == "device-id"
        plain = rules[str(plain.value)]
    fits = made_of(rules, child)
    if plain.type == "UNION":
        return _names(plain)
    if plain.value is not None:
        return None
    if plain.type == "UINT":
        is_any = plain.min_value in (None, 0) and plain.max_value is None
        return _UINT, _uint if is_any else _checked(_uint, fits)
    if plain.type == "INT":
        return _INT, _checked(_int, fits)
    if plain.type == "FLOAT":
        return _FLOAT, _checked(_float, fits)
    if plain.type == "BOOL":
        return _BOOL, lambda group: group == b"\xf5"
    if plain.type in ("TSTR", "BSTR"):
        return _string(plain, fits, is_id=is_id)
    return None


def _names(union: Element) -> tuple[bytes, _Convert] | None:
    """One of several texts."""
    if not all(one.type == "TSTR" and one.value is not None for one in union.children):
        return None
    texts = {_head(_TEXT, len(str(one.value))) + str(one.value).encode(): str(one.value) for one in union.children}
    return b"(" + b"|".join(map(re.escape, texts)) + b")", texts.__getitem__


def _string(plain: Element, fits: Fits, *, is_id: bool) -> tuple[bytes, _Convert]:
    """Texts and bytes. An identifier has only characters that the expression names, so it need not be looked at."""
    major, character = (_TEXT, _ID if is_id else b".") if plain.type == "TSTR" else (_BYTES, b".")
    least, most = plain.min_size or 0, min(_LONGEST, _LONGEST if plain.max_size is None else plain.max_size)
    # Long ones first, as an identifier of 24 characters begins with the head of a shorter one's length.
    branches = (re.escape(_head(major, size)) + b"%b{%d}" % (character, size) for size in range(most, least - 1, -1))
    text_of = _text if major == _TEXT else _content
    is_exact = is_id and (least, most) == (1, 32)
    fixed = major == _BYTES and least == most
    return b"(" + b"|".join(branches) + b")", text_of if is_exact or fixed else _checked(text_of, fits)


def _head(major: int, size: int) -> bytes:
    return bytes([major | size]) if size <= _LONGEST_IN_HEAD else bytes([major | 24, size])


def _content(group: bytes) -> bytes:
    return group[1:] if group[0] & 31 <= _LONGEST_IN_HEAD else group[2:]


def _text(group: bytes) -> str:
    return (group[1:] if group[0] & 31 <= _LONGEST_IN_HEAD else group[2:]).decode()


def _uint(group: bytes) -> int:
    return group[0] if len(group) == 1 else int.from_bytes(group[1:], "big")


def _int(group: bytes) -> int:
    number = group[0] & 31 if len(group) == 1 else int.from_bytes(group[1:], "big")
    return -1 - number if group[0] & 0x20 else number


def _float(group: bytes) -> float:
    value: float = _DOUBLE.unpack(group)[0]
    return value


def _checked(convert: _Convert, fits: Fits) -> _Convert:
    def checked(group: bytes) -> Any:
        value = convert(group)
        if fits(value):
            return value
        raise ValueError(value)

    return checked
