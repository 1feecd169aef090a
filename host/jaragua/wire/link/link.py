"""The host's side of the link (L1 to L3), sans I/O: bytes and time in, bytes and events out.

link = Link(nonce=1234)
link.connect(now_ms)                      # says HELLO
write(link.take_output())
events = link.receive(read(), now_ms)     # SessionOpened, Received, Logged, …
link.send(FrameType.MSG, payload, now_ms)
events = link.poll(now_ms)                # whenever link.next_poll_ms() has come
"""

from __future__ import annotations

from enum import Enum, auto
from typing import Final

from jaragua.bases.value import Value
from jaragua.errors import ProtocolError
from jaragua.wire.definitions import (
    HEALTH_PERIOD_MS,
    MAX_WINDOW,
    PROTOCOL_MAJOR,
    PROTOCOL_MINOR,
    FrameType,
    ResetCause,
)
from jaragua.wire.link.counters import LinkCounters
from jaragua.wire.link.delivery import Delivery
from jaragua.wire.link.frames import DELIMITER, BadCrcError, Frame, FrameError, Hello, Splitter, is_text, pack, unpack
from jaragua.wire.link.retransmission import RetransmissionTimer
from jaragua.wire.link.segments import SegmentSize

#: A board in a session says something every HEALTH_PERIOD_MS (L4.8); one that has been silent for longer is probed.
_SILENCE_MS: Final = 1.25 * HEALTH_PERIOD_MS


class LinkPhase(Enum):
    """Where the session stands (L2)."""

    IDLE = auto()
    GREETING = auto()
    OPEN = auto()
    LOST = auto()


class SessionOpened(Value):
    """The board answered HELLO (L2.1)."""

    session: int
    hello: Hello


class SessionEnded(Value):
    """The board does not know the session: it was restarted or gave up. HELLO is said again by itself. L2.3."""

    cause: int


class LinkLost(Value):
    """Nothing was answered for the timeouts of L3.3; `connect` tries again."""


class Received(Value):
    """The payload of a sequenced frame, once and in order."""

    frame_type: int
    payload: bytes


class Logged(Value):
    """LOG (L3.6)."""

    level: int
    text: str


class Announced(Value):
    """EVENT (L3.6): one CBOR message, not checked yet."""

    payload: bytes


class Noise(Value):
    """Text that is no frame, such as the line a board prints when it boots (L1.4)."""

    text: str


LinkEvent = SessionOpened | SessionEnded | LinkLost | Received | Logged | Announced | Noise


