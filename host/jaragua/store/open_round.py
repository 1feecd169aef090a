"""The updates of the round that this process has opened, as it has committed them."""

from __future__ import annotations

from collections.abc import Sequence
from operator import attrgetter
from typing import Final

from jaragua.store.records import StoredUpdate

#: R31.1: with more bytes than this the database is asked.
MOST_BYTES: Final = 64 * 2**20


class OpenRound:
    """R31.1: who closes the round need not read and check again what this process has just written.

    A round that was opened by another process is not here, as some of its updates may be that one's.
    """

    def __init__(self, run: str = "", round_number: int = 0) -> None:
        self._key = run, round_number
        self._updates: list[StoredUpdate] | None = [] if run else None
        self._bytes = 0

    def add(self, run: str, updates: Sequence[StoredUpdate]) -> None:
        """These are committed."""
        if self._updates is None:
            return
        here = [one for one in updates if (run, one.taken_in) == self._key]
        self._updates += here
        self._bytes += sum(len(one.blob) for one in here)
        if self._bytes > MOST_BYTES:
            self._updates = None

    def updates_of(self, run: str, round_number: int) -> list[StoredUpdate] | None:
        """All that count in a round, sorted by device and age; None: the database has to be asked."""
        if self._updates is None or (run, round_number) != self._key:
            return None
        return sorted(self._updates, key=attrgetter("device", "round_number"))
