"""One copy of a library for each worker thread; C calls let go of the interpreter's lock, so threads do run at once."""

from __future__ import annotations

import ctypes
import queue
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from jaragua.simulation.clients.engine import Closing
from jaragua_compiler.engines.host_build import load_private_copy

Share = TypeVar("Share")
Result = TypeVar("Result")


class Workers(Closing):
    """Runs shares of work on private copies of a library, the results in the order of the shares."""

    def __init__(self, library: Path, count: int, declare: Callable[[ctypes.CDLL], None]) -> None:
        super().__init__()
        self.count = count
        self._idle: queue.SimpleQueue[ctypes.CDLL] = queue.SimpleQueue()
        for _ in range(count):
            copy = load_private_copy(library)
            declare(copy)
            self._idle.put(copy)
        self._threads = self._open.enter_context(ThreadPoolExecutor(count))

    def run(self, work: Callable[[ctypes.CDLL, Share], Result], shares: Sequence[Share]) -> list[Result]:
        """`work` on every share; a single one runs in the caller's thread."""
        if len(shares) == 1:
            return [self._one(work, shares[0])]
        return list(self._threads.map(lambda share: self._one(work, share), shares))

    def _one(self, work: Callable[[ctypes.CDLL, Share], Result], share: Share) -> Result:
        library = self._idle.get()
        try:
            return work(library, share)
        finally:
            self._idle.put(library)
