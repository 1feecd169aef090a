"""What is worth telling now and then: the newest counts, what came in between is skipped."""

from __future__ import annotations

import asyncio
from collections.abc import Callable


class LatestThrottle:
    """Calls `publish` at once for the first offer, then at most once a period, with the newest offer."""

    def __init__(self, publish: Callable[[bytes], None], period_seconds: float) -> None:
        self._publish = publish
        self._period_seconds = period_seconds
        self._waiting: bytes | None = None
        self._timer: asyncio.TimerHandle | None = None

    def offer(self, payload: bytes) -> None:
        """Publish it now, or when the period is over and nothing newer came."""
        if self._timer is None:
            self._send(payload)
        else:
            self._waiting = payload

    def close(self) -> None:
        """Publish nothing more."""
        if self._timer is not None:
            self._timer.cancel()

    def _send(self, payload: bytes) -> None:
        self._timer = asyncio.get_running_loop().call_later(self._period_seconds, self._period_is_over)
        self._publish(payload)

    def _period_is_over(self) -> None:
        self._timer = None
        waiting, self._waiting = self._waiting, None
        if waiting is not None:
            self._send(waiting)
