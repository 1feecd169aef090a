"""What the store asks of a database: rows, transactions, and the few statements in which databases differ."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Final, Protocol

from jaragua.bases.value import Value
from jaragua.errors import StoreError
from jaragua.store.postgres.address import PostgresAddress

#: Version 4 has the tables of version 3; metrics and settings have other names.
SCHEMA_VERSION: Final = 8
#: Of a database whose tables were never made: it holds no run.
BLANK: Final = 0
CHECKED_SINCE: Final = 3
OPTIMISED_SINCE: Final = 5
BEGINNINGS_SINCE: Final = 6

Statement = tuple[str, Sequence[Any]]
"""SQL with `?` for each value, and the values."""


class Queries(Value):
    """Statements over the JSON of rounds. They take the run's identifier, and sort by bytes.

    totals: closed rounds, bytes up and down. excluded, rejected: key and sum. curves: device, round, loss, score, age.
    """

    totals: str
    excluded: str
    rejected: str
    curves: str


class Backend(Protocol):
    """A database that is open. One thread at a time may use it.

    name: for messages.
    """

    name: str
    version: int
    queries: Queries

    @property
    def which_run(self) -> Statement:
        """What selects the run among those of the table, with its values."""

    def rows(self, query: str, values: Sequence[Any] = ()) -> list[Any]:
        """What a query finds. Raises: StoreError."""

    def commit(self, statements: Iterable[Statement]) -> None:
        """Carry out statements in one transaction; when this returns it is durable. Raises: StoreError, RunError."""

    def set_aside(self) -> str:
        """Begin anew: keep the run, so that the store holds none. Its identifier; "" if the store held none."""

    def damage(self) -> str:
        """What is wrong with the structure of the whole database; "" if nothing is."""

    def close(self) -> None:
        """Let go of it; what was committed stays."""


def version_error(version: int) -> StoreError:
    """Of a database that another version of this program made."""
    return StoreError(
        f"the run's database is of version {version}, this program reads version {SCHEMA_VERSION}",
        "start a run in another folder, or use the program that made this one",
    )


Place = Path | PostgresAddress
"""Where a run's database is: the file of SQLite, or an address of PostgreSQL."""
