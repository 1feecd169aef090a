"""Watches one port: says HELLO if nobody does, asks once who the board is, hands on everything it says.

A port that goes away (a board that is reset enumerates anew, a socket is closed) is opened again when it is back. While
a gateway has the port, its tap is watched instead (docs/reference/monitor.md, T6 to T10).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final

from jaragua.errors import BoardError, PortError
from jaragua.node.program import until_first_ends
from jaragua.serial import failures, lines
from jaragua.serial.lines import Line
from jaragua.serial.link_driver import LinkDriver, LinkInterrupted, OnBytes
from jaragua.serial.tap.client import TapConnection, attach
from jaragua.serial.tap.names import is_served, socket_paths
from jaragua.serial.transport import DEFAULT_BAUD, PortNameError, Transport, open_transport
from jaragua.wire import messages
from jaragua.wire.definitions import FrameType, protocol_problem
from jaragua.wire.link import link
from jaragua.wire.link.counters import LinkCounters
from jaragua.wire.messages import Request

#: How long to listen before HELLO: a board that was just reset prints its line first.
_LISTEN_S: Final = 0.3
#: A board answers HELLO in milliseconds; whoever has waited this long wants to know why nothing is shown.
_SILENCE_S: Final = 3.0
#: Between two tries to open a port that has gone; longer each time that it opens and nothing comes of it.
_AGAIN_FIRST_S: Final = 0.25
_AGAIN_CEILING_S: Final = 5.0
#: How often is looked for a gateway that wants the port.
_GATEWAY_S: Final = 0.5


class Notice(Enum):
    """What happens to the port itself."""

    WAITING = auto()
    """It is not there at the start, and is waited for."""
    LISTENING = auto()
    ATTACHED = auto()
    """A gateway has it; the gateway's tap is watched."""
    SILENT = auto()
    """Nobody has answered HELLO for three seconds."""
    GONE = auto()
    """It went away, and is waited for."""
    BACK = auto()
    LET_GO = auto()
    """The gateway has ended."""


def _ignore_bytes(data: bytes, out: bool) -> None:
    """For who does not want the bytes."""


@dataclass(frozen=True)
class Watching:
    """How a port is watched."""

    baud: int = DEFAULT_BAUD
    wait: bool = False
    """A port that is not there at the start is waited for."""
    silent: bool = False
    """Nothing is said: not even HELLO. For other firmware."""
    wants_bytes: bool = False
    """The bytes of a gateway's port are asked for."""
    requests: tuple[Request, ...] = ()
    """Are sent at the beginning of each session."""


