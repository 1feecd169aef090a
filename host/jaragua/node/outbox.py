"""The durable outbox of a node (M2, M3): an update stays here until the coordinator has acknowledged it."""

from __future__ import annotations

import fcntl
import logging
import sqlite3
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from jaragua.errors import StoreError
from jaragua.node.private_table import TABLE, PrivateTable, PrivateUpdate
from jaragua.privacy.participant import Commitments
from jaragua.privacy.secrets import Key
from jaragua.reasons import reason_of
from jaragua.trust.private_files import FOLDER_MODE, restrict

LOGGER = logging.getLogger(__name__)

_VERSION = 6
#: Small pages: a commit writes whole ones, and a table of a few rows is one page.
_PAGE_BYTES = 1024
#: Pages of the log before they go to their places: the more, the more often one was overwritten meanwhile.
_LOG_PAGES = 2000
#: No index: the few keys are held in memory, and each index would be a page more in every commit.
_SCHEMA = (
    """
CREATE TABLE updates(
    id INTEGER PRIMARY KEY,
    run TEXT NOT NULL, round INTEGER NOT NULL, device TEXT NOT NULL, attempt INTEGER NOT NULL,
    payload BLOB NOT NULL       -- as published on up/<run>/<round>
);
CREATE TABLE acknowledged(id INTEGER PRIMARY KEY); -- beside `updates`: a change there would write the payload again
CREATE TABLE residuals(         -- what devices have not sent yet (M10)
    id INTEGER PRIMARY KEY,
    run TEXT NOT NULL, round INTEGER NOT NULL, device TEXT NOT NULL,
    numbers BLOB NOT NULL       -- float32
);
CREATE TABLE epochs(only_row INTEGER PRIMARY KEY CHECK (only_row = 1), last INTEGER NOT NULL);
INSERT INTO epochs VALUES (1, 0);
CREATE TABLE seen(              -- the newest announcement of a run that the coordinator signed (G11)
    only_row INTEGER PRIMARY KEY CHECK (only_row = 1), generation INTEGER NOT NULL, counter INTEGER NOT NULL
);
INSERT INTO seen VALUES (1, 0, 0);
CREATE TABLE flashed(           -- the newest flash-command that the coordinator signed (G23)
    only_row INTEGER PRIMARY KEY CHECK (only_row = 1), generation INTEGER NOT NULL, counter INTEGER NOT NULL
);
INSERT INTO flashed VALUES (1, 0, 0);
"""
    + TABLE
)
_RESIDUALS_TABLE = _SCHEMA[_SCHEMA.index("CREATE TABLE residuals") : _SCHEMA.index("CREATE TABLE epochs")]
_SEEN_TABLES = _SCHEMA[_SCHEMA.index("CREATE TABLE seen") :]
_FLASHED_TABLE = _SCHEMA[_SCHEMA.index("CREATE TABLE flashed") :]
#: From version 1, which had an index and a result in each update. Residuals of earlier versions are not taken over: a
#: device without one goes on from zero.
_FROM_VERSION_1 = f"""
ALTER TABLE updates RENAME TO old_updates;
ALTER TABLE epochs RENAME TO old_epochs;
{_SCHEMA}
INSERT INTO updates SELECT rowid, run, round, device, attempt, payload FROM old_updates;
INSERT INTO acknowledged SELECT rowid FROM old_updates WHERE result IS NOT NULL;
UPDATE epochs SET last = (SELECT last FROM old_epochs);
DROP TABLE old_updates;
DROP TABLE old_epochs;
"""
#: What makes the tables of this version, by the version of the file; 0: a new file.
_UPGRADES = {
    0: _SCHEMA,
    1: _FROM_VERSION_1,
    2: _RESIDUALS_TABLE + _SEEN_TABLES,
    3: _SEEN_TABLES,
    4: _FLASHED_TABLE,
    5: TABLE,
}
# The residual of a round is wanted until an update of a later round is stored: beside these newest ones that
# of the round which the coordinator said it has, however many updates were late since (R13).
_RESIDUALS_KEPT = 8
# Acknowledged updates are kept for commands that are repeated late (M3); a device has at most one open at a time,
# so a few rounds are plenty.
_ACKNOWLEDGED_KEPT = 64
# Epochs are taken from the file in blocks, so that a broker that stays away costs no writes. Each block of a process is
# twice as large as the one before: a process that is killed soon wastes few.
_FIRST_EPOCHS = 16
_MOST_EPOCHS = 4096


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

    residual: what it does not say of what was learned (M10), to be kept with it; not given back by the outbox. stored:
    the last round of which the coordinator has an update of the device; 0: none.
    """

    key: UpdateKey
    payload: bytes
    residual: bytes = field(default=b"", compare=False, repr=False)
    stored: int = field(default=0, compare=False, repr=False)
    private: PrivateUpdate | None = field(default=None, compare=False, repr=False)
    """What it is a part of a secure sum with (U2), to be kept with it; not given back by the outbox."""


class Outbox:
    """Updates in SQLite. What `put` has returned from survives the loss of the process and of power.

    An acknowledgement is written with the next update, or at the end: if it is lost, the update is published once more,
    and acknowledged as a duplicate. Errors: StoreError if the file cannot be opened or written, or is no outbox.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._ids: dict[UpdateKey, int] = {}
        self._pending: dict[int, UpdateKey] = {}
        self._acknowledged: dict[int, UpdateKey] = {}
        self._unwritten: list[int] = []
        """Acknowledged, but not in the file yet."""
        self._epoch = self._last_reserved = 0
        self._block = _FIRST_EPOCHS
        self._seen = self._seen_written = (0, 0)
        try:
            path.parent.mkdir(parents=True, exist_ok=True, mode=FOLDER_MODE)
            lost = _is_lost(path)
            self._lock = _take_lock(path)
            restrict(path)
            self._database = sqlite3.connect(path, isolation_level=None)
        except (OSError, sqlite3.Error) as error:
            raise self._unusable(error) from error
        try:
            self._prepare()
            self._read()
        except sqlite3.Error as error:
            self._release()
            raise self._unusable(error) from error
        if lost:
            LOGGER.warning("the outbox %s was missing or empty: what was in it is lost, and is asked for again", path)

    def put(self, entry: OutboxEntry) -> None:
        """Keep an update; one that is there already stays as it is."""
        if entry.key in self._ids:
            return
        surplus = list(self._acknowledged)[:-_ACKNOWLEDGED_KEPT]
        with self._transaction():
            number = self._insert(entry)
            self._write_acknowledgements()
            self._write_seen()
            self._database.executemany("DELETE FROM updates WHERE id = ?", [(one,) for one in surplus])
            self._database.executemany("DELETE FROM acknowledged WHERE id = ?", [(one,) for one in surplus])
            if entry.residual:
                self._keep_residual(entry)
            if entry.private is not None:
                self._private.put(entry.private)
        self._unwritten.clear()
        self._seen_written = self._seen
        self._ids[entry.key], self._pending[number] = number, entry.key
        for one in surplus:
            del self._ids[self._acknowledged.pop(one)]

    def get(self, key: UpdateKey) -> OutboxEntry | None:
        """The update with that key, acknowledged or not."""
        number = self._ids.get(key)
        return None if number is None else self._entry(number, key)

    def residual(self, run: str, device: str, round_number: int) -> bytes:
        """What a device left out in a round (M10), b"" if that is not known."""
        row = self._row(
            "SELECT numbers FROM residuals WHERE run = ? AND device = ? AND round = ? ORDER BY id DESC",
            (run, device, round_number),
        )
        return b"" if row is None else bytes(row[0])

    def private(self, key: Key) -> PrivateUpdate | None:
        """What a device adds to a secure sum; None if it is not known, or the round is long over (U2.3)."""
        with self._named_errors():
            return self._private.get(key)

    def commit_private(self, key: Key, done: Commitments) -> None:
        """Keep what is going to be answered (U6.1). Raises: StoreError; then it must not be answered."""
        with self._transaction():
            self._private.commit(key, done)

    def forget_private(self, runs: Iterable[str] | None = None, *, but: str = "") -> None:
        """The secrets of these runs go (U2.3); None: of all but one. Raises: StoreError."""
        with self._named_errors():
            over = [run for run in (self._private.runs() if runs is None else runs) if run != but]
        if over:
            with self._transaction():
                for run in over:
                    self._private.forget(run)

    def pending(self) -> list[OutboxEntry]:
        """Everything not yet acknowledged, oldest first."""
        return [self._entry(number, key) for number, key in self._pending.items()]

    def acknowledge(self, key: UpdateKey) -> bool:
        """End the duty for an update (M2), whatever the result; True if it was open. Nothing is written now."""
        number = self._ids.get(key)
        if number is None or self._pending.pop(number, None) is None:
            return False
        self._acknowledged[number] = key
        self._unwritten.append(number)
        return True

    def next_epoch(self) -> int:
        """A number above every one given before (M8), also by an outbox that was lost: at least the Unix seconds.

        The file holds the end of a block that is not given out yet, so a process that is killed wastes the rest of it.
        """
        if self._epoch == self._last_reserved:
            self._reserve_epochs()
        self._epoch += 1
        return self._epoch

    @property
    def seen(self) -> tuple[int, int]:
        """Generation and counter of the newest signed announcement (G11); zeros before the first."""
        return self._seen

    def note_seen(self, generation: int, counter: int) -> None:
        """Keep them. A new generation is written at once, a counter with the next update or at the end.

        Raises: StoreError.
        """
        self._seen = (generation, counter)
        if generation != self._seen_written[0]:
            with self._transaction():
                self._write_seen()
            self._seen_written = self._seen

    @property
    def flashed(self) -> tuple[int, int]:
        """Generation and counter of the newest signed flash-command (G23); zeros before the first."""
        generation, counter = self._row("SELECT generation, counter FROM flashed", ())
        return generation, counter

    def note_flashed(self, generation: int, counter: int) -> None:
        """Keep them; they are on the disk when this returns. Raises: StoreError."""
        with self._transaction():
            self._database.execute("UPDATE flashed SET generation = ?, counter = ?", (generation, counter))

    def close(self) -> None:
        """Write what was not worth a commit of its own, close the file, and let another process have it."""
        with suppress(StoreError):
            self._write_rest()
        self._release()

    def _insert(self, entry: OutboxEntry) -> int:
        key = entry.key
        cursor = self._database.execute(
            "INSERT INTO updates(run, round, device, attempt, payload) VALUES (?, ?, ?, ?, ?)",
            (key.run, key.round, key.device, key.attempt, entry.payload),
        )
        assert cursor.lastrowid is not None
        return cursor.lastrowid

    def _write_acknowledgements(self) -> None:
        self._database.executemany(
            "INSERT OR IGNORE INTO acknowledged VALUES (?)", [(number,) for number in self._unwritten]
        )

    def _write_seen(self) -> None:
        if self._seen != self._seen_written:
            self._database.execute("UPDATE seen SET generation = ?, counter = ?", self._seen)

    def _keep_residual(self, entry: OutboxEntry) -> None:
        key = entry.key
        self._database.execute(
            "INSERT INTO residuals(run, round, device, numbers) VALUES (?, ?, ?, ?)",
            (key.run, key.round, key.device, entry.residual),
        )
        self._database.execute(
            "DELETE FROM residuals WHERE device = ? AND id NOT IN"
            " (SELECT id FROM residuals WHERE device = ? ORDER BY id DESC LIMIT ?)"
            " AND NOT (run = ? AND round = ?)",
            (key.device, key.device, _RESIDUALS_KEPT, key.run, entry.stored),
        )

    def _reserve_epochs(self) -> None:
        if not self._epoch:
            (last,) = self._database.execute("SELECT last FROM epochs").fetchone()
            self._epoch = max(last, int(time.time()) - 1)
        with self._transaction():
            self._database.execute("UPDATE epochs SET last = ?", (self._epoch + self._block,))
        self._last_reserved = self._epoch + self._block
        self._block = min(2 * self._block, _MOST_EPOCHS)

    def _write_rest(self) -> None:
        """Acknowledgements, the newest announcement, and the epochs that were reserved and not given out."""
        if not self._unwritten and self._epoch == self._last_reserved and self._seen == self._seen_written:
            return
        with self._transaction():
            self._write_acknowledgements()
            self._write_seen()
            if self._epoch:
                self._database.execute("UPDATE epochs SET last = ?", (self._epoch,))

    def _entry(self, number: int, key: UpdateKey) -> OutboxEntry:
        row = self._row("SELECT payload FROM updates WHERE id = ?", (number,))
        if row is None:
            raise self._unusable(sqlite3.DatabaseError(f"it has lost the update of {key.device} for round {key.round}"))
        return OutboxEntry(key, row[0])

    def _row(self, query: str, values: tuple[object, ...]) -> Any:
        """The first row, or None. Raises: StoreError if the file cannot be read."""
        with self._named_errors():
            return self._database.execute(query, values).fetchone()

    @contextmanager
    def _named_errors(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise self._unusable(error) from error

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        """StoreError if it cannot be written; then nothing of it is."""
        try:
            self._database.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._database.execute("COMMIT")
            except BaseException:
                if self._database.in_transaction:
                    self._database.execute("ROLLBACK")
                raise
        except sqlite3.Error as error:
            raise StoreError(
                f"the outbox {self._path} cannot be written: {error}", "make room on that disk, or check the disk"
            ) from error

    def _prepare(self) -> None:
        self._database.execute(f"PRAGMA page_size = {_PAGE_BYTES}")
        self._database.execute("PRAGMA journal_mode = WAL")
        self._database.execute("PRAGMA synchronous = FULL")
        found = self._database.execute("PRAGMA quick_check(1)").fetchone()[0]
        if found != "ok":
            raise sqlite3.DatabaseError(found)
        self._database.execute(f"PRAGMA wal_autocheckpoint = {_LOG_PAGES}")
        version = self._database.execute("PRAGMA user_version").fetchone()[0]
        if version not in (*_UPGRADES, _VERSION):
            self._release()
            raise StoreError(
                f"the outbox {self._path} has format {version}, this jaragua reads {_VERSION}",
                "update jaragua, or give another folder with --data-dir",
            )
        if version != _VERSION:
            self._database.executescript(f"BEGIN; {_UPGRADES[version]} PRAGMA user_version = {_VERSION}; COMMIT;")
        self._private = PrivateTable(self._database)

    def _read(self) -> None:
        """The keys, in the order in which they were put."""
        acknowledged = {number for (number,) in self._database.execute("SELECT id FROM acknowledged")}
        for number, *key in self._database.execute("SELECT id, run, round, device, attempt FROM updates ORDER BY id"):
            self._ids[UpdateKey(*key)] = number
            (self._acknowledged if number in acknowledged else self._pending)[number] = UpdateKey(*key)
        generation, counter = self._database.execute("SELECT generation, counter FROM seen").fetchone()
        self._seen = self._seen_written = (generation, counter)

    def _release(self) -> None:
        self._database.close()
        self._lock.close()

    def _unusable(self, error: Exception) -> StoreError:
        if isinstance(error, OSError):
            hint = "give a folder you may write to with --data-dir, or set XDG_STATE_HOME to one"
        else:
            hint = "give another folder with --data-dir, or move a damaged outbox away: what it held is asked for again"
        return StoreError(f"the outbox {self._path} cannot be used: {reason_of(error)}", hint)


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
