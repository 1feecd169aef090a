"""Sets keys in the text of a TOML file and leaves every other byte as it is. Pure."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Mapping
from typing import TypeAlias

from jaragua.errors import ConfigurationError

Value: TypeAlias = str | int | float | list[int] | dict[str, float]

_HEADER = re.compile(r"\s*\[\s*([A-Za-z0-9_-]+)\s*\]\s*(#.*)?$")
_ANY_HEADER = re.compile(r"\s*\[")


def with_values(text: str, sections: Mapping[str, Mapping[str, Value]]) -> str:
    """The text with these values, `sections[section][key]`.

    A key that is there keeps its place and its comment. One that is not there is put behind the section's last key, and
    a section that is not there at the end. Raises: ConfigurationError if the result would not say so: for a value over
    several lines, or a section written as `section.key`.
    """
    lines = text.splitlines(keepends=True)
    newline = "\r\n" if lines and lines[0].endswith("\r\n") else "\n"
    for section, values in sections.items():
        for key, value in values.items():
            lines = _with_value(lines, section, key, value, newline)
    changed = "".join(lines)
    _check(text, changed, sections)
    return changed


def _with_value(lines: list[str], section: str, key: str, value: Value, newline: str) -> list[str]:
    found = _section(lines, section)
    if found is None:
        ended = [*lines[:-1], _ended(lines[-1], newline)] if lines else []
        blank = [newline] if ended and ended[-1].strip() else []
        return [*ended, *blank, f"[{section}]{newline}", f"{key} = {_said(value)}{newline}"]
    first, last = found
    pattern = re.compile(rf"(\s*{re.escape(key)}\s*=\s*)(.*?)(\s*)$")
    for place in range(first, last):
        body = lines[place].rstrip("\r\n")
        if match := pattern.match(body):
            changed = match[1] + _said(value) + _comment(match[2]) + match[3]
            return [*lines[:place], changed + lines[place][len(body) :], *lines[place + 1 :]]
    place = max(
        (at for at in range(first, last) if lines[at].strip() and not lines[at].lstrip().startswith("#")),
        default=first - 1,
    )
    before = [*lines[:place], _ended(lines[place], newline)]
    return [*before, f"{key} = {_said(value)}{newline}", *lines[place + 1 :]]


def _section(lines: list[str], name: str) -> tuple[int, int] | None:
    """The lines of a section, behind its header."""
    for number, line in enumerate(lines):
        header = _HEADER.match(line.lstrip("\ufeff"))
        if header and header[1] == name:
            after = (at for at in range(number + 1, len(lines)) if _ANY_HEADER.match(lines[at]))
            return number + 1, next(after, len(lines))
    return None


def _comment(value: str) -> str:
    """What follows a value on its line: the comment, with the blanks before it."""
    quoted = re.match(r"""("(?:[^"\\]|\\.)*"|'[^']*'|[^#"']*?)(\s*#.*)?$""", value)
    return (quoted[2] or "") if quoted else ""


def _ended(line: str, newline: str) -> str:
    return line if line.endswith("\n") else line + newline


def _said(value: Value) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{name} = {_said(one)}" for name, one in value.items()) + " }"
    return (
        json.dumps(value)
        if isinstance(value, str | list)
        else f"{value:.6g}"
        if isinstance(value, float)
        else str(value)
    )


def _check(text: str, changed: str, sections: Mapping[str, Mapping[str, Value]]) -> None:
    hint = "write the values by hand, or [section] on a line and a key on each line below"
    try:
        before, after = (tomllib.loads(one.lstrip("\ufeff")) for one in (text, changed))
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(f"the values do not fit into the file: {error}", hint) from error
    for section, values in sections.items():
        expected = before.get(section, {}) | {
            key: tomllib.loads(f"v = {_said(one)}")["v"] for key, one in values.items()
        }
        if after.get(section) != expected:
            raise ConfigurationError(f"the values do not fit into [{section}] of the file", hint)
        before[section] = expected
    if before != after:
        raise ConfigurationError("the values do not fit into the file", hint)
