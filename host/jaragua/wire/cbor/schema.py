"""Checks plain Python values against `messages.cddl`.

zcbor, which makes the board's C from the same file, is a tool of the build and not needed here. Its own check
(`DataTranslator.validate_obj`) wants the keys of a map in the order of the file, prints to stdout when a value does not
fit, keeps every such error for ever, and takes 2 ms a message.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any, Final

from jaragua.errors import ProtocolError
from jaragua.wire.cbor import cddl, quick_check
from jaragua.wire.cbor.cddl import Element
from jaragua.wire.topics import is_id

_MAX_UINT64: Final = 2**64 - 1
#: Where CDDL says `*`: the longest map telemetry may hold.
_MAX_REPEATS: Final = 64

_PYTHON_TYPES: Final[dict[str, type]] = {
    "UINT": int,
    "INT": int,
    "NINT": int,
    "FLOAT": float,
    "TSTR": str,
    "BSTR": bytes,
    "BOOL": bool,
    "LIST": list,
    "MAP": dict,
}


class MessageError(ProtocolError):
    """A message that does not match `messages.cddl`; the text names message and field."""


@cache
def rules() -> dict[str, Element]:
    """What the file says: rule name -> type."""
    return cddl.read((files("jaragua.wire") / "messages.cddl").read_text(encoding="utf-8"), _MAX_REPEATS)


@cache
def fits(name: str) -> quick_check.Fits:
    """A quick answer for most of what comes: a value that it does not take is looked at by `check`."""
    return quick_check.made_of(rules(), rules()[name])


def check(name: str, value: object) -> None:
    """MessageError if `value` (as cbor2 gives it, lists for arrays) does not match the rule `name`."""
    if not fits(name)(value):
        _check(rules()[name], value, name)


@cache
def field_fits(name: str) -> Mapping[str, quick_check.Fits]:
    """Of each field of the map `name`, whether a value matches; what else the map needs is not looked at."""
    found = {}
    for child in rules()[name].children:
        if child.key is not None:
            found[str(child.key.value)] = quick_check.made_of(rules(), child)
    return found


@cache
def choices(name: str) -> tuple[str, ...]:
    """The names in a rule of the form `name = a / b / c`."""
    return tuple(str(element.value) for element in rules()[name].children)


@cache
def tag(name: str) -> int:
    """The number that begins the array of the serial message `name`."""
    number = rules()[name].children[0].value
    assert isinstance(number, int)
    return number


@cache
def fields(name: str) -> tuple[str, ...]:
    """The field names of the message `name` in the order of the file, without the tag."""
    element = rules()[name]
    if element.type == "LIST":
        return tuple(str(child.label) for child in element.children[1:])
    return tuple(str(child.key.value) for child in element.children if child.key)


def _check(element: Element, value: object, where: str) -> None:
    if element.type == "OTHER":
        _check(rules()[str(element.value)], value, where)
        if element.value == "device-id" and not is_id(str(value)):
            raise MessageError(f"{where}: {value!r} is not of the form [a-z0-9-]")
    elif element.type == "UNION":
        _check_union(element, value, where)
    elif type(value) is not _PYTHON_TYPES[element.type]:
        raise MessageError(f"{where}: {_shown(value)} is no {element.type.lower()}")
    elif isinstance(value, list):
        _check_list(element, value, where)
    elif isinstance(value, dict):
        _check_map(element, value, where)
    else:
        _check_bounds(element, value, where)


def _check_union(element: Element, value: object, where: str) -> None:
    for child in element.children:
        try:
            _check(child, value, where)
        except MessageError:
            continue
        return
    raise MessageError(f"{where}: {_shown(value)} is none of what the protocol allows")


def _check_bounds(element: Element, value: Any, where: str) -> None:
    if element.value is not None and element.value != value:
        raise MessageError(f"{where}: {_shown(value)} should be {element.value!r}")
    if isinstance(value, str | bytes):
        size = len(value.encode("utf-8", "surrogatepass")) if isinstance(value, str) else len(value)
        _check_range(size, element.min_size or 0, element.max_size, f"{where}: its length")
    elif isinstance(value, float):
        if not math.isfinite(value):
            raise MessageError(f"{where}: {value} is not a finite number")
    elif not isinstance(value, bool):
        smallest = 0 if element.type == "UINT" else -_MAX_UINT64 - 1
        _check_range(value, max(smallest, element.min_value or smallest), element.max_value, where)


def _check_range(value: int, smallest: int, largest: int | None, where: str) -> None:
    limit = _MAX_UINT64 if largest is None else largest
    if not smallest <= value <= limit:
        raise MessageError(f"{where}: {value} is not in {smallest}..{limit}")


def _check_list(element: Element, value: list[object], where: str) -> None:
    *single, last = element.children
    repeated = last.max_qty > 1
    smallest = len(single) + last.min_qty
    largest = len(single) + last.max_qty
    if not smallest <= len(value) <= largest:
        expected = f"{smallest}..{largest}" if repeated else str(largest)
        raise MessageError(f"{where}: {len(value)} items instead of {expected}")
    for index, item in enumerate(value):
        child = element.children[min(index, len(single))]
        _check(child, item, f"{where}.{child.label or index}")


def _check_map(element: Element, value: dict[object, object], where: str) -> None:
    keys = [(child.key.value if child.key else None, child) for child in element.children]
    named: dict[object, Element] = {key: child for key, child in keys if key is not None}
    others = [child for key, child in keys if key is None]
    for key, child in named.items():
        if key not in value and child.min_qty:
            raise MessageError(f"{where}: {key} is missing")
    for key, item in value.items():
        if key in named:
            _check(named[key], item, f"{where}.{key}")
        elif others and isinstance(key, str):
            _check_range(len(value), 0, others[0].max_qty, f"{where}: its length")
            _check(others[0], item, f"{where}.{_shown(key)}")
        else:
            raise MessageError(f"{where}: {_shown(key)} is not one of its fields")


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 40 else text[:37] + "..."
