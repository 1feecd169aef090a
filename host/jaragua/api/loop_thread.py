"""Asynchronous calls for code that has no event loop, or whose loop is busy (a notebook): a loop in a thread."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine
from typing import Any, TypeVar

from jaragua.errors import BoardError

T = TypeVar("T")


class LoopThread:
    """An event loop that runs until `stop_after`; its thread does not keep the process alive."""

    def __init__(self, name: str) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name=name, daemon=True)
        self._thread.start()

    def call(self, work: Coroutine[Any, Any, T]) -> T:
        """Wait for a coroutine; its error is raised here. An interrupt (Ctrl-C) cancels it."""
        if self._loop.is_closed():
            work.close()
            raise BoardError("the board's port was closed", "open it again with jaragua.connect")
        future = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return future.result()
        except BaseException:
            future.cancel()
            raise

    def stop_after(self, last: Coroutine[Any, Any, None]) -> None:
        """Wait for a last coroutine, then end the loop and its thread; a second call does nothing."""
        if self._loop.is_closed():
            last.close()
            return
        try:
            self.call(last)
        finally:
            self._stop()

    def _stop(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
