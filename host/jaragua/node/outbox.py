"""The durable outbox of a node (M2, M3): an update stays here until the coordinator has acknowledged it."""

from __future__ import annotations

import fcntl
import logging
import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from jaragua.errors import StoreError

LOGGER = logging.getLogger(__name__)

_VERSION = 1
_SCHEMA = """
CREATE TABLE updates(
    run TEXT NOT NULL, round INTEGER NOT NULL, device TEXT NOT NULL, attempt INTEGER NOT NULL,
    payload BLOB NOT NULL,      -- as published on up/<run>/<round>
    result TEXT,                -- NULL until acknowledged, then the acknowledgement's result
    PRIMARY KEY (run, round, device, attempt)
);
CREATE INDEX updates_pending ON updates(result) WHERE result IS NULL;
CREATE TABLE epochs(only_row INTEGER PRIMARY KEY CHECK (only_row = 1), last INTEGER NOT NULL);
INSERT INTO epochs VALUES (1, 0);
"""
#: Newer than version 1, which programs without it go on reading: what devices have not sent yet (M10).
_LEFT_OUT = """
CREATE TABLE IF NOT EXISTS left_out(
    run TEXT NOT NULL, device TEXT NOT NULL, round INTEGER NOT NULL, numbers BLOB NOT NULL, -- float32
    PRIMARY KEY (run, device, round)
)
"""
# What a device left out in a round is wanted until an update of a later round is stored: beside these newest ones that
# of the round which the coordinator said it has, however many updates were late since (R13).
_LEFT_OUT_KEPT = 8
# Acknowledged updates are kept for commands that are repeated late (M3); a device has at most one open at a time,
# so a few rounds are plenty.
_ACKNOWLEDGED_KEPT = 64


@dataclass(frozen=True, order=True)
class UpdateKey:
    """What makes an update the same update (M2)."""

    run: str
    round: int
    device: str
    attempt: int


@dataclass(frozen=True)
class OutboxEntry:
    """An update as it goes out: its key, and the payload of `up/<run>/<round>`.

    left_out: what it does not say of what was learned (M10), to be kept with it; not given back by the outbox. stored:
    the last round of which the coordinator has an update of the device; 0: none.
    """

    key: UpdateKey
    payload: bytes
    left_out: bytes = field(default=b"", compare=False, repr=False)
    stored: int = field(default=0, compare=False, repr=False)


