"""Watches one port: says HELLO if nobody does, asks once who the board is, hands on everything it says.

A port that goes away (a board that is reset enumerates anew, a socket is closed) is opened again when it is back.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from enum import Enum, auto
from typing import Final

from jaragua.errors import PortError
from jaragua.serial import failures
from jaragua.serial.link_driver import LinkDriver, LinkInterrupted
from jaragua.serial.transport import PortNameError, Transport, open_transport
from jaragua.wire import messages
from jaragua.wire.definitions import FrameType, protocol_problem
from jaragua.wire.link import link
from jaragua.wire.link.counters import LinkCounters

#: How long to listen before HELLO: a board that was just reset prints its line first.
_LISTEN_S: Final = 0.3
#: A board answers HELLO in milliseconds; whoever has waited this long wants to know why nothing is shown.
_SILENCE_S: Final = 3.0
#: Between two tries to open a port that has gone; longer each time that it opens and nothing comes of it.
_AGAIN_FIRST_S: Final = 0.25
_AGAIN_CEILING_S: Final = 5.0


class Notice(Enum):
    """What happens to the port itself."""

    WAITING = auto()
    """It is not there at the start, and is waited for."""
    LISTENING = auto()
    SILENT = auto()
    """Nobody has answered HELLO for three seconds."""
    GONE = auto()
    """It went away, and is waited for."""
    BACK = auto()


class Monitor:
    """`on_notice` is called with what happens to the port, `on_event` with every event of the link; both from the loop.

    wait: a port that is not there at the start is waited for.
    """

    def __init__(
        self,
        url: str,
        baud: int,
        on_notice: Callable[[Notice], None],
        on_event: Callable[[link.LinkEvent], None],
        *,
        wait: bool = False,
    ) -> None:
        self._url = url
        self._baud = baud
        self._on_notice = on_notice
        self._on_event = on_event
        self._wait = wait
        self._again_s = _AGAIN_FIRST_S
        self.counters = LinkCounters()
        """Sums over all times that the port was open."""

    async def run(self) -> None:
        """Watches until it is cancelled. PortError if the port is missing at the start; BoardVersionError (L2.4)."""
        transport = await self._open_first()
        self._on_notice(Notice.LISTENING)
        while True:
            await self._watch_port(transport)
            self._on_notice(Notice.GONE)
            transport = await self._open_again()
            self._on_notice(Notice.BACK)

    async def _open_first(self) -> Transport:
        try:
            return await open_transport(self._url, self._baud)
        except PortNameError:
            raise
        except PortError:
            if not self._wait:
                raise
        self._on_notice(Notice.WAITING)
        return await self._open_again()

    async def _open_again(self) -> Transport:
        while True:
            await asyncio.sleep(self._again_s)
            try:
                return await open_transport(self._url, self._baud)
            except PortError:
                continue

    async def _watch_port(self, transport: Transport) -> None:
        """Returns when the port has gone away."""
        driver = LinkDriver(transport, self._receive)
        try:
            driver.start()
            await asyncio.sleep(_LISTEN_S)
            while True:
                await self._watch_session(driver)
        except PortError:
            heard = driver.counters.frames_in > 0
            self._again_s = _AGAIN_FIRST_S if heard else min(2 * self._again_s, _AGAIN_CEILING_S)
        finally:
            await driver.close()
            self.counters = self.counters.plus(driver.counters)

    async def _watch_session(self, driver: LinkDriver) -> None:
        """One session: identify at its beginning, then only listen."""
        if driver.phase in (link.LinkPhase.IDLE, link.LinkPhase.LOST):
            driver.connect()
        try:
            await self._wait_open(driver)
            session = driver.counters.sessions
            await driver.send(FrameType.MSG, messages.encode(messages.Identify(1)))
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
        self._on_event(event)
        if isinstance(event, link.SessionOpened):
            problem = protocol_problem(event.hello.major, event.hello.minor)
            if problem:
                raise failures.version_error(self._url, problem)
