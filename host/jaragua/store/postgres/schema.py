"""Tables of runs in PostgreSQL. Names sort by their bytes, as in SQLite and in Python: R5 adds in that order."""

from __future__ import annotations

from typing import Any, Final

import psycopg

from jaragua.store.backend import BLANK, SCHEMA_VERSION, Queries, version_error

#: Everything is in a schema of this name. An administrator may make it beforehand, owned by the coordinator's role.
SCHEMA: Final = "jaragua"
#: Of the lock under which tables are made.
_SCHEMA_LOCK: Final = 0x6A617261677561

#: What SQLite has in version 6. runs.aside: the run was begun anew, and this one is kept. writers: R23.3, R23.4.
_FIRST: Final = """
CREATE TABLE runs (
    run TEXT COLLATE "C" PRIMARY KEY, name TEXT COLLATE "C" NOT NULL, seed BIGINT NOT NULL, rounds BIGINT NOT NULL,
    status TEXT NOT NULL, settings TEXT NOT NULL, beginning TEXT NOT NULL, aside BOOLEAN NOT NULL DEFAULT FALSE);
CREATE UNIQUE INDEX one_run_of_a_name ON runs (name) WHERE NOT aside;
CREATE TABLE initialisations (
    run TEXT COLLATE "C" NOT NULL REFERENCES runs, rounds_done BIGINT NOT NULL, vector BYTEA NOT NULL,
    blob_hash BYTEA NOT NULL, vector_check BYTEA NOT NULL, moments BYTEA NOT NULL, moments_check BYTEA NOT NULL,
    PRIMARY KEY (run, rounds_done));
CREATE TABLE rounds (
    run TEXT COLLATE "C" NOT NULL REFERENCES runs, round BIGINT NOT NULL, members TEXT NOT NULL, metrics TEXT,
    PRIMARY KEY (run, round));
CREATE TABLE assignments (
    run TEXT COLLATE "C" NOT NULL, round BIGINT NOT NULL, device TEXT COLLATE "C" NOT NULL, attempt BIGINT NOT NULL,
    node TEXT COLLATE "C" NOT NULL, seed BIGINT NOT NULL,
    PRIMARY KEY (run, round, device, attempt), FOREIGN KEY (run, round) REFERENCES rounds);
CREATE TABLE updates (
    run TEXT COLLATE "C" NOT NULL, round BIGINT NOT NULL, device TEXT COLLATE "C" NOT NULL, attempt BIGINT NOT NULL,
    blob BYTEA NOT NULL, samples BIGINT NOT NULL, loss DOUBLE PRECISION NOT NULL, score DOUBLE PRECISION NOT NULL,
    metric TEXT NOT NULL, instructions BIGINT NOT NULL, payload_bytes BIGINT NOT NULL,
    encoding TEXT NOT NULL, taken_in BIGINT NOT NULL, blob_check BYTEA NOT NULL,
    PRIMARY KEY (run, round, device, attempt),
    FOREIGN KEY (run, round, device, attempt) REFERENCES assignments);
CREATE UNIQUE INDEX one_update_of_a_device_in_a_round ON updates (run, round, device);
CREATE INDEX updates_by_where_they_count ON updates (run, taken_in);
CREATE TABLE starts (
    run TEXT COLLATE "C" NOT NULL REFERENCES runs, rounds_done BIGINT NOT NULL, sha256 BYTEA NOT NULL,
    blob BYTEA NOT NULL, payload BYTEA NOT NULL, total BIGINT NOT NULL,
    PRIMARY KEY (run, rounds_done));
CREATE TABLE writers (
    name TEXT COLLATE "C" PRIMARY KEY, generation BIGINT NOT NULL, committed BIGINT NOT NULL);
CREATE TABLE version (number BIGINT NOT NULL);
INSERT INTO version VALUES (6);
"""
#: What a secure sum keeps (docs/design/private-updates.md, U7.2). Round 0: of the run.
_SUMMED: Final = """
CREATE TABLE sums (
    run TEXT COLLATE "C" NOT NULL, round BIGINT NOT NULL, stage TEXT COLLATE "C" NOT NULL,
    device TEXT COLLATE "C" NOT NULL, content BYTEA NOT NULL,
    PRIMARY KEY (run, round, stage, device));
"""
#: One index of updates, not three (R31.12), and one of those that count in a later round than their own (R13).
_FEWER_INDICES: Final = """
ALTER TABLE updates DROP CONSTRAINT updates_pkey;
DROP INDEX one_update_of_a_device_in_a_round;
ALTER TABLE updates ADD PRIMARY KEY (run, round, device);
DROP INDEX updates_by_where_they_count;
CREATE INDEX updates_that_count_later ON updates (run, taken_in) WHERE taken_in <> round;
"""
#: Version -> what makes the one before it this one; the first is made as a whole.
STEPS: dict[int, str] = {6: _FIRST, 7: _SUMMED, 8: _FEWER_INDICES}

