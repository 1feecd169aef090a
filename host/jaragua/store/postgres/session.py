"""A PostgreSQL database as the store of one run: one writer at a time, and connections that may be lost (R23)."""

from __future__ import annotations

import hashlib
import logging
import secrets
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import cache
from itertools import groupby
from operator import itemgetter
from typing import Any, Final, TypeVar

import psycopg
from psycopg import errors
from psycopg.conninfo import make_conninfo

from jaragua.errors import RunError, StoreError
from jaragua.store.backend import BLANK, SCHEMA_VERSION, Statement, version_error
from jaragua.store.postgres.address import PostgresAddress
from jaragua.store.postgres.copying import FEWEST_ROWS, Copier, target_of
from jaragua.store.postgres.schema import QUERIES, SCHEMA, make_tables, version_of

LOGGER = logging.getLogger(__name__)

T = TypeVar("T")
Connection = psycopg.Connection[Any]

#: R23.4: how long a database that is away is asked again, and how long between two attempts at most.
_PATIENCE_S: Final = 120.0
_LONGEST_PAUSE_S: Final = 1.0
#: R23.3: a coordinator that was killed a moment ago still has the lock until the server notices.
_LOCK_PATIENCE_S: Final = 5.0
_PAUSE_S: Final = 0.05
#: R23.5: a dead line is noticed within half a minute, on both sides.
_LINE: Final = {"connect_timeout": 10, "keepalives_idle": 10, "keepalives_interval": 5, "keepalives_count": 3}
_SETTINGS: Final = (
    f"SET search_path = {SCHEMA}",
    "SET tcp_keepalives_idle = 10",
    "SET tcp_keepalives_interval = 5",
    "SET tcp_keepalives_count = 3",
    "SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'",
)
#: The server is there and says that it is not, or that it has become another's copy.
_LOST: Final = (
    errors.AdminShutdown,
    errors.CrashShutdown,
    errors.CannotConnectNow,
    errors.IdleSessionTimeout,
    errors.ReadOnlySqlTransaction,
)
_HINT: Final = "mend what the database says; its address is store.url, its password store.password_file"


