"""Which lines are shown (T2, T3). Pure."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any, Final

from jaragua.errors import UsageError
from jaragua.serial.lines import Line
from jaragua.wire.definitions import LogLevel

#: T2: what is news of a board: what it counts when something goes wrong on the link, and saves (K9).
_NEWS: Final = ("retransmits", "naks", "bad_crc", "duplicates", "saves")
#: T3: shown whatever is chosen.
_ALWAYS: Final = "link"


@dataclass(frozen=True)
class Filter:
    """A line passes if it passes all parts."""

    only: frozenset[str] = frozenset()
    hide: frozenset[str] = frozenset()
    level: LogLevel = LogLevel.DEBUG
    pattern: re.Pattern[str] | None = None

    def passes(self, line: Line) -> bool:
        """Whether a line is shown."""
        if line.kind == _ALWAYS:
            return True
        if (self.only and line.kind not in self.only) or line.kind in self.hide or line.level > self.level:
            return False
        return self.pattern is None or self.pattern.search(line.text) is not None


def filter_of(only: Collection[str], hide: Collection[str], level: str, grep: str) -> Filter:
    """The filter of a command line; kinds may be several in one word, with commas. Raises: UsageError."""
    try:
        pattern = re.compile(grep) if grep else None
    except re.error as error:
        raise UsageError(
            f"--grep {grep!r} is not a regular expression: {error}", "put \\ before special signs"
        ) from None
    return Filter(_kinds(only), _kinds(hide), LogLevel[level.upper()], pattern)


def _kinds(words: Collection[str]) -> frozenset[str]:
    return frozenset(kind.strip() for word in words for kind in word.split(",") if kind.strip())


@dataclass
class HealthChanges:
    """Lets a health line pass at the beginning of a session, and if something has changed for the worse (T2)."""

    _last: dict[str, Any] = field(default_factory=dict)

    def passes(self, line: Line) -> bool:
        """Whether a line is news; every line that is not of health is."""
        if line.kind == "session":
            self._last = {}
        if line.kind != "health":
            return True
        before, self._last = self._last, line.fields
        if not before:
            return True
        now = line.fields
        if any(now.get(name) != before.get(name) for name in _NEWS):
            return True
        return _less(now, before, "stack_free_bytes") or _less(now, before, "uptime_ms")


def _less(now: dict[str, Any], before: dict[str, Any], name: str) -> bool:
    one, other = now.get(name), before.get(name)
    return isinstance(one, int) and isinstance(other, int) and one < other
