"""How many bytes of a message one frame carries (L3.8): fewer while the line damages frames, more when it is clean.

The board has the same rule in `firmware/lib/jrg_link/jrg_segment.c`.
"""

from __future__ import annotations

from jaragua.wire.definitions import (
    FLIGHT_ON_NOISE,
    FRAME_OVERHEAD_BYTES,
    MAX_PAYLOAD_BYTES,
    MIN_SEGMENT_BYTES,
    SEGMENT_BALANCE_BYTES,
)


class SegmentSize:
    """The size of one direction of a line. It belongs to the line: a new session goes on with it.

    `balance_bytes`: the overhead of full frames that arrived, minus what was sent in vain (L3.8).
    """

    def __init__(self) -> None:
        self.most_bytes = MAX_PAYLOAD_BYTES
        self.balance_bytes = 0

    def flight(self, window: int) -> int:
        """Frames under way at most: what a lost frame takes with it is sent again (L3.9)."""
        return window if self.most_bytes == MAX_PAYLOAD_BYTES else min(window, FLIGHT_ON_NOISE)

    def arrived(self, payload_bytes: int) -> None:
        """A frame that was sent once is acknowledged. One of half the size or less says nothing for a larger size."""
        if 2 * payload_bytes <= self.most_bytes:
            return
        self.balance_bytes += FRAME_OVERHEAD_BYTES
        if self.balance_bytes >= SEGMENT_BALANCE_BYTES:
            self._become(min(2 * self.most_bytes, MAX_PAYLOAD_BYTES))

    def wasted(self, wire_bytes: int) -> None:
        """A loss: this many bytes were under way, overhead included, and are sent again."""
        self.balance_bytes -= wire_bytes
        if self.balance_bytes <= -SEGMENT_BALANCE_BYTES:
            self._become(max(self.most_bytes // 2, MIN_SEGMENT_BYTES))

    def _become(self, most_bytes: int) -> None:
        self.most_bytes = most_bytes
        self.balance_bytes = 0