class Link:
    """One host's end. `nonce` (16 bits, random) begins the row of nonces of its HELLOs."""

    def __init__(self, nonce: int, window: int = MAX_WINDOW) -> None:
        self.counters = LinkCounters()
        self.phase = LinkPhase.IDLE
        self.session = 0
        self._window = window
        self._nonce = nonce
        self._splitter = Splitter()
        self.size = SegmentSize()
        self._delivery = Delivery(0, window, self.counters, self.size)
        self._greeting = RetransmissionTimer()
        self._greeted_ms = 0.0
        self._connected_ms = 0.0
        self._heard_ms = 0.0
        self._output = bytearray(DELIMITER)
        self._events: list[LinkEvent] = []

    @property
    def waiting(self) -> int:
        """Sequenced frames not acknowledged yet."""
        return self._delivery.waiting

    def connect(self, now_ms: float) -> None:
        """Says HELLO, and again until it is answered (`SessionOpened`) or nobody does (`LinkLost`)."""
        self.phase = LinkPhase.GREETING
        self._delivery = Delivery(0, self._window, self.counters, self.size)
        self._greeting = RetransmissionTimer()
        self._connected_ms = now_ms
        self._output[:] = DELIMITER
        self._greet(now_ms)

    def send(self, frame_type: FrameType, payload: bytes, now_ms: float) -> None:
        """Queues a sequenced frame; it is dropped if the session ends. ProtocolError if there is none."""
        if self.phase is not LinkPhase.OPEN:
            raise ProtocolError("there is no session on the link")
        self._delivery.send(frame_type, payload, now_ms)
        self._flush()

    def receive(self, data: bytes, now_ms: float) -> list[LinkEvent]:
        """Takes bytes as they come from the wire, cut anywhere."""
        self.counters.bytes_in += len(data)
        for piece in self._splitter.feed(data):
            self._receive_piece(piece, now_ms)
        self._delivery.finish()
        return self._take_events()

    def poll(self, now_ms: float) -> list[LinkEvent]:
        """Runs the timers."""
        if self.phase is LinkPhase.GREETING and now_ms >= self._greeted_ms + self._greeting.timeout_ms:
            self._greet_again(now_ms)
        elif self.phase is LinkPhase.OPEN:
            if not self._delivery.poll(now_ms):
                self._lose()
            elif now_ms >= self._heard_ms + _SILENCE_MS:
                self._heard_ms = now_ms
                self._delivery.probe()
        return self._take_events()

    def next_poll_ms(self) -> float | None:
        """When `poll` must be called, None if nothing is under way."""
        if self.phase is LinkPhase.GREETING:
            return self._greeted_ms + self._greeting.timeout_ms
        if self.phase is LinkPhase.OPEN:
            deadline_ms = self._delivery.deadline_ms
            silence_ms = self._heard_ms + _SILENCE_MS
            return silence_ms if deadline_ms is None else min(deadline_ms, silence_ms)
        return None

    def take_output(self) -> bytes:
        """The bytes to write now."""
        self._flush()
        data = bytes(self._output)
        self._output.clear()
        self.counters.bytes_out += len(data)
        return data

    def _greet(self, now_ms: float) -> None:
        """Every HELLO has a nonce of its own, so that only the answer to the last one opens a session."""
        self._nonce = (self._nonce + 1) & 0xFFFF
        self._greeted_ms = now_ms
        hello = Hello(self._nonce, self._window, PROTOCOL_MAJOR, PROTOCOL_MINOR)
        self._write(Frame(FrameType.HELLO, hello.pack()))

    def _greet_again(self, now_ms: float) -> None:
        self._greeting.timed_out()
        if self._greeting.is_lost:
            self._lose()
        else:
            self._greet(now_ms)

    def _lose(self) -> None:
        self.phase = LinkPhase.LOST
        self._delivery = Delivery(0, self._window, self.counters, self.size)
        self._events.append(LinkLost())

    def _receive_piece(self, piece: bytes, now_ms: float) -> None:
        try:
            frame = unpack(piece)
            hello = Hello.unpack(frame.payload) if frame.type == FrameType.HELLO else None
        except FrameError as error:
            self._damaged(piece, error)
            return
        self.counters.frames_in += 1
        self._heard_ms = now_ms
        if hello is not None:
            self._receive_hello(frame.session, hello, now_ms)
        elif self.phase is LinkPhase.OPEN and frame.major == PROTOCOL_MAJOR:
            self._receive_frame(frame, now_ms)

    def _damaged(self, piece: bytes, error: FrameError) -> None:
        if is_text(piece):
            self._events += [Noise(line.strip()) for line in piece.decode("ascii").splitlines() if line.strip()]
        elif isinstance(error, BadCrcError):
            self.counters.bad_crc += 1
        else:
            self.counters.bad_frames += 1
        if self.phase is LinkPhase.OPEN:
            # Also behind text: if that was the line of a board that has just booted, its answer is RESET.
            self._delivery.damaged()

    def _receive_frame(self, frame: Frame, now_ms: float) -> None:
        if frame.type == FrameType.RESET:
            self._receive_reset(frame, now_ms)
        elif frame.session == self.session:
            self._receive_in_session(frame, now_ms)

    def _receive_hello(self, session: int, hello: Hello, now_ms: float) -> None:
        if self.phase is not LinkPhase.GREETING or session == 0:
            return
        if hello.nonce != self._nonce:
            # An answer to an earlier HELLO: the board is slower than the timeout, so it gets the time it needs (L5.1).
            self._greeting.timeout_ms = max(self._greeting.timeout_ms, 2 * (now_ms - self._connected_ms))
            return
        self.phase = LinkPhase.OPEN
        self.session = session
        self.counters.sessions += 1
        window = max(1, min(hello.window, self._window))
        self._delivery = Delivery(session, window, self.counters, self.size)
        if self._greeting.timeouts_in_a_row == 0:
            self._delivery.timer.measured(now_ms - self._greeted_ms)
            self._delivery.timer.progressed()
        self._events.append(SessionOpened(session, hello))

    def _receive_reset(self, frame: Frame, now_ms: float) -> None:
        self._events.append(SessionEnded(frame.payload[0] if frame.payload else ResetCause.UNKNOWN))
        self.connect(now_ms)

    def _receive_in_session(self, frame: Frame, now_ms: float) -> None:
        message = self._delivery.receive(frame, now_ms)
        if message is not None:
            self._events.append(Received(frame.type, message))
        elif frame.type == FrameType.LOG:
            level, text = frame.payload[:1], frame.payload[1:]
            self._events.append(Logged(level[0] if level else 0, text.decode("utf-8", "replace")))
        elif frame.type == FrameType.EVENT:
            self._events.append(Announced(frame.payload))
        elif frame.type not in FrameType.__members__.values():
            self.counters.unknown_frames += 1

    def _flush(self) -> None:
        for frame in self._delivery.outgoing:
            self._write(frame)
        self._delivery.outgoing.clear()

    def _write(self, frame: Frame) -> None:
        self.counters.frames_out += 1
        self._output += pack(frame)

    def _take_events(self) -> list[LinkEvent]:
        self._flush()
        events, self._events = self._events, []
        return events
