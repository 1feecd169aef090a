"""Reliable delivery within one session (L3.1 to L3.9): go-back-N in both directions, the same rules as the board's.

Sans I/O: frames to send collect in `outgoing`; time comes in as milliseconds of any steady clock.

A *position* is a place in what is sent: message number times 256, plus the offset in that message (L3.7). Positions
are kept relative to the oldest message that is not acknowledged.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, replace

from jaragua.wire.definitions import FLIGHT_ON_NOISE, FRAME_OVERHEAD_BYTES, SEQUENCED, FrameType
from jaragua.wire.link.counters import LinkCounters
from jaragua.wire.link.frames import Frame
from jaragua.wire.link.retransmission import RetransmissionTimer
from jaragua.wire.link.segments import SegmentSize

_SEQUENCE = 256
_MESSAGE = 256
#: L3.4: up to this window every frame is acknowledged at once, above it every second one.
_SMALL_WINDOW = 2


@dataclass(slots=True)
class _UnderWay:
    """A frame that was sent and is not acknowledged; `end` is the position behind it."""

    end: int
    payload_bytes: int
    sent_ms: float
    sent_once: bool


@dataclass(slots=True)
class _Partial:
    """The segments of the message expected next (L3.7), from its first byte on."""

    frame_type: int = 0
    total: int = 0
    payload: bytes = b""


class Delivery:
    """Both directions of one session. `size`: of the segments, kept from session to session."""

    def __init__(self, session: int, window: int, counters: LinkCounters, size: SegmentSize | None = None) -> None:
        self.outgoing: list[Frame] = []
        self.timer = RetransmissionTimer()
        self.size = size or SegmentSize()
        self._session = session
        self._window = window
        self._counters = counters
        self._messages: deque[tuple[int, bytes]] = deque()
        self._under_way: deque[_UnderWay] = deque()
        self._first_seq = 0
        self._acked = self._next = self._highest = 0
        self._timer_started_ms = 0.0
        self._expected = 0
        self._partial = _Partial()
        self._naked_ago = 0
        self._segmented = False
        self._acks_owed = 0

    @property
    def waiting(self) -> int:
        """Messages not acknowledged yet, sent or not."""
        return len(self._messages)

    @property
    def deadline_ms(self) -> float | None:
        """When `poll` has something to do, None if nothing is in flight."""
        return self._timer_started_ms + self.timer.timeout_ms if self._under_way else None

    def send(self, frame_type: int, payload: bytes, now_ms: float) -> None:
        """Queues a sequenced message; it goes out as soon as the window has room (L3.1)."""
        self._messages.append((frame_type, payload))
        self._fill_window(now_ms)

    def receive(self, frame: Frame, now_ms: float) -> bytes | None:
        """Takes a frame of this session; the message that it completes, None for any other frame (L3.2, L3.7)."""
        self._acknowledged(frame.ack, frame.ack_offset, now_ms)
        if frame.type in (FrameType.ACK, FrameType.NAK):
            self.timer.answered()
        if frame.type == FrameType.NAK:
            self.timer.progressed()
            self._note_loss()
            self._go_back(now_ms)
        taken = self._take(frame) if frame.type in SEQUENCED else None
        self._fill_window(now_ms)
        return taken

    def damaged(self) -> None:
        """A frame came that could not be read: whatever it was, ask again from the expected number on (L3.2)."""
        self._report_gap()

    def probe(self) -> None:
        """Sends an ACK that nobody asked for: a board without this session answers it with RESET (L2.3)."""
        self._emit(Frame(FrameType.ACK))

    def finish(self) -> None:
        """Nothing else is to be sent now: an acknowledgement that is still owed goes out (L3.4)."""
        if self._acks_owed:
            self._emit(Frame(FrameType.ACK))

    def poll(self, now_ms: float) -> bool:
        """Runs the retransmission timer; False if the link is lost (L3.3)."""
        deadline_ms = self.deadline_ms
        if deadline_ms is not None and now_ms >= deadline_ms:
            self.timer.timed_out()
            if self.timer.is_lost:
                return False
            self._go_back(now_ms)
            self._fill_window(now_ms)
        return True

    # ---- out --------------------------------------------------------------------------------------------------------

    def _fill_window(self, now_ms: float) -> None:
        while self._next < len(self._messages) * _MESSAGE and len(self._under_way) < self.size.flight(self._window):
            self._send_segment(now_ms)

    def _send_segment(self, now_ms: float) -> None:
        """The next bytes of the message at `_next`."""
        index, offset = divmod(self._next, _MESSAGE)
        frame_type, payload = self._messages[index]
        part = payload[offset : offset + self.size.most_bytes]
        rest = len(payload) - offset - len(part)
        again = self._next < self._highest
        self._next = self._next + len(part) if rest else (index + 1) * _MESSAGE
        self._highest = max(self._highest, self._next)
        self._counters.retransmits += again
        if not self._under_way:
            self._timer_started_ms = now_ms
        self._under_way.append(_UnderWay(self._next, len(part), now_ms, not again))
        seq = (self._first_seq + index) % _SEQUENCE
        self._emit(Frame(frame_type, part, seq=seq, offset=offset, rest=rest))

    def _acknowledged(self, ack: int, ack_offset: int, now_ms: float) -> None:
        messages = (ack - self._first_seq) % _SEQUENCE
        position = messages * _MESSAGE + ack_offset
        if not self._acked < position <= self._highest or not self._is_within(messages, ack_offset):
            return
        self._arrived(position, now_ms)
        self._acked, self._next = position, max(self._next, position)
        self._forget(messages)
        self._first_seq = ack
        self._timer_started_ms = now_ms

    def _is_within(self, messages: int, offset: int) -> bool:
        return offset == 0 or (messages < len(self._messages) and offset < len(self._messages[messages][1]))

    def _arrived(self, position: int, now_ms: float) -> None:
        newest: _UnderWay | None = None
        while self._under_way and self._under_way[0].end <= position:
            newest = self._under_way.popleft()
            self._counters.delivered += 1
            if newest.sent_once:
                self.size.arrived(newest.payload_bytes)
        if newest is not None and newest.sent_once:
            self.timer.measured(now_ms - newest.sent_ms)
            self._counters.rtt_ms = self.timer.smoothed_rtt_ms
        self.timer.progressed()

    def _forget(self, messages: int) -> None:
        """Positions count from the oldest message that is not acknowledged."""
        for _ in range(messages):
            self._messages.popleft()
        gone = messages * _MESSAGE
        self._acked, self._next, self._highest = self._acked - gone, self._next - gone, self._highest - gone
        for frame in self._under_way:
            frame.end -= gone

    def _note_loss(self) -> None:
        """L3.8. A timeout is no loss: under load a board that is only slow makes many of them."""
        if self._under_way:
            self.size.wasted(sum(frame.payload_bytes + FRAME_OVERHEAD_BYTES for frame in self._under_way))

    def _go_back(self, now_ms: float) -> None:
        """Everything from the oldest byte on that is not acknowledged goes out again, in segments of today's size."""
        self._under_way.clear()
        self._next = self._acked
        self._timer_started_ms = now_ms

    # ---- in ---------------------------------------------------------------------------------------------------------

    def _take(self, frame: Frame) -> bytes | None:
        self._segmented = len(frame.payload) < frame.total
        ahead = (frame.seq - self._expected) % _SEQUENCE
        if ahead == 0:
            return self._take_segment(frame)
        if ahead < _SEQUENCE // 2:
            self._report_gap()
        else:
            self._repeat_acknowledgement()
        return None

    def _take_segment(self, frame: Frame) -> bytes | None:
        partial, end = self._partial, frame.offset + len(frame.payload)
        if partial.payload and (frame.type, frame.total) != (partial.frame_type, partial.total):
            self._counters.bad_frames += 1
        elif frame.offset > len(partial.payload):
            self._report_gap()
        elif end <= len(partial.payload) and frame.total > 0:
            self._repeat_acknowledgement()
        else:
            payload = partial.payload[: frame.offset] + frame.payload
            self._partial = _Partial(frame.type, frame.total, payload)
            return self._count_taken(payload, complete=not frame.rest)
        return None

    def _count_taken(self, payload: bytes, *, complete: bool) -> bytes | None:
        self._naked_ago = 0
        if complete:
            self._counters.delivered += 1
            self._partial = _Partial()
            self._expected = (self._expected + 1) % _SEQUENCE
        self._owe_acknowledgement()
        return payload if complete else None

    def _repeat_acknowledgement(self) -> None:
        self._counters.duplicates += 1
        self._emit(Frame(FrameType.ACK))

    def _owe_acknowledgement(self) -> None:
        self._acks_owed += 1
        if self._acks_owed >= 2 or self._window <= _SMALL_WINDOW:
            self._emit(Frame(FrameType.ACK))

    def _report_gap(self) -> None:
        """A NAK for a gap, and another when what was sent again after it must have been lost too (L3.2)."""
        under_way = FLIGHT_ON_NOISE if self._segmented else self._window
        if self._naked_ago == 0 or self._naked_ago >= under_way:
            self._naked_ago = 0
            self._counters.naks += 1
            self._emit(Frame(FrameType.NAK))
        self._naked_ago += 1

    def _emit(self, frame: Frame) -> None:
        """Every frame carries the acknowledgement, so nothing is owed after it."""
        self._acks_owed = 0
        have = len(self._partial.payload)
        self.outgoing.append(replace(frame, ack=self._expected, ack_offset=have, session=self._session))
