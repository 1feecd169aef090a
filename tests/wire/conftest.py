"""The board's end of the link for tests, and a pipe that loses, doubles, damages and reorders bytes."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from jaragua.wire.definitions import (
    MAX_WINDOW,
    PROTOCOL_MAJOR,
    PROTOCOL_MINOR,
    FrameType,
    ResetCause,
)
from jaragua.wire.link.counters import LinkCounters
from jaragua.wire.link.delivery import Delivery
from jaragua.wire.link.frames import DELIMITER, Frame, FrameError, Hello, Splitter, pack, unpack
from jaragua.wire.link.link import Link, LinkEvent
from jaragua.wire.link.noise import Noise
from jaragua.wire.link.segments import SegmentSize


class BoardEnd:
    """What a board does on L1 to L3, written for tests: sessions by HELLO, RESET for frames of another session."""

    def __init__(self, boot_nonce: int = 7, window: int = MAX_WINDOW, minor: int = PROTOCOL_MINOR) -> None:
        self.counters = LinkCounters()
        self.received: list[tuple[int, bytes]] = []
        self.session = 0
        self.cause = ResetCause.POWER_ON
        self.boot_nonce = boot_nonce
        self._window = window
        self._minor = minor
        self.size = SegmentSize()
        self._splitter = Splitter()
        self._output = bytearray()
        self.delivery = Delivery(0, window, self.counters, self.size)

    def reboot(self) -> None:
        self.session = 0
        self.boot_nonce += 1
        self.delivery = Delivery(0, self._window, self.counters, self.size)
        self._output += b"jaragua 0.1.0 test none protocol 1.0\r\n" + DELIMITER

    def say(self, frame_type: int, payload: bytes, session: int | None = None) -> None:
        self._output += pack(Frame(frame_type, payload, session=self.session if session is None else session))

    def send(self, frame_type: int, payload: bytes, now_ms: float) -> None:
        self.delivery.send(frame_type, payload, now_ms)

    def receive(self, data: bytes, now_ms: float) -> None:
        for piece in self._splitter.feed(data):
            try:
                self._receive_frame(unpack(piece), now_ms)
            except FrameError:
                self.counters.bad_crc += 1
                if self.session:
                    self.delivery.damaged()
        if self.session:
            self.delivery.finish()

    def poll(self, now_ms: float) -> None:
        if self.session and not self.delivery.poll(now_ms):
            self.session = 0

    def take_output(self) -> bytes:
        for frame in self.delivery.outgoing:
            self._output += pack(frame)
        self.delivery.outgoing.clear()
        data = bytes(self._output)
        self._output.clear()
        return data

    def _receive_frame(self, frame: Frame, now_ms: float) -> None:
        if frame.type == FrameType.HELLO:
            self._answer_hello(Hello.unpack(frame.payload))
        elif frame.session != self.session or self.session == 0:
            self.say(FrameType.RESET, bytes([self.cause]))
        elif (message := self.delivery.receive(frame, now_ms)) is not None:
            self.received.append((frame.type, message))

    def _answer_hello(self, hello: Hello) -> None:
        self.session = 1 + (self.boot_nonce * 31 + hello.nonce) % 65535
        window = min(self._window, hello.window)
        self.delivery = Delivery(self.session, window, self.counters, self.size)
        self.say(FrameType.HELLO, Hello(hello.nonce, window, PROTOCOL_MAJOR, self._minor).pack())


@dataclass
class Pipe:
    """One direction. Works on whole frames, so that it can double and reorder them; damage hits single bytes."""

    rng: random.Random
    loss: float = 0.0
    double: float = 0.0
    damage: float = 0.0
    reorder: float = 0.0
    delay_ms: float = 5.0
    noise: Noise | None = None
    _due: list[tuple[float, int, bytes]] = field(default_factory=list)
    _count: int = 0

    def put(self, data: bytes, now_ms: float) -> None:
        for piece in data.split(DELIMITER)[:-1]:
            for _ in range(2 if self.rng.random() < self.double else 1):
                if self.rng.random() >= self.loss:
                    self._put_frame(piece + DELIMITER, now_ms)

    def _put_frame(self, piece: bytes, now_ms: float) -> None:
        late_ms = 3 * self.delay_ms if self.rng.random() < self.reorder else 0.0
        if self.rng.random() < self.damage:
            at = self.rng.randrange(len(piece))
            piece = piece[:at] + bytes([piece[at] ^ 1 << self.rng.randrange(8)]) + piece[at + 1 :]
        self._due.append((now_ms + self.delay_ms + late_ms, self._count, piece))
        self._count += 1

    def get(self, now_ms: float) -> bytes:
        ready = sorted(entry for entry in self._due if entry[0] <= now_ms)
        self._due = [entry for entry in self._due if entry[0] > now_ms]
        arrived = b"".join(piece for _, _, piece in ready)
        return arrived if self.noise is None else self.noise.spoil(arrived)


class Wire:
    """A host's Link and a BoardEnd with two pipes between them and a clock that only `run` moves."""

    def __init__(self, to_board: Pipe, to_host: Pipe, board: BoardEnd | None = None, window: int = MAX_WINDOW) -> None:
        self.host = Link(nonce=1000, window=window)
        self.board = board or BoardEnd()
        self.to_board, self.to_host = to_board, to_host
        self.now_ms = 0.0
        self.events: list[LinkEvent] = []
        self.cut = False

    def step(self, step_ms: float = 1.0) -> None:
        self.now_ms += step_ms
        self.events += self.host.receive(self.to_host.get(self.now_ms), self.now_ms)
        self.board.receive(self.to_board.get(self.now_ms), self.now_ms)
        deadline_ms = self.host.next_poll_ms()
        if deadline_ms is not None and self.now_ms >= deadline_ms:
            self.events += self.host.poll(self.now_ms)
        self.board.poll(self.now_ms)
        down, up = self.host.take_output(), self.board.take_output()
        if not self.cut:
            self.to_board.put(down, self.now_ms)
            self.to_host.put(up, self.now_ms)

    def run(self, until: Callable[[], bool], at_most_ms: float = 120_000.0) -> None:
        end_ms = self.now_ms + at_most_ms
        while not until():
            assert self.now_ms < end_ms, "the link did not get there in time"
            self.step()

    def open(self) -> None:
        self.host.connect(self.now_ms)
        self.run(lambda: self.host.session != 0 and self.host.session == self.board.session)

    def of(self, kind: type) -> list[LinkEvent]:
        return [event for event in self.events if isinstance(event, kind)]


@pytest.fixture
def wire() -> Wire:
    """A quiet line."""
    return Wire(Pipe(random.Random(1)), Pipe(random.Random(2)))


@pytest.fixture
def make_wire() -> Callable[..., Wire]:
    """A line of one's own: `make_wire(seed, board=…, window=…)`."""

    def make(seed: int = 1, board: BoardEnd | None = None, window: int = MAX_WINDOW) -> Wire:
        return Wire(Pipe(random.Random(seed)), Pipe(random.Random(seed + 1)), board, window)

    return make


@pytest.fixture
def make_board() -> Callable[..., BoardEnd]:
    return BoardEnd
