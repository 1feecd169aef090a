"""The truth of a run: a SQLite file in the run's folder or a PostgreSQL database, and what people read beside it."""

from jaragua.store.database import Store
from jaragua.store.postgres.address import PostgresAddress, address_of
from jaragua.store.records import Assignment, Initialisation, RoundRecord, RunRecord, StoredUpdate, StoredVersion
from jaragua.store.run_folder import RunFolder, holds_run, open_run, place_of, read_run

__all__ = [
    "Assignment",
    "Initialisation",
    "PostgresAddress",
    "RoundRecord",
    "RunFolder",
    "RunRecord",
    "Store",
    "StoredUpdate",
    "StoredVersion",
    "address_of",
    "holds_run",
    "open_run",
    "place_of",
    "read_run",
]
