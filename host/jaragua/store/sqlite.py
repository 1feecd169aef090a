"""SQLite: one file in the run's folder, which is the run alone."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import chain, groupby
from operator import itemgetter
from pathlib import Path
from typing import Any, Final

from jaragua.errors import StoreError
from jaragua.store.backend import BLANK, SCHEMA_VERSION, Queries, Statement, version_error
from jaragua.store.checkpoints import Checkpoints

#: What reads a run's figures reads these too.
_READABLE: Final = (BLANK, 1, 2, 3, 4, 5, 6, 7, SCHEMA_VERSION)
_SCHEMA = """
CREATE TABLE runs (
    run TEXT PRIMARY KEY, name TEXT NOT NULL, seed INTEGER NOT NULL, rounds INTEGER NOT NULL,
    status TEXT NOT NULL, settings TEXT NOT NULL) STRICT;
CREATE TABLE initialisations (
    run TEXT NOT NULL REFERENCES runs, rounds_done INTEGER NOT NULL, vector BLOB NOT NULL, blob_hash BLOB NOT NULL,
    PRIMARY KEY (run, rounds_done)) STRICT;
CREATE TABLE rounds (
    run TEXT NOT NULL REFERENCES runs, round INTEGER NOT NULL, members TEXT NOT NULL, metrics TEXT,
    PRIMARY KEY (run, round)) STRICT;
CREATE TABLE assignments (
    run TEXT NOT NULL, round INTEGER NOT NULL, device TEXT NOT NULL, attempt INTEGER NOT NULL,
    node TEXT NOT NULL, seed INTEGER NOT NULL,
    PRIMARY KEY (run, round, device, attempt), FOREIGN KEY (run, round) REFERENCES rounds) STRICT;
CREATE TABLE updates (
    run TEXT NOT NULL, round INTEGER NOT NULL, device TEXT NOT NULL, attempt INTEGER NOT NULL,
    blob BLOB NOT NULL, samples INTEGER NOT NULL, loss REAL NOT NULL, score REAL NOT NULL, metric TEXT NOT NULL,
    instructions INTEGER NOT NULL, payload_bytes INTEGER NOT NULL,
    PRIMARY KEY (run, round, device, attempt),
    FOREIGN KEY (run, round, device, attempt) REFERENCES assignments) STRICT;
CREATE UNIQUE INDEX one_update_of_a_device_in_a_round ON updates (run, round, device);
"""
#: From version 1 to 2.
_NEWER = """
ALTER TABLE updates ADD COLUMN encoding TEXT NOT NULL DEFAULT 'blob';
ALTER TABLE updates ADD COLUMN taken_in INTEGER NOT NULL DEFAULT 0;
UPDATE updates SET taken_in = round;
CREATE INDEX updates_by_where_they_count ON updates (run, taken_in);
CREATE TABLE starts (
    run TEXT NOT NULL REFERENCES runs, rounds_done INTEGER NOT NULL, sha256 BLOB NOT NULL, blob BLOB NOT NULL,
    payload BLOB NOT NULL, total INTEGER NOT NULL,
    PRIMARY KEY (run, rounds_done)) STRICT;
"""
#: From version 2 to 3: SHA-256 of what SQLite does not check, empty for rows of earlier versions.
_CHECKED = """
ALTER TABLE updates ADD COLUMN blob_check BLOB NOT NULL DEFAULT x'';
ALTER TABLE initialisations ADD COLUMN vector_check BLOB NOT NULL DEFAULT x'';
"""
#: From version 4 to 5: moments of the server's optimiser (R18), empty for all but the newest initialisation.
_OPTIMISED = """
ALTER TABLE initialisations ADD COLUMN moments BLOB NOT NULL DEFAULT x'';
ALTER TABLE initialisations ADD COLUMN moments_check BLOB NOT NULL DEFAULT x'';
"""
#: From version 5 to 6: what a run began with beside its settings (R22), as JSON.
_BEGINNINGS = """
ALTER TABLE runs ADD COLUMN beginning TEXT NOT NULL DEFAULT '{}';
"""
#: From version 6 to 7: what a secure sum keeps (docs/design/private-updates.md, U7.2). Round 0: of the run.
_SUMMED = """
CREATE TABLE sums (
    run TEXT NOT NULL, round INTEGER NOT NULL, stage TEXT NOT NULL, device TEXT NOT NULL, content BLOB NOT NULL,
    PRIMARY KEY (run, round, stage, device)) STRICT;
