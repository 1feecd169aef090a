"""The coordinator's side of its aggregators: it starts them, tells them of rounds, and takes what they checked."""

from __future__ import annotations

import asyncio
import logging
import pickle
import sys
from collections.abc import Callable, Collection, Mapping
from types import TracebackType
from typing import Any, Final, Self

from jaragua.coordinator.aggregator import frames
from jaragua.coordinator.aggregator.checker import KnownRound
from jaragua.coordinator.aggregator.frames import CheckedUpdate
from jaragua.coordinator.aggregator.setup import Setup
from jaragua.errors import BrokerError
from jaragua.node.program import ended

LOGGER = logging.getLogger(__name__)
_START_SECONDS: Final = 60.0
_END_SECONDS: Final = 5.0
#: Between the starts of an aggregator that ends again and again.
_PAUSE_SECONDS: Final = 1.0

#: (reason, topic, why, count) of what an aggregator did not use.
OnRejected = Callable[[str, str, str, int], None]


class Aggregators:
    """`async with Aggregators(count, setup, …) as pool`: all are at the broker. One that ends is started again.

    on_updates: called with what one of them checked. on_back: called when one that ended, or lost its connection, is
    there again: what it had read and not handed on is to be asked for (R30.5). Errors: BrokerError.
    """

    def __init__(
        self,
        count: int,
        setup: Setup,
        on_updates: Callable[[list[CheckedUpdate]], None],
        on_rejected: OnRejected,
        on_back: Callable[[], None] = lambda: None,
    ) -> None:
        self.on_back = on_back
        self._setup = frames.frame((frames.SETUP, pickle.dumps(setup)))
        self._on_updates, self._on_rejected = on_updates, on_rejected
        self._orders: dict[str, bytes] = {}
        """The newest of each kind."""
        self._processes: dict[int, asyncio.subprocess.Process] = {}
        self._ready = [asyncio.Event() for _ in range(count)]
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Self:
        self._tasks = [asyncio.create_task(self._keep(place)) for place in range(len(self._ready))]
        try:
            async with asyncio.timeout(_START_SECONDS):
                await asyncio.gather(*(one.wait() for one in self._ready))
        except TimeoutError:
            await self._end()
            message = f"not all of {len(self._ready)} aggregators were at the broker after {_START_SECONDS:.0f} s"
            raise BrokerError(message, "look at what they said, or leave --aggregators out") from None
        except BaseException:
            await self._end()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._end()

    @property
    def pids(self) -> list[int]:
        """Of the processes that run now."""
        return [process.pid for process in self._processes.values()]

    def tell_rounds(self, rounds: Mapping[int, KnownRound]) -> None:
        """Of which rounds an update can count, and what it is checked against."""
        known = {number: (dict(one.starts), one.most_samples) for number, one in rounds.items()}
        self._tell(frames.ROUND, known)

    def expect(self, run: str, updates: Collection[tuple[str, str, int]]) -> None:
        """The updates that a round waits for, by node, device and round (P3)."""
        self._tell(frames.EXPECT, {(device, run, str(number)): node for node, device, number in updates})

    def _tell(self, kind: str, order: Any) -> None:
        self._orders[kind] = frames.frame((kind, order))
        for process in self._processes.values():
            if process.stdin is not None and not process.stdin.is_closing():
                process.stdin.write(self._orders[kind])

    async def _keep(self, place: int) -> None:
        """Start one, and again whenever it ends."""
        while True:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "jaragua.coordinator.aggregator"),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                start_new_session=True,  # Ctrl-C is for the coordinator
            )
            self._processes[place] = process
            try:
                await self._hear(place, process)
            finally:
                del self._processes[place]
                await _closed(process)
            LOGGER.warning("an aggregator ended (%s) and is started again", _how(process.returncode))
            await asyncio.sleep(_PAUSE_SECONDS)

    async def _hear(self, place: int, process: asyncio.subprocess.Process) -> None:
        """What one says, until it ends."""
        assert process.stdin is not None
        assert process.stdout is not None
        for order in (self._setup, *self._orders.values()):
            process.stdin.write(order)
        while (message := await frames.read(process.stdout)) is not None:
            kind, *values = message
            if kind == frames.UPDATES:
                self._on_updates([frames.unpacked(one) for one in values[0]])
            elif kind == frames.REJECTED:
                self._on_rejected(*values)
            elif self._ready[place].is_set():
                self.on_back()
            else:
                self._ready[place].set()

    async def _end(self) -> None:
        await ended(*self._tasks)


async def _closed(process: asyncio.subprocess.Process) -> None:
    """It ends with its stdin; one that does not is ended."""
    if process.stdin is not None:
        process.stdin.close()
    try:
        async with asyncio.timeout(_END_SECONDS):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()


def _how(code: int | None) -> str:
    return f"signal {-code}" if code is not None and code < 0 else f"exit code {code}"
