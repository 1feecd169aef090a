"""From where a run's database is to the database."""

from __future__ import annotations

from pathlib import Path

from jaragua.errors import ToolError
from jaragua.store.backend import Backend, Place
from jaragua.store.sqlite import SqliteBackend


def backend_at(place: Place, *, read_only: bool) -> Backend:
    """Open a database; for writing, its tables are made or brought to this version.

    Raises: StoreError; RunError if another process writes; ToolError without psycopg.
    """
    if isinstance(place, Path):
        return SqliteBackend(place, read_only=read_only)
    try:
        from jaragua.store.postgres.session import PostgresBackend
    except ImportError as error:
        message = "the Python package psycopg is not installed; a store in PostgreSQL needs it"
        raise ToolError(message, "install it: pip install 'jaragua[postgres]'") from error
    return PostgresBackend(place, read_only=read_only)
