"""Reads `messages.cddl`: the part of CDDL (RFC 8610) that the file uses. Pure.

The board's C is made from the same file by zcbor, which is a tool of the build; a test holds the two readings together.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final, Literal

Kind = Literal["UINT", "INT", "FLOAT", "TSTR", "BSTR", "BOOL", "LIST", "MAP", "UNION", "OTHER"]

_PRELUDE: Final[dict[str, Kind]] = {
    "uint": "UINT",
    "int": "INT",
    "float": "FLOAT",
    "tstr": "TSTR",
    "bstr": "BSTR",
    "bool": "BOOL",
}
_TOKEN: Final = re.compile(
    r"""\s*(?:;[^\n]*\s*)*(?:
    (?P<text>"[^"\n]*") | (?P<number>\d+) | (?P<name>[A-Za-z][A-Za-z0-9_-]*) | (?P<sign>=>|\.\.|\.size|[][{}(),:/?*=])
    )""",
    re.VERBOSE,
)
_REST: Final = re.compile(r"\s*(?:;[^\n]*\s*)*")


class CddlError(ValueError):
    """The file uses something that is not read here."""


@dataclass(frozen=True)
class Element:
    """A type, or an entry of a list or map.

    value: of a literal; the name of another rule (OTHER); children (LIST, MAP, UNION). Sizes are bytes. qty: how often
    an entry may stand there. label: of a list's entry; key: of a map's.
    """

    type: Kind
    value: int | str | tuple[Element, ...] | None = None
    min_value: int | None = None
    max_value: int | None = None
    min_size: int | None = None
    max_size: int | None = None
    min_qty: int = 1
    max_qty: int = 1
    label: str | None = None
    key: Element | None = None

    @property
    def children(self) -> tuple[Element, ...]:
        """Elements of a list, a map or a union."""
        assert isinstance(self.value, tuple)
        return self.value


def read(text: str, most_repeats: int) -> dict[str, Element]:
    """Rule name -> type. most_repeats: for an entry that may stand any number of times. Raises: CddlError."""
    return _Reader(list(_tokens(text)), most_repeats).rules()


def _tokens(text: str) -> Iterator[str]:
    at = 0
    while (end := _REST.match(text, at)) and end.end() < len(text):
        found = _TOKEN.match(text, at)
        if found is None:
            raise CddlError(f"line {text.count(chr(10), 0, end.end()) + 1} is not understood")
        at = found.end()
        yield found[found.lastgroup or 0]


def _text(token: str) -> Element:
    """A literal text, from between its quotes."""
    size = len(token[1:-1].encode())
    return Element("TSTR", token[1:-1], min_size=size, max_size=size)


def _between(least: int, most: int) -> Element:
    """A number of a range, with the bytes that it takes as zcbor counts them."""
    size = next(count for count in (1, 2, 4, 8) if most < 256**count)
    return Element("UINT", min_value=least, max_value=most, min_size=0, max_size=size)


class _Reader:
    """Recursive descent over the tokens."""

    def __init__(self, tokens: list[str], most_repeats: int) -> None:
        self._tokens = tokens
        self._at = 0
        self._most_repeats = most_repeats

    def rules(self) -> dict[str, Element]:
        found: dict[str, Element] = {}
        while self._at < len(self._tokens):
            name = self._next()
            self._expect("=")
            found[name] = self._type()
        return found

    def _peek(self, ahead: int = 0) -> str:
        place = self._at + ahead
        return self._tokens[place] if place < len(self._tokens) else ""

    def _next(self) -> str:
        token = self._peek()
        self._at += 1
        return token

    def _takes(self, token: str) -> bool:
        """Whether the next token is that one, which is then read."""
        if self._peek() != token:
            return False
        self._at += 1
        return True

    def _expect(self, token: str) -> None:
        if not self._takes(token):
            raise CddlError(f"{self._peek()!r} stands where {token!r} should")

    def _type(self) -> Element:
        """One type, or several between slashes."""
        choices = [self._single()]
        while self._takes("/"):
            choices.append(self._single())
        return choices[0] if len(choices) == 1 else Element("UNION", tuple(choices))

    def _single(self) -> Element:
        token = self._next()
        if token == "[":
            return Element("LIST", self._entries("]"))
        if token == "{":
            return Element("MAP", self._entries("}"))
        if token.isdigit() and self._takes(".."):
            return _between(int(token), int(self._next()))
        if token.isdigit():
            return Element("UINT", int(token), min_value=int(token), max_value=int(token))
        if token.startswith('"'):
            return _text(token)
        if token in _PRELUDE:
            return self._sized(_PRELUDE[token])
        if re.match(r"[A-Za-z]", token):
            return Element("OTHER", token)
        raise CddlError(f"{token!r} is no type")

    def _sized(self, kind: Kind) -> Element:
        if not self._takes(".size"):
            return Element(kind)
        smallest, largest = self._range()
        if kind == "UINT":
            return Element(kind, max_value=256**largest - 1)
        if kind == "INT":
            return Element(kind, min_value=-(256**largest) // 2, max_value=256**largest // 2 - 1)
        return Element(kind, min_size=smallest, max_size=largest)

    def _range(self) -> tuple[int, int]:
        if not self._takes("("):
            size = int(self._next())
            return size, size
        smallest = int(self._next())
        self._expect("..")
        largest = int(self._next())
        self._expect(")")
        return smallest, largest

    def _entries(self, end: str) -> tuple[Element, ...]:
        entries: list[Element] = []
        while not self._takes(end):
            entries.append(self._entry())
            if self._peek() != end:
                self._expect(",")
        return tuple(entries)

    def _entry(self) -> Element:
        smallest, largest = self._occurrence()
        label, key = None, None
        if self._peek(1) == ":":
            word = self._next()
            self._expect(":")
            label, key = (None, _text(word)) if word.startswith('"') else (word, None)
        element = self._type()
        if self._takes("=>"):
            key, element = element, self._type()
        return replace(element, min_qty=smallest, max_qty=largest, label=label, key=key)

    def _occurrence(self) -> tuple[int, int]:
        """`?`, `*` or `n*m` before an entry."""
        if self._takes("?"):
            return 0, 1
        if self._peek(1) == "*" and self._peek().isdigit():
            smallest = int(self._next())
            self._expect("*")
            return smallest, int(self._next())
        if self._takes("*"):
            return 0, self._most_repeats
        return 1, 1
