"""Requests to a board by name: `health-read`, `cancel job=7`; what could be typed next."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import MISSING, fields
from difflib import get_close_matches
from typing import Any, Final, get_args

from jaragua.errors import UsageError
from jaragua.wire import messages
from jaragua.wire.messages import MessageError, Request

_KINDS: Final = {messages.rule_name(kind): kind for kind in get_args(Request)}
_BOOLEANS: Final = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}


def names() -> list[str]:
    """All requests, in the order of the protocol."""
    return list(_KINDS)


def field_names(name: str) -> list[str]:
    """The fields of a request, without its number."""
    return [messages.rule_field(one.name) for one in fields(_KINDS[name]) if one.name != "id"]


def parse(text: str, request_id: int) -> Request:
    """A request as it was typed: its name, then values in their order or `field=value`. Raises: UsageError."""
    name, *words = text.split() or [""]
    if name not in _KINDS:
        near = get_close_matches(name, list(_KINDS), n=1)
        raise UsageError(f"there is no request {name!r}", f"did you mean {near[0]!r}?" if near else _list_of_names())
    values = _values(name, words)
    missing = [
        messages.rule_field(one.name)
        for one in fields(_KINDS[name])
        if one.default is MISSING and one.name != "id" and one.name not in values
    ]
    if missing:
        raise UsageError(f"{name} needs {', '.join(missing)}", f"write {usage(name)}")
    request: Request = _KINDS[name](id=request_id, **values)
    try:
        messages.encode(request)
    except MessageError as error:
        raise UsageError(error.message, f"write {usage(name)}") from error
    return request


def usage(name: str) -> str:
    """How a request is written."""
    words = []
    for one in fields(_KINDS[name]):
        word = f"{messages.rule_field(one.name)}={_type_name(one.type)}"
        if one.name != "id":
            words.append(word if one.default is MISSING else f"[{word}]")
    return " ".join([name, *words])


def completions(text: str) -> list[str]:
    """Whole lines that the text could become."""
    name, space, rest = text.partition(" ")
    if not space:
        return [one for one in _KINDS if one.startswith(name)]
    if name not in _KINDS:
        return []
    *before, last = rest.split(" ")
    given = {word.partition("=")[0] for word in before}
    head = " ".join([name, *before])
    return [f"{head} {one}=" for one in field_names(name) if one not in given and f"{one}=".startswith(last)]


def _values(name: str, words: Sequence[str]) -> dict[str, Any]:
    order = [one for one in fields(_KINDS[name]) if one.name != "id"]
    known = {one.name: one for one in order}
    values: dict[str, Any] = {}
    for place, word in enumerate(words):
        key, equals, value = word.partition("=")
        if not equals and place >= len(order):
            raise UsageError(f"{name} takes {len(order)} values, not {len(words)}", f"write {usage(name)}")
        field = known.get(messages.field_name(key)) if equals else order[place]
        if field is None:
            raise UsageError(f"{name} has no field {key!r}", f"write {usage(name)}")
        if field.name in values:
            raise UsageError(f"{name}: {messages.rule_field(field.name)} is given twice", f"write {usage(name)}")
        values[field.name] = _value(messages.rule_field(field.name), _type_name(field.type), value if equals else word)
    return values


def _value(name: str, kind: str, text: str) -> Any:
    try:
        if kind == "bytes":
            return bytes.fromhex(text)
        return _BOOLEANS[text.lower()] if kind == "bool" else int(text, 0)
    except (ValueError, KeyError):
        wanted = {"bytes": "hexadecimal digits", "bool": "true or false"}.get(kind, "a whole number")
        raise UsageError(f"{name}={text!r} is not {wanted}", "0x… is a number, too") from None


def _type_name(kind: Any) -> str:
    return kind if isinstance(kind, str) else str(kind.__name__)


def _list_of_names() -> str:
    return f"requests are: {', '.join(_KINDS)}"
