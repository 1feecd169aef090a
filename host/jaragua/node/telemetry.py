"""Telemetry of a device, at most once a second: what comes in between is merged, the latest value wins.

What clients of its Thing Description read of the same figures is told beside it.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass

from jaragua.node.public_reports import PublicReports
from jaragua.node.training.trainer import Progress
from jaragua.wire.messages import Telemetry

PERIOD_SECONDS = 1.0


class TelemetryThrottle:
    """Calls `publish` at once for the first offer, then once a period while offers come."""

    def __init__(self, publish: Callable[[Telemetry], None], period_seconds: float = PERIOD_SECONDS) -> None:
        self._publish = publish
        self._period_seconds = period_seconds
        self._health: dict[str, int] | None = None
        self._progress: dict[str, int | float] | None = None
        self._rejected: int | None = None
        self._timer: asyncio.TimerHandle | None = None

    def health(self, counters: dict[str, int]) -> None:
        """Counters of the link and the board (L4.8)."""
        self._health = counters
        self._offer()

    def progress(self, progress: Progress) -> None:
        """How far the job is."""
        self._progress = {
            "done": progress.done,
            "samples": progress.samples,
            "correct": progress.correct,
            "loss": progress.loss,
        }
        self._offer()

    def rejected(self, count: int) -> None:
        """How many messages were rejected since the start (P2)."""
        self._rejected = count
        self._offer()

    def close(self) -> None:
        """Publish nothing more."""
        if self._timer is not None:
            self._timer.cancel()

    def _offer(self) -> None:
        if self._timer is None:
            self._flush()

    def _flush(self) -> None:
        self._timer = None
        health = self._health if self._rejected is None else {**(self._health or {}), "rejected": self._rejected}
        if health is None and self._progress is None:
            return
        message = Telemetry(ts=time.time_ns() // 1_000_000, health=health, progress=self._progress)
        self._health = self._progress = self._rejected = None
        self._timer = asyncio.get_running_loop().call_later(self._period_seconds, self._flush)
        self._publish(message)


@dataclass(frozen=True)
class DeviceTelemetry:
    """Where figures of a device go: to the fleet's own programs, and to clients of its Thing Description (M50)."""

    internal: TelemetryThrottle
    public: PublicReports

    def health(self, counters: dict[str, int]) -> None:
        """Counters of the link and the board (L4.8)."""
        self.internal.health(counters)
        self.public.health(counters)

    def progress(self, progress: Progress) -> None:
        """How far the job is."""
        self.internal.progress(progress)
        self.public.progress(progress)

    def rejected(self, count: int) -> None:
        """How many messages the node rejected since its start (P2)."""
        self.internal.rejected(count)

    def close(self) -> None:
        """Publish nothing more."""
        self.internal.close()
        self.public.close()
