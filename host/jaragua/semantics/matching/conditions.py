"""The language of conditions: `sensor = accelerometer and ms_per_step < 5` (S5.8). Pure.

condition { "and" condition }, where a condition is a name that stands alone, or a name, a sign and a value. A value
with a space or a sign in it, and a value `and`, stand in quotation marks.
"""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from jaragua.errors import UsageError
from jaragua.semantics.vocabulary import SENSORS

WORDS: Final = ("sensor", "place", "board", "core", "arithmetic", "fleet", "node", "kind", "device")
_NUMBERS: Final = (
    "ram_bytes",
    "flash_bytes",
    "free_ram_bytes",
    "free_flash_bytes",
    "clock_hz",
    "ms_per_step",
    "mj_per_step",
    "link_bytes_per_second",
    "round_s",
    "accuracy",
)
_ALONE: Final = ("trains", "senses")
NAMES: Final = (*WORDS, *_NUMBERS, *_ALONE)
_AND: Final = "and"
_TOKEN: Final = re.compile(r"""\s*(?:(?P<sign><=|>=|!=|==|<|>|=)|(?P<quoted>"[^"]*"|'[^']*')|(?P<word>[^\s<>=!"']+))""")
_RULE: Final = "write conditions like place = kitchen and ms_per_step < 5 (semantics.md, S5.8)"


@dataclass(frozen=True)
class Constraint:
    """One condition; `sign` and `value` are "" for a word that stands alone."""

    name: str
    sign: str = ""
    value: str = ""

    def __str__(self) -> str:
        return f"{self.name} {self.sign} {self.value}".strip()

    @property
    def number(self) -> float:
        """The value of a condition on a number; NaN for one that is none."""
        try:
            found = float(self.value.replace("_", ""))
        except ValueError:
            return math.nan
        return found if math.isfinite(found) else math.nan


@dataclass(frozen=True)
class _Token:
    """A word, a sign or a value in quotation marks. place: of its first character, counted from 1."""

    text: str
    kind: str
    place: int

    @property
    def value(self) -> str:
        return self.text[1:-1] if self.kind == "quoted" else self.text

    @property
    def is_and(self) -> bool:
        return self.kind == "word" and self.text == _AND


def parse(text: str) -> tuple[Constraint, ...]:
    """The conditions of an expression, joined by `and`. Raises UsageError that names the word and its place."""
    tokens = list(_tokens(text))
    if not tokens:
        return ()
    groups: list[list[_Token]] = [[]]
    for token in tokens:
        if token.is_and:
            _require(groups[-1], token)
            groups.append([])
        else:
            groups[-1].append(token)
    _require(groups[-1], tokens[-1])
    return tuple(_condition(group) for group in groups)


def _tokens(text: str) -> Iterator[_Token]:
    place = 0
    while place < len(text.rstrip()):
        match = _TOKEN.match(text, place)
        if match is None:
            start = place + len(text[place:]) - len(text[place:].lstrip())
            raise UsageError(f"the condition at character {start + 1} cannot be read: {text[start:]!r}", _RULE)
        kind = str(match.lastgroup)
        yield _Token(match[kind], kind, match.start(kind) + 1)
        place = match.end()


def _require(group: list[_Token], at: _Token) -> None:
    if not group:
        raise UsageError(f"a condition is missing beside {at.text!r} at character {at.place}", _RULE)


def _condition(group: list[_Token]) -> Constraint:
    name, rest = group[0], group[1:]
    _check_name(name)
    _check_form(name, rest)
    sign, value = rest if rest else (None, None)
    found = Constraint(name.text, sign.text.replace("==", "=") if sign else "", value.value if value else "")
    if sign is not None and value is not None:
        _check_value(found, sign, value)
    return found


def _check_form(name: _Token, rest: list[_Token]) -> None:
    """A name alone, or a name, a sign and a value."""
    if rest and rest[0].kind != "sign":
        wrong = rest[0]
    elif len(rest) > 2:
        wrong = rest[2]
    elif (len(rest) == 0) == (name.text in _ALONE) and len(rest) != 1:
        return
    else:
        text = " ".join([name.text, *(one.text for one in rest)])
        what = "stands alone" if name.text in _ALONE else "takes a sign and a value"
        raise UsageError(f"the condition {text!r} at character {name.place} is not complete: {name.text} {what}", _RULE)
    raise UsageError(
        f"{wrong.text!r} at character {wrong.place} is not expected: `and` joins conditions",
        "put a value with a space into quotation marks; there is no other word than and" if len(rest) > 2 else _RULE,
    )


def _check_name(name: _Token) -> None:
    if name.kind == "word" and name.text in NAMES:
        return
    matches = difflib.get_close_matches(name.text, NAMES, n=1)
    hint = f"did you mean {matches[0]!r}?" if matches else f"there are: {', '.join(NAMES)}"
    raise UsageError(f"there is no condition {name.text!r} (at character {name.place})", hint)


def _check_value(found: Constraint, sign: _Token, value: _Token) -> None:
    if found.name in WORDS and found.sign not in ("=", "!="):
        hint = f"write {found.name} = {found.value}"
        raise UsageError(f"{found.name} takes = or !=, not {found.sign} (at character {sign.place})", hint)
    if found.name == "sensor" and found.value not in SENSORS:
        hint = f"there are: {', '.join(SENSORS)}"
        raise UsageError(f"there is no sensor {found.value!r} (at character {value.place})", hint)
    if found.name in _NUMBERS and math.isnan(found.number):
        raise UsageError(
            f"{found.name} is compared with {found.value!r} (at character {value.place})", "write a number"
        )