class PostgresBackend:
    """Errors: StoreError if the database refuses or stays away, RunError if another coordinator has the run."""

    queries = QUERIES

    def __init__(self, address: PostgresAddress, *, read_only: bool) -> None:
        self.name = str(address)
        self._address = address
        self._read_only = read_only
        # Sessions of this process are known by it; after a loss the earlier ones are ended.
        self._mark = f"jaragua-{secrets.token_hex(8)}"
        self._generation = self._committed = 0
        self._gave_up = False
        self._copier = Copier()
        with self._named_errors():
            self._connection = self._connected()
            try:
                self.version = self._prepared()
            except BaseException:
                self._connection.close()
                raise

    @property
    def which_run(self) -> Statement:
        """Readers of a folder name the run; else it is the newest of its name."""
        if self._address.run:
            return "WHERE run = ?", (self._address.run,)
        return "WHERE name = ? AND NOT aside", (self._address.name,)

    def close(self) -> None:
        """Give the run free for another coordinator."""
        self._connection.close()

    def rows(self, query: str, values: Sequence[Any] = ()) -> list[Any]:
        """What a query finds."""
        return self._surely(lambda: self._connection.execute(_translated(query), values).fetchall())

    def commit(self, statements: Iterable[Statement]) -> None:
        """Carry out statements in one transaction, exactly once whatever becomes of the connection (R23.4)."""
        kept, number = list(statements), self._committed + 1

        def work() -> None:
            if self._committed < number:  # a new connection has read what the lost one committed
                self._transact(kept, number)
                self._committed = number

        if self._read_only:
            raise StoreError(f"the run's database {self.name} was opened to read", "this is a fault of Jaragua")
        self._surely(work)

    def set_aside(self) -> str:
        """Begin anew: the run of this name is kept, and is no longer the newest. Its identifier; "" if none is."""
        query = "SELECT run FROM runs WHERE name = ? AND NOT aside"
        found = self.rows(query, (self._address.name,))
        if not found:
            return ""
        self.commit([("UPDATE runs SET aside = TRUE WHERE run = ?", found[0])])
        return str(found[0][0])

    def damage(self) -> str:
        """The server checks its pages itself, where it was made with checksums."""
        return ""

    # ---- transactions ----

    def _transact(self, statements: Sequence[Statement], number: int) -> None:
        connection = self._connection
        connection.execute("BEGIN")
        try:
            self._require_own(connection, number)
            for query, same in groupby(statements, key=itemgetter(0)):
                self._carry_out(connection, query, [values for _, values in same])
            connection.execute("COMMIT")
        except BaseException:
            with suppress(psycopg.Error):
                connection.execute("ROLLBACK")
            raise

    def _carry_out(self, connection: Connection, query: str, rows: Sequence[Sequence[Any]]) -> None:
        """R23.8: a statement for each row."""
        target = target_of(query) if len(rows) >= FEWEST_ROWS else None
        if target is not None:
            self._copier.copy(connection, target, rows)
            return
        with connection.cursor() as cursor:
            cursor.executemany(_translated(query), rows)

    def _require_own(self, connection: Connection, number: int) -> None:
        """R23.3: nothing is committed by one that has lost the run to another."""
        query = "UPDATE writers SET committed = %s WHERE name = %s AND generation = %s"
        if connection.execute(query, (number, self._address.name, self._generation)).rowcount != 1:
            raise self._taken()

    def _surely(self, work: Callable[[], T]) -> T:
        """What the work gives, if need be on another connection."""
        while True:
            try:
                return work()
            except psycopg.Error as error:
                if not self._is_lost(error):
                    raise self._named(error) from error
                self._reconnect(error)

    def _is_lost(self, error: psycopg.Error) -> bool:
        if self._read_only and isinstance(error, errors.ReadOnlySqlTransaction):
            return False
        return self._connection.closed or self._connection.broken or isinstance(error, _LOST)

    # ---- connections ----

    def _reconnect(self, lost: psycopg.Error) -> None:
        """R23.4. Raises: StoreError after the patience, RunError if another has gone on with the run."""
        until_s, pause_s = time.monotonic() + (0 if self._gave_up else _PATIENCE_S), _PAUSE_S
        reason = _in_words(lost)
        LOGGER.warning("the database %s is away (%s); it is asked again for %d s", self.name, reason, _PATIENCE_S)
        while True:
            self._connection.close()
            try:
                self._connection = self._connected()
                self._go_on()
            except psycopg.Error as error:
                reason = _in_words(error)
            else:
                LOGGER.warning("the database %s is back", self.name)
                self._gave_up = False
                return
            if time.monotonic() >= until_s:
                self._gave_up = True
                message = f"the run's database {self.name} has been away for {_PATIENCE_S:.0f} s: {reason}"
                raise StoreError(message, "nothing stored is lost; once it is back: `jaragua run CONFIG --resume`")
            time.sleep(pause_s)
            pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)

    def _connected(self) -> Connection:
        address, options = self._address, self._address.url.options
        wanted: dict[str, Any] = {**_LINE, "application_name": self._mark, "client_encoding": "utf8"}
        if not self._read_only:
            wanted["target_session_attrs"] = "read-write"
        own = {key: value for key, value in wanted.items() if key not in options or key == "application_name"}
        own |= {} if address.password is None else {"password": address.password}
        connection = psycopg.connect(make_conninfo(address.url.public, **own, **address.parameters), autocommit=True)
        for setting in _SETTINGS:
            connection.execute(setting)
        if self._read_only:
            connection.execute("SET default_transaction_read_only = on")
        return connection

    def _prepared(self) -> int:
        connection = self._connection
        if self._read_only:
            version = version_of(connection)
            if version not in (BLANK, SCHEMA_VERSION):
                raise version_error(version)
            return version
        version = make_tables(connection)
        self._warn_of_fsync()
        if not self._locked(_LOCK_PATIENCE_S):
            raise RunError(
                f"another process works on the run {self._address.name} in {self.name}",
                "stop the other one, or give this run another name; of a machine that died it lets go in half a minute",
            )
        query = (
            "INSERT INTO writers VALUES (%s, 1, 0) ON CONFLICT (name) DO UPDATE "
            "SET generation = writers.generation + 1, committed = 0 RETURNING generation"
        )
        self._generation = _first(connection, query, (self._address.name,))
        return version

    def _go_on(self) -> None:
        """After a loss: the run is still this process's, and what it has committed is known again."""
        if self._read_only:
            return
        query = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = %s AND pid <> %s"
        self._connection.execute(query, (self._mark, self._connection.info.backend_pid))
        self._require_generation()
        if not self._locked(_LOCK_PATIENCE_S):
            raise errors.LockNotAvailable("the run's lock is held by another session")
        self._require_generation()
        query = "SELECT committed FROM writers WHERE name = %s"
        self._committed = _first(self._connection, query, (self._address.name,))

    def _require_generation(self) -> None:
        query = "SELECT generation FROM writers WHERE name = %s"
        if _first(self._connection, query, (self._address.name,)) != self._generation:
            raise self._taken()

    def _locked(self, patience_s: float) -> bool:
        """R23.3: a lock of the session, which ends with it."""
        key = int.from_bytes(hashlib.sha256(f"jaragua/{self._address.name}".encode()).digest()[:8], signed=True)
        until_s = time.monotonic() + patience_s
        while not _first(self._connection, "SELECT pg_try_advisory_lock(%s)::int", (key,)):
            if time.monotonic() >= until_s:
                return False
            time.sleep(_PAUSE_S)
        return True

    def _warn_of_fsync(self) -> None:
        if self._connection.execute("SELECT current_setting('fsync')").fetchone() == ("off",):
            LOGGER.warning("%s has fsync off: what is acknowledged may be lost with the machine's power", self.name)

    # ---- errors ----

    @contextmanager
    def _named_errors(self) -> Iterator[None]:
        try:
            yield
        except psycopg.Error as error:
            raise self._named(error) from error

    def _named(self, error: psycopg.Error) -> StoreError:
        return StoreError(f"the run's database {self.name} fails: {_in_words(error)}", _HINT)

    def _taken(self) -> RunError:
        message = f"another coordinator has gone on with the run {self._address.name} in {self.name}"
        return RunError(message, "this one has committed nothing since; leave the run to the other, or stop that first")


@cache
def _translated(query: str) -> str:
    """psycopg's form of placeholders."""
    return query.replace("?", "%s")


def _first(connection: Connection, query: str, values: Sequence[Any]) -> int:
    row = connection.execute(query, values).fetchone()
    return -1 if row is None else int(row[0])


def _in_words(error: psycopg.Error) -> str:
    """The server's sentence, or libpq's in one line."""
    text = error.diag.message_primary or str(error) or type(error).__name__
    # What libpq indents are its guesses at the cause.
    lines = [line.removeprefix("- ").strip() for line in text.splitlines() if line and not line[0].isspace()]
    return "; ".join(lines)
