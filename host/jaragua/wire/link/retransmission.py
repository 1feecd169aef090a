"""The retransmission timer (L3.3), after RFC 6298."""

from __future__ import annotations

from jaragua.wire.definitions import RTO_CEILING_MS, RTO_FIRST_MS, RTO_FLOOR_MS, TIMEOUTS_UNTIL_LOST

_ALPHA = 1 / 8
_BETA = 1 / 4
_VARIANCES = 4


class RetransmissionTimer:
    """Smoothed RTT, timeout and the number of timeouts in a row; it keeps no clock."""

    def __init__(self) -> None:
        self.smoothed_rtt_ms = 0.0
        self.timeouts_in_a_row = 0
        self._variance_ms = 0.0
        self._measured = False
        self.timeout_ms = float(RTO_FIRST_MS)

    @property
    def is_lost(self) -> bool:
        """So many timeouts in a row that the link counts as lost."""
        return self.timeouts_in_a_row >= TIMEOUTS_UNTIL_LOST

    def measured(self, rtt_ms: float) -> None:
        """Takes the round trip of a frame that was sent only once (Karn)."""
        if self._measured:
            self._variance_ms += _BETA * (abs(self.smoothed_rtt_ms - rtt_ms) - self._variance_ms)
            self.smoothed_rtt_ms += _ALPHA * (rtt_ms - self.smoothed_rtt_ms)
        else:
            self.smoothed_rtt_ms, self._variance_ms, self._measured = rtt_ms, rtt_ms / 2, True

    def answered(self) -> None:
        """The other side has answered something: it is there, however little of what was sent has arrived."""
        self.timeouts_in_a_row = 0

    def progressed(self) -> None:
        """Something new was acknowledged: the next timeout is the first in its row."""
        self.timeouts_in_a_row = 0
        timeout_ms = self.smoothed_rtt_ms + _VARIANCES * self._variance_ms if self._measured else RTO_FIRST_MS
        self.timeout_ms = min(max(timeout_ms, RTO_FLOOR_MS), RTO_CEILING_MS)

    def timed_out(self) -> None:
        """Nothing was acknowledged for `timeout_ms`."""
        self.timeouts_in_a_row += 1
        self.timeout_ms = min(2 * self.timeout_ms, RTO_CEILING_MS)