"""
#: From version 7 to 8: one index of updates, not three (R31.12), and one of those that count in a later round (R13).
_FEWER_INDICES = """
CREATE TABLE updates_of_version_8 (
    run TEXT NOT NULL, round INTEGER NOT NULL, device TEXT NOT NULL, attempt INTEGER NOT NULL,
    blob BLOB NOT NULL, samples INTEGER NOT NULL, loss REAL NOT NULL, score REAL NOT NULL, metric TEXT NOT NULL,
    instructions INTEGER NOT NULL, payload_bytes INTEGER NOT NULL, encoding TEXT NOT NULL, taken_in INTEGER NOT NULL,
    blob_check BLOB NOT NULL,
    PRIMARY KEY (run, round, device),
    FOREIGN KEY (run, round, device, attempt) REFERENCES assignments) STRICT;
INSERT INTO updates_of_version_8 SELECT
    run, round, device, attempt, blob, samples, loss, score, metric, instructions, payload_bytes, encoding, taken_in,
    blob_check FROM updates;
DROP TABLE updates;
ALTER TABLE updates_of_version_8 RENAME TO updates;
CREATE INDEX updates_that_count_later ON updates (run, taken_in) WHERE taken_in <> round;
"""
#: R31.5: several updates fit in a page, so that less is written for each.
_PAGE_BYTES: Final = 16_384
#: R31.9: the WAL is copied into the database beside the commits when it has so many pages more; with many more than
#: that, by the commit itself.
_PAGES_OF_A_CHECKPOINT: Final = 1000
_MOST_PAGES_OF_A_WAL: Final = 4000
#: Of a transaction that writes little: a leaf and what leads to it, of a table and its indices.
_FEWEST_PAGES: Final = 4
#: Bytes of a value that do not count where the pages of a transaction are estimated.
_SHORT: Final = 64
#: Few sizes, so that their statements are compiled once. 14 values a row are far below SQLite's 32,766.
_ROWS_OF_A_STATEMENT: Final = (256, 64, 16)
_QUERIES: Final = Queries(
    totals=(
        "SELECT count(*), coalesce(sum(metrics ->> '$.bytes_up'), 0), coalesce(sum(metrics ->> '$.bytes_down'), 0) "
        "FROM rounds WHERE run = ? AND metrics IS NOT NULL"
    ),
    excluded=(
        "SELECT key, count(*) FROM rounds, json_each(metrics, '$.excluded') WHERE run = ? AND type = 'text' "
        "AND typeof(key) = 'text' GROUP BY key ORDER BY key"
    ),
    rejected=(
        "SELECT key, sum(value) FROM rounds, json_each(metrics, '$.rejected') WHERE run = ? GROUP BY key ORDER BY key"
    ),
    curves=(
        "SELECT key, round, value ->> '$.loss', value ->> '$.score', coalesce(value ->> '$.age', 0) "
        "FROM rounds, json_each(metrics, '$.devices') WHERE run = ? ORDER BY key, round"
    ),
)


class SqliteBackend:
    """A file. Errors: StoreError if it is damaged, of another version, or cannot be written."""

    queries = _QUERIES
    which_run: Statement = ("", ())

    def __init__(self, path: Path, *, read_only: bool) -> None:
        self.name = str(path)
        with self._named_errors():
            self._connection = _connect(path, read_only=read_only)
            try:
                self.version = _prepare(self._connection, read_only=read_only)
            except BaseException:
                self._connection.close()
                raise
        self._checkpoints = Checkpoints(lambda: _connect(path, read_only=False), _PAGES_OF_A_CHECKPOINT)

    def close(self) -> None:
        """Close the file; what was committed stays."""
        self._checkpoints.close()
        self._connection.close()

    def rows(self, query: str, values: Sequence[Any] = ()) -> list[Any]:
        """What a query finds."""
        with self._named_errors():
            return self._connection.execute(query, values).fetchall()

    def commit(self, statements: Iterable[Statement]) -> None:
        """Carry out statements in one transaction, which is on the disk when this returns."""
        pages = _FEWEST_PAGES
        with self._named_errors():
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                for query, same in groupby(statements, key=itemgetter(0)):
                    rows = [values for _, values in same]
                    self._execute(query, rows)
                    pages += _bytes_in(rows) // _PAGE_BYTES
                self._connection.execute("COMMIT")  # on a full disk it fails, and leaves the transaction open
            except BaseException:
                with suppress(sqlite3.Error):
                    self._connection.execute("ROLLBACK")
                raise
        self._checkpoints.wrote(pages)

    def _execute(self, query: str, rows: Sequence[Sequence[Any]]) -> None:
        """One statement for many rows of an INSERT: the interpreter's lock is given up and waited for at each one."""
        begin, values, row = query.rpartition(" VALUES ")
        for count in _ROWS_OF_A_STATEMENT if values else ():
            while len(rows) >= count:
                some, rows = rows[:count], rows[count:]
                self._connection.execute(begin + values + ", ".join([row] * count), list(chain.from_iterable(some)))
        self._connection.executemany(query, rows)

    def set_aside(self) -> str:
        """A file is moved away as a whole, before it is opened (`aside.move_aside`)."""
        return ""

    def damage(self) -> str:
        """What a look at the whole file finds."""
        found = "; ".join(str(row[0]) for row in self.rows("PRAGMA quick_check(3)"))
        return "" if found == "ok" else found

    @contextmanager
    def _named_errors(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            hint = "make room on the disk, or correct the folder's permissions; if the file is damaged, restore a copy"
            raise StoreError(f"the run's database {self.name} fails: {error}", hint) from error


def _bytes_in(rows: Sequence[Sequence[Any]]) -> int:
    """About, in rows of one statement: of the columns whose values are long."""
    long = [place for place, value in enumerate(rows[0]) if isinstance(value, bytes | str) and len(value) > _SHORT]
    return sum(len(row[place]) for place in long for row in rows)


def _connect(path: Path, *, read_only: bool) -> sqlite3.Connection:
    uri = f"{path.absolute().as_uri()}?mode={'ro' if read_only else 'rwc'}"
    # The coordinator commits updates in a thread of its own, and uses the store nowhere else meanwhile.
    return sqlite3.connect(uri, uri=True, isolation_level=None, timeout=5.0, check_same_thread=False)


def _prepare(connection: sqlite3.Connection, *, read_only: bool) -> int:
    """Set durability, make the tables of a new file, refuse a file of another version; returns the version."""
    connection.execute("PRAGMA foreign_keys = ON")
    if not read_only:
        connection.execute(f"PRAGMA page_size = {_PAGE_BYTES}")  # of a new file
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute(f"PRAGMA wal_autocheckpoint = {_MOST_PAGES_OF_A_WAL}")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA secure_delete = ON")  # of keys of noise nothing is to be left (U10.2)
        _create_tables(connection)
    version = int(connection.execute("PRAGMA user_version").fetchone()[0])
    if version not in (_READABLE if read_only else (SCHEMA_VERSION,)):
        raise version_error(version)
    return version


def _create_tables(connection: sqlite3.Connection) -> None:
    """In one transaction, so that a kill leaves either no tables or all of them; an older version is made newer."""
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    steps = (_SCHEMA, _NEWER, _CHECKED, "", _OPTIMISED, _BEGINNINGS, _SUMMED, _FEWER_INDICES)
    if BLANK <= version < SCHEMA_VERSION:
        missing = "".join(steps[version:])
        connection.executescript(f"BEGIN IMMEDIATE; {missing} PRAGMA user_version = {SCHEMA_VERSION}; COMMIT;")
