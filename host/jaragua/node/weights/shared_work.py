"""Work that several devices ask for at once and that is done once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any


class SharedWork:
    """What is under way, by hash. A piece of work outlives any one of those who wait for it."""

    def __init__(self) -> None:
        self._tasks: dict[bytes, asyncio.Task[bytes]] = {}

    async def result(self, key: bytes, work: Callable[[], Coroutine[Any, Any, bytes]]) -> bytes:
        """Of the work that is under way for this key, or of this one. Errors: those of the work."""
        if key not in self._tasks:
            self._tasks[key] = asyncio.create_task(self._done(key, work))
        return await asyncio.shield(self._tasks[key])

    async def _done(self, key: bytes, work: Callable[[], Coroutine[Any, Any, bytes]]) -> bytes:
        try:
            return await work()
        finally:
            del self._tasks[key]
