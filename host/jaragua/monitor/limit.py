"""How many lines of a board's own words are shown: a bounded rate, the rest is counted (P4)."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

from jaragua.serial.lines import Line
from jaragua.token_bucket import TokenBucket
from jaragua.wire.definitions import LogLevel

LINES_PER_S: Final = 100.0
BURST_LINES: Final = 500
_WORDS: Final = frozenset({"log", "text", "malformed"})


class LineLimit:
    """Shows lines with `show`. `clock` gives seconds and never goes back."""

    def __init__(self, show: Callable[[Line], None], clock: Callable[[], float] = time.monotonic) -> None:
        self._show = show
        self._clock = clock
        self._bucket = TokenBucket(LINES_PER_S, BURST_LINES)
        self._suppressed = 0

    def __call__(self, line: Line) -> None:
        """Shows the line; one of the board's own words perhaps not."""
        if line.kind in _WORDS and not self._bucket.take(self._clock()):
            self._suppressed += 1
            return
        self.say_suppressed()
        self._show(line)

    def say_suppressed(self) -> None:
        """A line for those that were not shown since the last one."""
        if self._suppressed:
            text = f"{self._suppressed} lines suppressed"
            self._show(Line("log", text, {"suppressed": self._suppressed}, LogLevel.WARNING))
            self._suppressed = 0
