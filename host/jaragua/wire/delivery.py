"""Reliable delivery within one session (L3.1 to L3.4): go-back-N in both directions, the same rules as the board's.

Sans I/O: frames to send collect in `outgoing`; time comes in as milliseconds of any steady clock.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from jaragua.wire.counters import LinkCounters
from jaragua.wire.definitions import SEQUENCED, FrameType
from jaragua.wire.frames import Frame
from jaragua.wire.retransmission import RetransmissionTimer

_SEQUENCE = 256
#: L3.4: up to this window every frame is acknowledged at once, above it every second one.
_SMALL_WINDOW = 2


@dataclass(slots=True)
class _Unacknowledged:
    frame_type: int
    payload: bytes
    sent_ms: float
    sent_once: bool = True


class Delivery:
    """Both directions of one session."""

    def __init__(self, session: int, window: int, counters: LinkCounters) -> None:
        self.outgoing: list[Frame] = []
        self.timer = RetransmissionTimer()
        self._session = session
        self._window = window
        self._counters = counters
        self._queue: deque[tuple[int, bytes]] = deque()
        self._sent: deque[_Unacknowledged] = deque()
        self._first_seq = 0
        self._timer_started_ms = 0.0
        self._expected = 0
        self._gap_reported = False
        self._acks_owed = 0

    @property
    def waiting(self) -> int:
        """Sequenced frames not acknowledged yet, sent or not."""
        return len(self._queue) + len(self._sent)

    @property
    def deadline_ms(self) -> float | None:
        """When `poll` has something to do, None if nothing is in flight."""
        return self._timer_started_ms + self.timer.timeout_ms if self._sent else None

    def send(self, frame_type: int, payload: bytes, now_ms: float) -> None:
        """Queues a sequenced frame; it goes out as soon as the window has room (L3.1)."""
        self._queue.append((frame_type, payload))
        self._fill_window(now_ms)

    def receive(self, frame: Frame, now_ms: float) -> bool:
        """Takes a frame of this session; True if it is sequenced and next in order, so its payload counts (L3.2)."""
        self._acknowledged(frame.ack, now_ms)
        if frame.type == FrameType.NAK:
            self._send_again(now_ms)
        taken = frame.type in SEQUENCED and self._take(frame.seq)
        self._fill_window(now_ms)
        return taken

    def damaged(self) -> None:
        """A frame came that could not be read: whatever it was, ask again from the expected number on (L3.2)."""
        self._report_gap()

    def probe(self) -> None:
        """Sends an ACK that nobody asked for: a board without this session answers it with RESET (L2.3)."""
        self._emit(FrameType.ACK)

    def finish(self) -> None:
        """Nothing else is to be sent now: an acknowledgement that is still owed goes out (L3.4)."""
        if self._acks_owed:
            self._emit(FrameType.ACK)

    def poll(self, now_ms: float) -> bool:
        """Runs the retransmission timer; False if the link is lost (L3.3)."""
        deadline_ms = self.deadline_ms
        if deadline_ms is not None and now_ms >= deadline_ms:
            self.timer.timed_out()
            if self.timer.is_lost:
                return False
            self._send_again(now_ms)
        return True

    def _fill_window(self, now_ms: float) -> None:
        while self._queue and len(self._sent) < self._window:
            frame_type, payload = self._queue.popleft()
            if not self._sent:
                self._timer_started_ms = now_ms
            self._emit(frame_type, payload, self._first_seq + len(self._sent))
            self._sent.append(_Unacknowledged(frame_type, payload, now_ms))

    def _acknowledged(self, ack: int, now_ms: float) -> None:
        count = (ack - self._first_seq) % _SEQUENCE
        if not 0 < count <= len(self._sent):
            return
        for _ in range(count):
            newest = self._sent.popleft()
        if newest.sent_once:
            self.timer.measured(now_ms - newest.sent_ms)
            self._counters.rtt_ms = self.timer.smoothed_rtt_ms
        self.timer.progressed()
        self._first_seq = ack
        self._timer_started_ms = now_ms

    def _send_again(self, now_ms: float) -> None:
        for index, frame in enumerate(self._sent):
            frame.sent_once = False
            self._emit(frame.frame_type, frame.payload, self._first_seq + index)
        self._counters.retransmits += len(self._sent)
        self._timer_started_ms = now_ms

    def _take(self, seq: int) -> bool:
        ahead = (seq - self._expected) % _SEQUENCE
        if ahead == 0:
            self._expected = (self._expected + 1) % _SEQUENCE
            self._gap_reported = False
            self._owe_acknowledgement()
            return True
        if ahead < _SEQUENCE // 2:
            self._report_gap()
        else:
            self._counters.duplicates += 1
            self._emit(FrameType.ACK)
        return False

    def _owe_acknowledgement(self) -> None:
        self._acks_owed += 1
        if self._acks_owed >= 2 or self._window <= _SMALL_WINDOW:
            self._emit(FrameType.ACK)

    def _report_gap(self) -> None:
        if not self._gap_reported:
            self._gap_reported = True
            self._counters.naks += 1
            self._emit(FrameType.NAK)

    def _emit(self, frame_type: int, payload: bytes = b"", seq: int = 0) -> None:
        """Every frame carries the acknowledgement, so nothing is owed after it."""
        self._acks_owed = 0
        self.outgoing.append(Frame(frame_type, payload, seq % _SEQUENCE, self._expected, self._session))
