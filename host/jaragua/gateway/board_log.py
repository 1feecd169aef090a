"""What a board says, in the log: at a bounded rate, the rest is counted (P4)."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Final

from jaragua.token_bucket import TokenBucket
from jaragua.wire.definitions import LogLevel
from jaragua.wire.rejections import shown

LOGGER = logging.getLogger(__name__)
LINES_PER_S: Final = 2.0
BURST_LINES: Final = 20


class BoardLog:
    """The lines of one board. `clock` gives seconds and never goes back."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._bucket = TokenBucket(LINES_PER_S, BURST_LINES)
        self._suppressed = 0

    def say(self, name: str, level: int, text: str) -> None:
        """Writes a line of board `name`, or counts it."""
        number = logging.WARNING if level <= LogLevel.WARNING else logging.DEBUG
        if not LOGGER.isEnabledFor(number):
            return
        if not self._bucket.take(self._clock()):
            self._suppressed += 1
            return
        if self._suppressed:
            LOGGER.warning("%s: %d lines suppressed", name, self._suppressed)
            self._suppressed = 0
        LOGGER.log(number, "%s says: %s", name, shown(text))
