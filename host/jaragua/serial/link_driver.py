"""Runs the sans-I/O link over an open port: reads, writes, keeps the time, lets requests wait for what they need."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable
from typing import Final, TypeAlias

from jaragua.errors import PortError
from jaragua.serial.transport import Transport
from jaragua.token_bucket import TokenBucket
from jaragua.wire.definitions import MAX_WINDOW, FrameType
from jaragua.wire.link.counters import LinkCounters
from jaragua.wire.link.link import Link, LinkEvent, LinkPhase

#: Enough to refill a window at once; what is queued beyond that would only be dropped with a lost session.
_MOST_WAITING: Final = 2 * MAX_WINDOW
#: L5.6: what one port may send a second, and in one burst, before the others have their turn. USB boards send less.
_FAIR_BYTES_PER_S: Final = 256 * 1024
_FAIR_BURST_BYTES: Final = 1024 * 1024
#: L5.7: so many bytes without one frame among them are no board's.
BABBLE_BYTES: Final = 64 * 1024


#: Called with the bytes of a port; true: they go to the board.
OnBytes: TypeAlias = Callable[[bytes, bool], None]


class LinkInterrupted(Exception):
    """The session ended while something waited for it. Not an error of the user: `Board` resumes by itself."""


class LinkDriver:
    """A link on a transport.

    `on_event` is called with every event of the link (`wire.link.link.LinkEvent`), from the event loop. `babbles`
    makes the error with which a port ends that sends no frames (L5.7); None: it is listened to for ever. `on_bytes` is
    called with what comes and goes.
    """

    def __init__(
        self,
        transport: Transport,
        on_event: Callable[[LinkEvent], None],
        babbles: Callable[[int], BaseException] | None = None,
        on_bytes: OnBytes | None = None,
    ) -> None:
        self._transport = transport
        self._on_event = on_event
        self._babbles = babbles
        self._on_bytes = on_bytes
        self._share = TokenBucket(_FAIR_BYTES_PER_S, _FAIR_BURST_BYTES)
        self._link = Link(nonce=secrets.randbits(16))
        self._changed = asyncio.Event()
        self._timer: asyncio.TimerHandle | None = None
        self._reader: asyncio.Task[None] | None = None
        self._failure: BaseException | None = None

    @property
    def counters(self) -> LinkCounters:
        """The host's side (L3.5)."""
        return self._link.counters

    @property
    def phase(self) -> LinkPhase:
        """Where the session stands."""
        return self._link.phase

    @property
    def segment_bytes(self) -> int:
        """How many bytes of a message a frame of this side carries now (L3.8)."""
        return self._link.size.most_bytes

    @property
    def session(self) -> int:
        """The number of the last session that was opened."""
        return self._link.session

    def start(self) -> None:
        """Begins to read; says nothing yet."""
        self._reader = asyncio.create_task(self._read_forever())
        self._reader.add_done_callback(self._reader_done)

    def connect(self) -> None:
        """Says HELLO (L2.1)."""
        self._link.connect(self._now_ms())
        self._dispatch([])

    async def wait_open(self) -> None:
        """Returns when there is a session. LinkInterrupted if nobody answered HELLO, PortError if the port is gone."""
        await self.until(lambda: self.phase in (LinkPhase.OPEN, LinkPhase.LOST))
        if self.phase is LinkPhase.LOST:
            raise LinkInterrupted

    async def send(self, frame_type: FrameType, payload: bytes) -> None:
        """Queues a sequenced frame, waiting for room. LinkInterrupted if the session ends meanwhile."""
        session = self._link.counters.sessions

        def ended() -> bool:
            return self.phase is not LinkPhase.OPEN or self._link.counters.sessions != session

        await self.until(lambda: ended() or self._link.waiting < _MOST_WAITING)
        if ended():
            raise LinkInterrupted
        self._link.send(frame_type, payload, self._now_ms())
        self._dispatch([])

    async def close(self) -> None:
        """Stops reading and closes the port, also if it is cancelled meanwhile."""
        if self._timer is not None:
            self._timer.cancel()
        try:
            if self._reader is not None:
                self._reader.cancel()
                await asyncio.wait([self._reader])
        finally:
            await self._transport.close()

    async def until(self, condition: Callable[[], bool]) -> None:
        """Waits until `condition` holds, tried after everything the link does. PortError if the port went away."""
        while self._failure is None and not condition():
            await self._changed.wait()
        if self._failure is not None:
            raise self._failure

    def _now_ms(self) -> float:
        return asyncio.get_running_loop().time() * 1000

    async def _read_forever(self) -> None:
        in_vain_bytes = 0
        while data := await self._transport.read():
            frames = self.counters.frames_in
            if self._on_bytes is not None:
                self._on_bytes(data, False)
            self._dispatch(self._link.receive(data, self._now_ms()))
            in_vain_bytes = 0 if self.counters.frames_in != frames else in_vain_bytes + len(data)
            if self._babbles is not None and in_vain_bytes >= BABBLE_BYTES:
                raise self._babbles(in_vain_bytes)
            # Also with a wait of 0: a port that always has bytes would let nothing else run.
            await asyncio.sleep(self._share.overdraw(self._now_ms() / 1000, len(data)))
        raise PortError(f"port {self._transport.url} went away", "Check the cable and the board, then start again.")

    def _reader_done(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled():
            self._fail(task.exception())

    def _fail(self, failure: BaseException | None) -> None:
        self._failure = failure
        self._notify()

    def _poll(self) -> None:
        self._timer = None
        self._dispatch(self._link.poll(self._now_ms()))

    def _dispatch(self, events: list[LinkEvent]) -> None:
        """After anything the link did. Its output first: the board need not wait for what we make of the events."""
        self._write_output()
        self._set_timer()
        for event in events:
            self._on_event(event)
        self._notify()

    def _write_output(self) -> None:
        output = self._link.take_output()
        if output:
            self._transport.write(output)
            if self._on_bytes is not None:
                self._on_bytes(output, True)

    def _set_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        poll_ms = self._link.next_poll_ms()
        if poll_ms is not None:
            self._timer = asyncio.get_running_loop().call_at(poll_ms / 1000, self._poll)

    def _notify(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()
