"""Timestamps of lines (T4). Pure: times are given."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum


class Timestamp(StrEnum):
    """How a line's time is written."""

    CLOCK = "24hour"
    START = "start"
    DELTA = "delta"
    ISO = "iso8601"
    NONE = "none"


@dataclass
class Stamps:
    """Writes times, in seconds of Unix time. `started_s`: when the monitor began, or the capture."""

    kind: Timestamp
    started_s: float
    _last_s: dict[str, float] = field(default_factory=dict)

    def text(self, time_s: float, port: str = "") -> str:
        """The time with a space behind it, "" for none."""
        before_s, self._last_s[port] = self._last_s.get(port, time_s), time_s
        match self.kind:
            case Timestamp.CLOCK:
                return f"{datetime.fromtimestamp(time_s):%H:%M:%S}.{_milliseconds(time_s):03d} "
            case Timestamp.START:
                return f"{time_s - self.started_s:10.3f} "
            case Timestamp.DELTA:
                return f"{time_s - before_s:+10.3f} "
            case Timestamp.ISO:
                return f"{datetime.fromtimestamp(time_s).astimezone().isoformat(timespec='milliseconds')} "
            case Timestamp.NONE:
                return ""


def _milliseconds(time_s: float) -> int:
    return datetime.fromtimestamp(time_s).microsecond // 1000
