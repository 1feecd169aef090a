"""Whether a value matches a rule of `messages.cddl`, without a word on why not: functions made once of each rule.

`schema.check` asks here first, and walks the rule only for a value that does not match, to say what is wrong with it.
What this takes, that takes: `tests/wire/test_messages.py` compares both.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, Final

from jaragua.wire.cbor.cddl import Element
from jaragua.wire.topics import is_id

#: Whether a value matches.
Fits = Callable[[Any], bool]
_MAX_UINT64: Final = 2**64 - 1


def made_of(rules: Mapping[str, Element], element: Element) -> Fits:
    """The function of one rule. rules: those that it may name."""
    if element.type == "OTHER":
        return _named(rules, str(element.value))
    if element.type == "UNION":
        return _union(rules, element)
    if element.type == "LIST":
        return _list(rules, element)
    if element.type == "MAP":
        return _map(rules, element)
    return _plain(element)


def _named(rules: Mapping[str, Element], name: str) -> Fits:
    inner = made_of(rules, rules[name])
    if name == "device-id":
        return lambda value: inner(value) and is_id(value)
    return inner


def _union(rules: Mapping[str, Element], element: Element) -> Fits:
    if all(child.type == "TSTR" and child.value is not None for child in element.children):
        names = frozenset(str(child.value) for child in element.children)
        return lambda value: type(value) is str and value in names
    choices = [made_of(rules, child) for child in element.children]
    return lambda value: any(one(value) for one in choices)


def _plain(element: Element) -> Fits:
    """Numbers, text, bytes and truth: any of a type, or one value (of its type, too, as True is 1)."""
    anything = _any_of(element)
    literal: Any = element.value
    return anything if literal is None else lambda value: anything(value) and value == literal


def _any_of(element: Element) -> Fits:
    """Of a type, within its bounds."""
    if element.type in ("UINT", "INT", "NINT"):
        smallest = 0 if element.type == "UINT" else -_MAX_UINT64 - 1
        least = max(smallest, element.min_value or smallest)
        most = _MAX_UINT64 if element.max_value is None else element.max_value
        return lambda value: type(value) is int and least <= value <= most
    if element.type == "FLOAT":
        return lambda value: type(value) is float and math.isfinite(value)
    if element.type == "BOOL":
        return lambda value: type(value) is bool
    shortest = element.min_size or 0
    longest = _MAX_UINT64 if element.max_size is None else element.max_size
    if element.type == "BSTR":
        return lambda value: type(value) is bytes and shortest <= len(value) <= longest
    return lambda value: type(value) is str and shortest <= _size(value) <= longest


def _size(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))


def _list(rules: Mapping[str, Element], element: Element) -> Fits:
    *single, last = [made_of(rules, child) for child in element.children]
    ends = element.children[-1]
    least, most = len(single) + ends.min_qty, len(single) + ends.max_qty

    def fits(value: Any) -> bool:
        if type(value) is not list or not least <= len(value) <= most:
            return False
        firsts = all(one(item) for one, item in zip(single, value, strict=False))
        return firsts and all(last(item) for item in value[len(single) :])

    return fits


def _map(rules: Mapping[str, Element], element: Element) -> Fits:
    keys = [(child.key.value if child.key else None, child) for child in element.children]
    named = {key: made_of(rules, child) for key, child in keys if key is not None}
    needed = [key for key, child in keys if key is not None and child.min_qty]
    others = [child for key, child in keys if key is None]
    other = made_of(rules, others[0]) if others else None
    most = others[0].max_qty if others else 0

    def fits(value: Any) -> bool:
        if type(value) is not dict:
            return False
        for key in needed:
            if key not in value:
                return False
        for key, item in value.items():
            one = named.get(key)
            if one is None:
                if other is None or type(key) is not str or len(value) > most:
                    return False
                one = other
            if not one(item):
                return False
        return True

    return fits
