"""Watches one port: says HELLO if nobody does, asks once who the board is, hands on everything it says."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

from jaragua.serial import failures
from jaragua.serial.driver import LinkDriver, LinkInterrupted
from jaragua.serial.transport import open_transport
from jaragua.wire import link, messages
from jaragua.wire.definitions import FrameType, protocol_problem

#: How long to listen before HELLO: a board that was just reset prints its line first.
_LISTEN_S: Final = 0.3
#: A board answers HELLO in milliseconds; whoever has waited this long wants to know why nothing is shown.
_SILENCE_S: Final = 3.0


class Monitor:
    """`on_open` is called once the port is open, `on_silence` when nobody has answered HELLO for three seconds,
    `on_event` with every event of the link; all from the event loop."""

    def __init__(
        self,
        url: str,
        baud: int,
        on_open: Callable[[], None],
        on_silence: Callable[[], None],
        on_event: Callable[[link.LinkEvent], None],
    ) -> None:
        self._url = url
        self._baud = baud
        self._on_open = on_open
        self._on_silence = on_silence
        self._on_event = on_event
        self.driver: LinkDriver | None = None

    async def run(self) -> None:
        """Watches until it is cancelled. PortError if the port is missing or goes away; BoardVersionError (L2.4)."""
        self.driver = LinkDriver(await open_transport(self._url, self._baud), self._receive)
        try:
            self.driver.start()
            self._on_open()
            await asyncio.sleep(_LISTEN_S)
            while True:
                await self._watch_session(self.driver)
        finally:
            await self.driver.close()

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
        timer = asyncio.get_running_loop().call_later(_SILENCE_S, self._on_silence)
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
