"""Copies what was committed to SQLite from its WAL into the database, while more is committed (R31.9).

A commit that does this itself waits for the disk as long as ten others. What is durable is the same: a commit is on
the disk in the WAL, and a checkpoint makes the database durable before the WAL is used again.
"""

from __future__ import annotations

import logging
import sqlite3
import threading
from collections.abc import Callable

LOGGER = logging.getLogger(__name__)


class Checkpoints:
    """Of one database. connect: a connection beside the one that commits. each: pages between two checkpoints.

    Its thread begins with the first checkpoint, so a small run has none.
    """

    def __init__(self, connect: Callable[[], sqlite3.Connection], each: int) -> None:
        self._connect = connect
        self._each = each
        self._pages = 0
        self._wanted = threading.Event()
        self._is_over = False
        self._thread: threading.Thread | None = None

    def wrote(self, pages: int) -> None:
        """About so many pages were committed. It does not wait."""
        self._pages += pages
        if self._pages < self._each:
            return
        self._pages = 0
        self._wanted.set()
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name="jaragua-checkpoints", daemon=True)
            self._thread.start()

    def close(self) -> None:
        """Wait for a checkpoint that goes on, and end."""
        self._is_over = True
        self._wanted.set()
        if self._thread is not None:
            self._thread.join()

    def _work(self) -> None:
        """A checkpoint that fails is not missed: a WAL that has grown too long is copied by the commit."""
        try:
            connection = self._connect()
            try:
                connection.execute("PRAGMA synchronous = FULL")
                while self._is_wanted():
                    connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
            finally:
                connection.close()
        except sqlite3.Error as error:
            LOGGER.debug("no checkpoints beside the commits: %s", error)

    def _is_wanted(self) -> bool:
        self._wanted.wait()
        self._wanted.clear()
        return not self._is_over