class Outbox:
    """Updates in SQLite. What `put` has returned from survives the loss of the process and of power.

    Errors: StoreError if the file cannot be opened or written, is damaged, or is not an outbox of this version.
    """

    def __init__(self, path: Path) -> None:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            lost = _is_lost(path)
            self._lock = _take_lock(path)
        except OSError as error:
            raise _unusable(path, error) from error
        try:
            self._database = _Database(path)
            self._prepare(path)
        except BaseException:
            self._lock.close()
            raise
        if lost:
            LOGGER.warning("the outbox %s was missing or empty: what was in it is lost, and is asked for again", path)

    def put(self, entry: OutboxEntry) -> None:
        """Keep an update; one that is there already stays as it is."""
        key = entry.key
        with self._transaction():
            self._database.execute(
                "INSERT OR IGNORE INTO updates(run, round, device, attempt, payload) VALUES (?, ?, ?, ?, ?)",
                (key.run, key.round, key.device, key.attempt, entry.payload),
            )
            if entry.left_out:
                self._keep_left_out(entry)

    def get(self, key: UpdateKey) -> OutboxEntry | None:
        """The update with that key, acknowledged or not."""
        row = self._database.execute(f"SELECT payload FROM updates WHERE {_IS_KEY}", _values(key)).fetchone()
        return None if row is None else OutboxEntry(key, row[0])

    def left_out(self, run: str, device: str, round_number: int) -> bytes:
        """What a device left out in a round (M10), b"" if that is not known."""
        row = self._database.execute(
            "SELECT numbers FROM left_out WHERE run = ? AND device = ? AND round = ?", (run, device, round_number)
        ).fetchone()
        return b"" if row is None else bytes(row[0])

    def pending(self) -> list[OutboxEntry]:
        """Everything not yet acknowledged, oldest first."""
        rows = self._database.rows(
            "SELECT run, round, device, attempt, payload FROM updates WHERE result IS NULL ORDER BY rowid"
        )
        return [OutboxEntry(UpdateKey(*row[:4]), row[4]) for row in rows]

    def acknowledge(self, key: UpdateKey, result: str) -> bool:
        """End the duty for an update (M2); True if it was open. Old acknowledged ones are dropped."""
        cursor = self._database.execute(
            f"UPDATE updates SET result = ? WHERE {_IS_KEY} AND result IS NULL", (result, *_values(key))
        )
        self._database.execute(
            "DELETE FROM updates WHERE result IS NOT NULL AND rowid NOT IN"
            " (SELECT rowid FROM updates WHERE result IS NOT NULL ORDER BY rowid DESC LIMIT ?)",
            (_ACKNOWLEDGED_KEPT,),
        )
        return cursor.rowcount > 0

    def next_epoch(self) -> int:
        """A number above every one given before (M8), also by an outbox that was lost: at least the Unix seconds."""
        row = self._database.execute(
            "UPDATE epochs SET last = max(last + 1, ?) RETURNING last", (int(time.time()),)
        ).fetchone()
        return int(row[0])

    def close(self) -> None:
        """Close the file, and let another process have it."""
        self._database.close()
        self._lock.close()

    def _keep_left_out(self, entry: OutboxEntry) -> None:
        key = entry.key
        self._database.execute(
            "INSERT OR REPLACE INTO left_out VALUES (?, ?, ?, ?)", (key.run, key.device, key.round, entry.left_out)
        )
        self._database.execute(
            "DELETE FROM left_out WHERE device = ? AND rowid NOT IN"
            " (SELECT rowid FROM left_out WHERE device = ? ORDER BY rowid DESC LIMIT ?)"
            " AND NOT (run = ? AND round = ?)",
            (key.device, key.device, _LEFT_OUT_KEPT, key.run, entry.stored),
        )

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._database.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._database.execute("COMMIT")  # on a full disk it fails, and leaves the transaction open
        except BaseException:
            with suppress(StoreError):
                self._database.execute("ROLLBACK")
            raise

    def _prepare(self, path: Path) -> None:
        self._database.execute("PRAGMA journal_mode = WAL")
        self._database.execute("PRAGMA synchronous = FULL")
        found = self._database.rows("PRAGMA quick_check(1)")[0][0]
        if found != "ok":
            raise _unusable(path, found)
        version = self._database.execute("PRAGMA user_version").fetchone()[0]
        if version == 0:
            self._database.executescript(f"BEGIN; {_SCHEMA} PRAGMA user_version = {_VERSION}; COMMIT;")
        if version in (0, _VERSION):
            self._database.execute(_LEFT_OUT)
        else:
            self._database.close()
            raise StoreError(
                f"the outbox {path} has format {version}, this jaragua reads {_VERSION}",
                "update jaragua, or give another folder with --data-dir",
            )


class _Database:
    """A connection whose errors are StoreErrors that name the file."""

    def __init__(self, path: Path) -> None:
        self._path = path
        with self._named_errors():
            self._connection = sqlite3.connect(path, isolation_level=None)

    def execute(self, statement: str, values: Sequence[Any] = ()) -> sqlite3.Cursor:
        """One statement, of which at most one row is wanted."""
        with self._named_errors():
            return self._connection.execute(statement, values)

    def rows(self, statement: str, values: Sequence[Any] = ()) -> list[Any]:
        """All rows of one statement."""
        with self._named_errors():
            return self._connection.execute(statement, values).fetchall()

    def executescript(self, script: str) -> None:
        """Several statements."""
        with self._named_errors():
            self._connection.executescript(script)

    def close(self) -> None:
        """What was committed stays."""
        self._connection.close()

    @contextmanager
    def _named_errors(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise _unusable(self._path, error) from error


def _unusable(path: Path, error: object) -> StoreError:
    """In the words of the file system or of SQLite."""
    reason = getattr(error, "strerror", None) or error
    if isinstance(error, OSError):
        hint = "give a folder you may write to with --data-dir, or set XDG_STATE_HOME to one"
    else:
        hint = "make room, or move it away or give another folder with --data-dir: what it held is asked for again"
    return StoreError(f"the outbox {path} cannot be used: {reason}", hint)


def _is_lost(path: Path) -> bool:
    """Whether a node was here before and its updates are not: a lock outlives the process that made it."""
    return path.with_suffix(".lock").exists() and not (path.is_file() and path.stat().st_size)


def _take_lock(path: Path) -> IO[bytes]:
    """The lock that makes this process the only one with this outbox; the system frees it when the process dies."""
    lock = path.with_suffix(".lock").open("ab")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        lock.close()
        raise StoreError(
            f"another process is this node already: it holds the outbox {path}",
            "stop it, or give this one another name with --node",
        ) from error
    return lock


_IS_KEY = "run = ? AND round = ? AND device = ? AND attempt = ?"


def _values(key: UpdateKey) -> tuple[str, int, str, int]:
    return key.run, key.round, key.device, key.attempt
