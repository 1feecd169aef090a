"""Is there a database, and may this role keep runs in it? Nothing is made or changed."""

from __future__ import annotations

import time

from jaragua.bases.value import Value
from jaragua.store.postgres.address import PostgresAddress
from jaragua.store.postgres.schema import SCHEMA
from jaragua.store.postgres.session import PostgresBackend

_RIGHTS = f"""
SELECT CASE
    WHEN to_regnamespace('{SCHEMA}') IS NULL THEN has_database_privilege(current_database(), 'CREATE')
    WHEN to_regclass('{SCHEMA}.updates') IS NULL THEN has_schema_privilege('{SCHEMA}', 'CREATE')
    ELSE has_schema_privilege('{SCHEMA}', 'USAGE') AND has_table_privilege('{SCHEMA}.updates', 'INSERT')
END
"""


class Inspection(Value):
    """What was found. may_write: make the tables, or write into them. is_durable: `fsync` is on."""

    version: str
    may_write: bool
    is_durable: bool
    milliseconds: float


def inspect(address: PostgresAddress) -> Inspection:
    """Raises: StoreError if it cannot be reached, or has tables of another version."""
    backend = PostgresBackend(address, read_only=True)
    try:
        began = time.perf_counter()
        ((version,),) = backend.rows("SHOW server_version")
        milliseconds = 1000 * (time.perf_counter() - began)
        ((may_write,),) = backend.rows(_RIGHTS)
        ((fsync,),) = backend.rows("SHOW fsync")
    finally:
        backend.close()
    return Inspection(version.split()[0], may_write, fsync == "on", milliseconds)