_SUM_OF: Final = "coalesce(sum((metrics::json ->> '{}')::bigint), 0)::bigint"
QUERIES: Final = Queries(
    totals=(
        f"SELECT count(*), {_SUM_OF.format('bytes_up')}, {_SUM_OF.format('bytes_down')} "
        "FROM rounds WHERE run = ? AND metrics IS NOT NULL"
    ),
    excluded=(
        "SELECT key COLLATE \"C\" AS name, count(*) FROM rounds, json_each(metrics::json -> 'excluded') "
        "WHERE run = ? AND json_typeof(value) = 'string' GROUP BY name ORDER BY name"
    ),
    rejected=(
        'SELECT key COLLATE "C" AS name, sum(value::text::bigint)::bigint '
        "FROM rounds, json_each(metrics::json -> 'rejected') WHERE run = ? GROUP BY name ORDER BY name"
    ),
    curves=(
        "SELECT key COLLATE \"C\" AS name, round, (value ->> 'loss')::double precision, "
        "(value ->> 'score')::double precision, coalesce((value ->> 'age')::bigint, 0) "
        "FROM rounds, json_each(metrics::json -> 'devices') WHERE run = ? ORDER BY name, round"
    ),
)


def version_of(connection: psycopg.Connection[Any]) -> int:
    """Of the tables that are there; BLANK if there are none. Raises: StoreError if a later program made them."""
    found = connection.execute(f"SELECT to_regclass('{SCHEMA}.version') IS NOT NULL").fetchone()
    if found is None or not found[0]:
        return BLANK
    row = connection.execute(f"SELECT number FROM {SCHEMA}.version").fetchone()
    version = BLANK if row is None else int(row[0])
    if version > SCHEMA_VERSION:
        raise version_error(version)
    return version


def make_tables(connection: psycopg.Connection[Any]) -> int:
    """Bring the tables to this version in one transaction; several programs may try at once. Returns the version."""
    if version_of(connection) == SCHEMA_VERSION:
        return SCHEMA_VERSION
    connection.execute("BEGIN")
    try:
        connection.execute("SELECT pg_advisory_xact_lock(%s)", (_SCHEMA_LOCK,))
        if connection.execute("SELECT 1 FROM pg_namespace WHERE nspname = %s", (SCHEMA,)).fetchone() is None:
            connection.execute(f"CREATE SCHEMA {SCHEMA}")
        connection.execute(f"SET LOCAL search_path = {SCHEMA}")
        found = version_of(connection)
        for version in sorted(number for number in STEPS if number > found):
            connection.execute(STEPS[version])
            connection.execute("UPDATE version SET number = %s", (version,))
        connection.execute("COMMIT")
    except BaseException:
        if not connection.closed:
            connection.execute("ROLLBACK")
        raise
    return SCHEMA_VERSION
