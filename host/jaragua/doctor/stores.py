"""Where a coordinator keeps runs, if that is not its own folder."""

from __future__ import annotations

import sys
from importlib.util import find_spec

from jaragua.doctor.check import Check
from jaragua.errors import JaraguaError
from jaragua.store import PostgresAddress

_NAME, _PURPOSE = "store", "keeps runs in PostgreSQL"
_INSTALL = f"{sys.executable} -m pip install 'jaragua[postgres]'"


def check_store(address: PostgresAddress | None) -> Check:
    """address: what the user said, and so has to work; None: only whether one could be used."""
    if find_spec("psycopg") is None:
        return Check(_NAME, _PURPOSE, False, address is not None, "psycopg is not installed", _INSTALL)
    if address is None:
        found = "psycopg is installed; runs are kept in their folder without store.url"
        return Check(_NAME, _PURPOSE, True, False, found, _INSTALL)
    from jaragua.store.postgres.inspection import inspect

    try:
        seen = inspect(address)
    except JaraguaError as error:
        return Check(_NAME, _PURPOSE, False, True, error.message, error.hint)
    answer = f"PostgreSQL {seen.version} at {address} answers after {seen.milliseconds:.1f} ms"
    if not seen.may_write:
        mend = "let the role own the schema jaragua (docs/how-to/postgresql.md)"
        return Check(_NAME, _PURPOSE, False, True, f"{answer}; its role may not write runs", mend)
    if not seen.is_durable:
        mend = "switch fsync on in postgresql.conf: without it a power cut loses what was acknowledged"
        return Check(_NAME, _PURPOSE, False, True, f"{answer}; fsync is off", mend)
    return Check(_NAME, _PURPOSE, True, True, answer, "nothing")
