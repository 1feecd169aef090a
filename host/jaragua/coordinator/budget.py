"""How much of something is done at most. Pure: the clock is passed in."""

from __future__ import annotations

import time
from collections.abc import Callable


class Budget:
    """So many a second, and so many at once after a quiet time; for all peers together."""

    def __init__(self, a_second: float, at_once: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._a_second = a_second
        self._at_once = at_once
        self._clock = clock
        self._left = at_once
        self._last = clock()

    def spend(self) -> bool:
        """Whether there is one left, and take it."""
        now = self._clock()
        self._left = min(self._at_once, self._left + (now - self._last) * self._a_second)
        self._last = now
        if self._left < 1:
            return False
        self._left -= 1
        return True
