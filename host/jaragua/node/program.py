"""How a node's process lives: several things at once, ended together, by a signal or by the first that ends."""

from __future__ import annotations

import asyncio
import logging
import signal
from collections.abc import Coroutine
from typing import Any

from jaragua.printable import printable, redacted

Work = Coroutine[Any, Any, None]
_CANCEL_AGAIN_SECONDS = 5.0


async def ended(*tasks: asyncio.Task[Any], again_seconds: float = _CANCEL_AGAIN_SECONDS) -> None:
    """Cancel tasks, all at once, and wait until they are over, whatever they raise.

    A task is cancelled once: a second cancellation would interrupt how it ends. But Python before 3.12 loses a
    cancellation that meets the end of a `wait_for` (CPython issue 86296), and the task would go on: it is cancelled
    again after a while.
    """
    while pending := [task for task in tasks if not task.done()]:
        for task in pending:
            task.cancel()
        await asyncio.wait(pending, timeout=again_seconds)


async def until_first_ends(*works: Work) -> None:
    """Run all until one ends or this is cancelled; the others are cancelled, last first. Raises what it raised."""
    tasks = [asyncio.create_task(work) for work in works]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in reversed(tasks):
            await ended(task)
    for task in done:
        task.result()


def run_until_signal(work: Work) -> None:
    """Run on an event loop of its own; SIGINT and SIGTERM cancel the work, which then ends well."""
    asyncio.run(_cancelled_by_signal(work))


async def _cancelled_by_signal(work: Work) -> None:
    loop, stop = asyncio.get_running_loop(), asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    task = asyncio.create_task(work)
    stopped = asyncio.create_task(stop.wait())
    await asyncio.wait([task, stopped], return_when=asyncio.FIRST_COMPLETED)
    stopped.cancel()
    await ended(task)
    if not task.cancelled():
        task.result()


class OneLineFormatter(logging.Formatter):
    """One line a message, whatever a peer has put into it; a traceback stands below it."""

    def formatMessage(self, record: logging.LogRecord) -> str:
        """The line."""
        return printable(redacted(super().formatMessage(record)))

    def formatException(self, ei: Any) -> str:
        """The traceback."""
        return printable(redacted(super().formatException(ei)), keep="\n")


def say_log(verbose: bool) -> None:
    """Let the log of this package appear on stderr, one plain line each."""
    handler = logging.StreamHandler()
    handler.setFormatter(OneLineFormatter("%(asctime)s %(message)s", datefmt="%H:%M:%S"))
    logger = logging.getLogger("jaragua")
    logger.addHandler(handler)
    logger.setLevel(logging.DEBUG if verbose else logging.INFO)