class Monitor:
    """`on_notice` is called with what happens to the port, `on_line` with every line, `on_bytes` with the bytes."""

    def __init__(
        self,
        url: str,
        on_notice: Callable[[Notice], None],
        on_line: Callable[[Line], None],
        how: Watching = Watching(),
        on_bytes: OnBytes = _ignore_bytes,
    ) -> None:
        self.url = url
        self.how = how
        self._on_notice = on_notice
        self._on_line = on_line
        self._on_bytes = on_bytes
        self._again_s = _AGAIN_FIRST_S
        self._driver: LinkDriver | None = None
        self._last_id = 0
        self.counters = LinkCounters()
        """Sums over all times that the port was open."""

    async def run(self) -> None:
        """Watches until it is cancelled. PortError if the port is missing at the start; BoardVersionError (L2.4)."""
        source = await self._open_first()
        while True:
            if isinstance(source, TapConnection):
                self._on_notice(Notice.ATTACHED)
                await self._watch_tap(source)
                self._on_notice(Notice.LET_GO)
            else:
                self._on_notice(Notice.LISTENING)
                await self.watch(source)
                self._on_notice(Notice.GONE)
            source = await self._open_again()
            self._on_notice(Notice.BACK)

    async def send(self, request: Request) -> None:
        """Sends a request; its answer is a line. BoardError if no session is open, or a gateway has the port."""
        if self._driver is None or self._driver.phase is not link.LinkPhase.OPEN:
            raise BoardError(f"{self.url}: no session is open with a board", "A gateway's board takes no requests.")
        try:
            await self._driver.send(FrameType.MSG, messages.encode(request))
        except LinkInterrupted:
            raise BoardError(f"{self.url}: the session ended before the request was sent") from None
        self._on_line(lines.of_request(request))

    def next_id(self) -> int:
        """A number for the next request."""
        self._last_id = self._last_id % 0xFFFF + 1
        return self._last_id

    async def _open_first(self) -> Transport | TapConnection:
        try:
            return await self._open()
        except PortNameError:
            raise
        except PortError:
            if not self.how.wait:
                raise
        self._on_notice(Notice.WAITING)
        return await self._open_again()

    async def _open(self) -> Transport | TapConnection:
        tap = await attach(self.url, wants_bytes=self.how.wants_bytes)
        return tap or await open_transport(self.url, self.how.baud)

    async def _open_again(self) -> Transport | TapConnection:
        while True:
            await asyncio.sleep(self._again_s)
            try:
                return await self._open()
            except PortError:
                continue

    async def _watch_tap(self, tap: TapConnection) -> None:
        """Returns when the gateway lets go."""
        self._again_s = _AGAIN_FIRST_S
        try:
            self._on_line(Line("hello", _words_of(tap), tap.hello))
            async for line in tap.lines():
                if line.kind == "bytes":
                    self._take_bytes(line)
                else:
                    self._on_line(line)
        finally:
            await tap.close()

    def _take_bytes(self, line: Line) -> None:
        try:
            self._on_bytes(bytes.fromhex(line.fields["hex"]), bool(line.fields["out"]))
        except (KeyError, TypeError, ValueError):
            self._on_line(Line("malformed", "bytes of the gateway cannot be read", line.fields))

    async def watch(self, transport: Transport) -> None:
        """Returns when the port has gone away."""
        if self.how.silent:
            await self._listen_only(transport)
            return
        driver = self._driver = LinkDriver(transport, self._receive, on_bytes=self._on_bytes)
        try:
            driver.start()
            await until_first_ends(self._watch_sessions(driver), self._gateway_comes())
        except PortError:
            heard = driver.counters.frames_in > 0
            self._again_s = _AGAIN_FIRST_S if heard else min(2 * self._again_s, _AGAIN_CEILING_S)
        finally:
            self._driver = None
            await driver.close()
            self.counters = self.counters.plus(driver.counters)

    async def _watch_sessions(self, driver: LinkDriver) -> None:
        await asyncio.sleep(_LISTEN_S)
        while True:
            await self._watch_session(driver)

    async def _gateway_comes(self) -> None:
        """Returns when a gateway listens for monitors of this port: it is to have the port."""
        while True:
            for path in socket_paths(self.url):
                if await is_served(path):
                    return
            await asyncio.sleep(_GATEWAY_S)

    async def _listen_only(self, transport: Transport) -> None:
        try:
            while data := await transport.read():
                self._again_s = _AGAIN_FIRST_S
                self._on_bytes(data, False)
        finally:
            await transport.close()

    async def _watch_session(self, driver: LinkDriver) -> None:
        """One session: identify at its beginning, then only listen."""
        if driver.phase in (link.LinkPhase.IDLE, link.LinkPhase.LOST):
            driver.connect()
        try:
            await self._wait_open(driver)
            session = driver.counters.sessions
            await driver.send(FrameType.MSG, messages.encode(messages.Identify(self.next_id())))
            for request in self.how.requests:
                await driver.send(FrameType.MSG, messages.encode(request))
                self._on_line(lines.of_request(request))
        except LinkInterrupted:
            return
        await driver.until(lambda: driver.phase is not link.LinkPhase.OPEN or driver.counters.sessions != session)

    async def _wait_open(self, driver: LinkDriver) -> None:
        timer = asyncio.get_running_loop().call_later(_SILENCE_S, self._on_notice, Notice.SILENT)
        try:
            await driver.wait_open()
        finally:
            timer.cancel()

    def _receive(self, event: link.LinkEvent) -> None:
        self._on_line(lines.of_event(event))
        if isinstance(event, link.SessionOpened):
            problem = protocol_problem(event.hello.major, event.hello.minor)
            if problem:
                raise failures.version_error(self.url, problem)


def _words_of(tap: TapConnection) -> str:
    hello = tap.hello
    return f"gateway {hello.get('node')} of fleet {hello.get('fleet')} (process {hello.get('process')})"
