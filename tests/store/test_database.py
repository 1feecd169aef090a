"""The store, on SQLite and PostgreSQL (R23.1): what was committed is there, what was not is not."""

from __future__ import annotations

import contextlib
import hashlib
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import numpy as np
import psycopg
import pytest

from common.databases import database_of_version
from common.postgres_server import PostgresServer
from jaragua.errors import StoreError
from jaragua.settings import StoreSettings
from jaragua.store import (
    Assignment,
    Initialisation,
    RunRecord,
    Store,
    StoredUpdate,
    StoredVersion,
    address_of,
    open_round,
    sqlite,
)
from jaragua.store.backend import Place
from jaragua.store.postgres import schema
from jaragua.store.sqlite import _SCHEMA

RECORD = RunRecord("run-1", "run", 7, 2, "training", {"model": {"name": "sine"}})
INITIAL = Initialisation(0, np.array([0.1, -1 / 3, 1e-300]), b"\x01" * 32)
FIRST = Assignment(1, "board-1", 1, "gateway-1", 2**63 - 1)


def update(device: str = "board-1", attempt: int = 1) -> StoredUpdate:
    return StoredUpdate(1, device, attempt, b"\0blob\xff", 10, 0.1, 0.9, "mse", 9000, 1234, 1)


@pytest.fixture(params=["sqlite", "postgres"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    """Where a store may be that nobody has made yet."""
    if request.param == "sqlite":
        return tmp_path / "run.sqlite"
    server: PostgresServer = request.getfixturevalue("postgres")
    return place_at(server.emptied_database())


def place_at(text: str) -> Place:
    """The path of a file, or the address of a database."""
    return address_of(StoreSettings(url=text if "://" in text else ""), "run", {}) or Path(text)


@pytest.fixture
def store(place: Place) -> Iterator[Store]:
    with Store(place) as opened:
        opened.create_run(RECORD, INITIAL)
        yield opened


def changed(place: Place, statement: str) -> None:
    """Somebody else changes a database."""
    if isinstance(place, Path):
        with contextlib.closing(sqlite3.connect(place)) as file:
            file.execute(statement)
            file.commit()
        return
    with psycopg.connect(place.url.public, autocommit=True) as database:
        database.execute("SET search_path = jaragua")
        database.execute(statement)


def test_a_new_store_holds_no_run(place: Place) -> None:
    with Store(place) as store:
        assert store.run() is None


def test_what_was_written_comes_back(store: Store) -> None:
    store.open_round("run-1", 1, ["board-1", "board-2"], [FIRST])
    store.add_updates("run-1", [update()])
    assert store.run() == RECORD
    assert store.assignments("run-1") == [FIRST]
    assert store.updates("run-1", 1) == [update()]
    assert store.stored_keys("run-1") == {(1, "board-1"): 1}
    assert store.rounds("run-1")[0].members == ("board-1", "board-2")


def test_r20_keys_of_some_rounds_and_of_one_device(store: Store) -> None:
    store.open_round("run-1", 1, ["board-1", "board-2"], [FIRST])
    store.add_updates("run-1", [update()])
    assert store.assignments("run-1", since=2) == []
    assert store.stored_keys("run-1", since=2) == {}
    assert store.stored_keys("run-1", since=1) == {(1, "board-1"): 1}
    assert (store.devices_stored("run-1", 1), store.devices_stored("run-1", 2)) == (set(), {"board-1"})
    assert store.has_update("run-1", 1, "board-1")
    assert not store.has_update("run-1", 1, "board-2")
    assert not store.has_update("run-2", 1, "board-1")
    assert store.node_of("run-1", 1, "board-1", 1) == FIRST.node
    assert store.node_of("run-1", 1, "board-1", 2**64) is None  # a number of a header, not of the database
    assert store.node_of("run-1", 1, "board-2", 1) is None


def test_g20_which_node_sent_the_newest_update_of_a_device(store: Store) -> None:
    for number, node in ((1, "gateway-1"), (2, "gateway-2"), (3, "gateway-3")):
        assignments = [Assignment(number, device, 1, node, 3) for device in ("board-1", "board-2")]
        store.open_round("run-1", number, ["board-1", "board-2"], assignments)
        if number < 3:
            store.add_updates("run-1", [replace(update(), round_number=number, taken_in=number)])
    store.add_updates("run-1", [update("board-2")])
    assert store.nodes_of_devices("run-1") == {"board-1": "gateway-2", "board-2": "gateway-1"}


def test_a_vector_comes_back_to_the_last_bit(store: Store) -> None:
    assert store.initialisation("run-1").vector.tobytes() == INITIAL.vector.tobytes()


def test_updates_come_back_sorted_by_device(store: Store) -> None:
    """R5."""
    devices = ["board-2", "board-10", "board-1"]
    store.open_round("run-1", 1, devices, [Assignment(1, device, 1, "gateway-1", 3) for device in devices])
    for device in devices:
        store.add_updates("run-1", [update(device)])
    assert [one.device for one in store.updates("run-1", 1)] == ["board-1", "board-10", "board-2"]


def test_r31_11_what_is_written_together_is_there_as_a_whole_or_not_at_all(store: Store) -> None:
    def end_and_begin() -> None:
        store.close_round("run-1", 1, {"loss": 0.5}, Initialisation(1, INITIAL.vector, b"\x02" * 32), finished=False)
        store.open_round("run-1", 2, ["board-1"], [FIRST._replace(round_number=2)])

    store.open_round("run-1", 1, ["board-1"], [FIRST])
    with suppress(ValueError), store.together():
        end_and_begin()
        raise ValueError
    assert [(one.round_number, one.metrics) for one in store.rounds("run-1")] == [(1, None)]
    with store.together():
        end_and_begin()
        assert [one.round_number for one in store.rounds("run-1")] == [1]
    assert [(one.round_number, one.metrics) for one in store.rounds("run-1")] == [(1, {"loss": 0.5}), (2, None)]
    assert store.assignments("run-1") == [FIRST, FIRST._replace(round_number=2)]
    store.set_status("run-1", "stopped")  # alone again


def test_r31_1_what_is_kept_in_memory_is_what_the_database_has(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also R23.8: so many rows at once are a COPY in PostgreSQL. Of more bytes than are kept the database is asked."""
    devices = [f"board-{number}" for number in range(12)]
    store.open_round("run-1", 1, devices, [Assignment(1, device, 1, "gateway-1", 2**62) for device in devices])
    known = hashlib.sha256(update().blob).digest()
    store.add_updates("run-1", [replace(update(device), sha256=known) for device in reversed(devices)])
    kept = store.updates("run-1", 1)
    assert [one.device for one in kept] == sorted(devices)
    asked: list[str] = []
    rows = store._rows
    monkeypatch.setattr(store, "_rows", lambda query, values=(): asked.append(query) or rows(query, values))
    assert store.updates("run-1", 1) == kept
    assert not asked
    with Store(store.place, read_only=True) as reader:
        assert reader.updates("run-1", 1) == kept
        assert {one.seed for one in reader.assignments("run-1")} == {2**62}
    monkeypatch.setattr(open_round, "MOST_BYTES", 1)
    store.open_round("run-1", 2, devices[:1], [FIRST._replace(round_number=2, device=devices[0])])
    store.add_updates("run-1", [replace(update(devices[0]), round_number=2, taken_in=2)])
    assert len(store.updates("run-1", 2)) == 1
    assert asked


def test_r31_2_the_hash_that_was_compared_is_kept(store: Store) -> None:
    """It is not computed again: of a wrong one whoever reads the database finds out (R16.3)."""
    store.open_round("run-1", 1, ["board-1"], [FIRST])
    store.add_updates("run-1", [replace(update(), sha256=bytes(32))])
    with Store(store.place, read_only=True) as reader, pytest.raises(StoreError, match="not what was written"):
        reader.updates("run-1", 1)


def test_r31_1_a_round_that_another_process_opened_is_read_from_the_database(place: Place) -> None:
    with Store(place) as store:
        store.create_run(RECORD, INITIAL)
        store.open_round("run-1", 1, ["board-1", "board-2"], [FIRST, FIRST._replace(device="board-2")])
        store.add_updates("run-1", [update()])
    with Store(place) as store:
        store.add_updates("run-1", [update("board-2")])
        assert [one.device for one in store.updates("run-1", 1)] == ["board-1", "board-2"]


def test_r23_8_many_rows_at_once_are_refused_as_one_is(store: Store) -> None:
    devices = [f"board-{number}" for number in range(12)]
    store.open_round("run-1", 1, devices, [Assignment(1, device, 1, "gateway-1", 3) for device in devices])
    with pytest.raises(StoreError, match=r"(?i)unique"):
        store.add_updates("run-1", [update(device) for device in (*devices, devices[0])])
    with pytest.raises(StoreError, match=r"(?i)foreign key"):
        store.add_updates("run-1", [update(device, attempt=2) for device in devices])
    assert store.stored_keys("run-1") == {}


def test_names_sort_by_their_bytes(store: Store) -> None:
    """R5, R23.1: in English - counts for nothing, and capitals come after small letters."""
    devices = ["board-a", "boardb", "Board-z", "board-10", "board-2", "board_9"]
    store.open_round("run-1", 1, devices, [Assignment(1, device, 1, device, 3) for device in devices])
    store.add_updates("run-1", [update(device) for device in devices])
    figures = {device: {"loss": 0.5, "score": 0.1} for device in devices}
    told = {"devices": figures, "excluded": dict.fromkeys(devices, "too long"), "rejected": dict.fromkeys(devices, 2)}
    sizes = {"bytes_up": 2**40, "bytes_down": 7}
    store.close_round("run-1", 1, told | sizes, Initialisation(1, INITIAL.vector, b""), finished=False)
    assert [one.device for one in store.updates("run-1", 1)] == sorted(devices)
    assert [one.device for one in store.assignments("run-1")] == sorted(devices)
    assert store.nodes_of_round("run-1", 1) == sorted(devices)
    assert list(store.curves("run-1")) == sorted(devices)
    assert store.curves("run-1")["boardb"] == [{"round": 1, "loss": 0.5, "score": 0.1}]
    totals = store.totals("run-1")
    assert (totals.rounds, totals.bytes_up, totals.bytes_down) == (1, 2**40, 7)
    assert list(totals.updates.items()) == [(device, 1) for device in sorted(devices)]
    assert list(totals.excluded.items()) == [(device, 1) for device in sorted(devices)]
    assert list(totals.rejected.items()) == [(device, 2) for device in sorted(devices)]
    assert type(totals.bytes_up) is int


def test_one_update_of_a_device_in_a_round(store: Store) -> None:
    """M2: even if the machine were wrong, a second attempt cannot count twice."""
    store.open_round("run-1", 1, ["board-1"], [FIRST, Assignment(1, "board-1", 2, "gateway-1", 3)])
    store.add_updates("run-1", [update()])
    with pytest.raises(StoreError, match=r"(?i)unique"):
        store.add_updates("run-1", [update(attempt=2)])


def test_an_update_needs_an_assignment(store: Store) -> None:
    with pytest.raises(StoreError, match=r"(?i)foreign key"):
        store.add_updates("run-1", [update()])


def test_closing_a_round_is_all_or_nothing(store: Store) -> None:
    store.open_round("run-1", 1, ["board-1"], [FIRST])
    with pytest.raises(ValueError, match="JSON"):
        store.close_round("run-1", 1, {"loss": float("nan")}, Initialisation(1, INITIAL.vector, b""), finished=True)
    assert store.rounds("run-1")[0].metrics is None
    assert store.initialisation("run-1").rounds_done == 0


def test_closing_the_last_round_finishes_the_run(store: Store) -> None:
    store.open_round("run-1", 1, ["board-1"], [FIRST])
    store.close_round("run-1", 1, {"loss": 0.5}, Initialisation(1, INITIAL.vector, b"\x02" * 32), finished=True)
    record = store.run()
    assert record is not None
    assert record.status == "finished"
    assert store.blob_hashes("run-1") == [b"\x01" * 32, b"\x02" * 32]


def test_writes_are_durable(place: Place) -> None:
    """R9, R23.2: whatever the role's own setting is."""
    with Store(place) as store:
        if isinstance(place, Path):
            assert store._backend.rows("PRAGMA journal_mode") == [("wal",)]
            assert store._backend.rows("PRAGMA synchronous") == [(2,)]  # FULL
            return
    changed(place, "ALTER ROLE jaragua SET synchronous_commit = off")
    try:
        with Store(place) as store:
            assert store._backend.rows("SHOW synchronous_commit") == [("on",)]
    finally:
        changed(place, "ALTER ROLE jaragua RESET synchronous_commit")


def test_a_reader_works_beside_the_writer(store: Store) -> None:
    with Store(store.place, read_only=True) as reader:
        store.set_status("run-1", "stopped")
        record = reader.run()
        assert record is not None
        assert record.status == "stopped"
        with pytest.raises(StoreError, match=r"readonly|opened to read"):
            reader.set_status("run-1", "finished")


KILLED_WRITER = """
import sys
from jaragua.store import Assignment, Store
from test_database import place_at, update
with Store(place_at(sys.argv[1])) as store:
    devices = [f"board-{number}" for number in range(10_000)]
    store.open_round("run-1", 1, devices, [Assignment(1, device, 1, "gateway-1", 3) for device in devices])
    for device in devices:
        store.add_updates("run-1", [update(device)])
        print(device, flush=True)
"""


def test_what_a_killed_writer_had_returned_from_is_there(place: Place) -> None:
    """M2: an update may be acknowledged once `add_update` has returned."""
    with Store(place) as store:
        store.create_run(RECORD, INITIAL)
    rooms = (Path(__file__).parent, Path(__file__).parents[1])
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, rooms))}
    with subprocess.Popen(
        [sys.executable, "-c", KILLED_WRITER, str(place)], stdout=subprocess.PIPE, text=True, env=environment
    ) as writer:
        assert writer.stdout is not None
        said = [writer.stdout.readline().strip() for _ in range(20)]
        writer.send_signal(signal.SIGKILL)
        said += [line.strip() for line in writer.stdout.read().splitlines()]
    with Store(place) as store:
        kept = {device for _, device in store.stored_keys("run-1")}
    assert len(said) >= 20
    assert set(said) <= kept


def test_a_file_that_is_no_database_is_named(tmp_path: Path) -> None:
    path = tmp_path / "run.sqlite"
    path.write_bytes(b"this is no database, however long one looks at it" * 100)
    with pytest.raises(StoreError, match="file is not a database"):
        Store(path)


def test_a_database_of_another_version_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="of version 99, this program reads version 8"):
        Store(database_of_version(tmp_path / "run.sqlite", 99))


def as_of_version_1(path: Path) -> None:
    """What the program before wrote."""
    with contextlib.closing(sqlite3.connect(path)) as database:
        database.executescript(f"{_SCHEMA} PRAGMA user_version = 1;")
        database.execute("INSERT INTO runs VALUES ('run-1', 'run', 7, 2, 'training', '{}')")
        database.execute("INSERT INTO rounds VALUES ('run-1', 1, '[]', NULL)")
        database.execute("INSERT INTO assignments VALUES ('run-1', 1, 'board-1', 1, 'gateway-1', 3)")
        values = "'run-1', 1, 'board-1', 1, x'00', 10, 0.1, 0.9, 'mse', 9000, 1234"
        database.execute(f"INSERT INTO updates VALUES ({values})")
        database.commit()


@pytest.fixture
def of_version_7(place: Place, monkeypatch: pytest.MonkeyPatch) -> Place:
    """A database as the program wrote it before R31.12, with two updates, of which one counts in the next round."""
    with monkeypatch.context() as patch:
        patch.setattr(sqlite, "SCHEMA_VERSION", 7)
        patch.setattr(sqlite, "_FEWER_INDICES", "")
        patch.setattr(schema, "SCHEMA_VERSION", 7)
        patch.delitem(schema.STEPS, 8)
        with Store(place) as store:
            store.create_run(RECORD, INITIAL)
            add_late_updates(store)
    return place


def add_late_updates(store: Store) -> None:
    """board-2 is on time in both rounds; board-1 of round 1 and board-3 of round 1 count in round 2."""
    devices = ["board-1", "board-2", "board-3"]
    for number in (1, 2):
        given = [FIRST._replace(round_number=number, device=device) for device in devices]
        store.open_round("run-1", number, devices, given)
    on_time = [update("board-2"), replace(update("board-2"), round_number=2, taken_in=2)]
    late = [replace(update(device), taken_in=2) for device in ("board-3", "board-1")]
    store.add_updates("run-1", [*on_time, *late])


def counted(store: Store, number: int) -> list[tuple[str, int]]:
    found = [(one.device, one.round_number) for one in store.updates("run-1", number)]
    assert store.taken_in("run-1", number) == len(found)
    return found


def test_r31_12_updates_that_count_in_a_later_round(place: Place) -> None:
    with Store(place) as store:
        store.create_run(RECORD, INITIAL)
        add_late_updates(store)
    with Store(place) as store:
        assert counted(store, 1) == [("board-2", 1)]
        assert counted(store, 2) == [("board-1", 1), ("board-2", 2), ("board-3", 1)]
        assert counted(store, 3) == []


def test_r31_12_a_database_of_version_7_is_read_and_made_newer(of_version_7: Place) -> None:
    if isinstance(of_version_7, Path):  # in PostgreSQL a reader asks for the newest tables
        with Store(of_version_7, read_only=True) as reader:
            assert counted(reader, 2) == [("board-1", 1), ("board-2", 2), ("board-3", 1)]
    for _ in range(2):
        with Store(of_version_7) as store:
            assert counted(store, 1) == [("board-2", 1)]
            assert counted(store, 2) == [("board-1", 1), ("board-2", 2), ("board-3", 1)]
            with pytest.raises(StoreError, match=r"(?i)unique"):
                store.add_updates("run-1", [update(attempt=1)])
            with pytest.raises(StoreError, match=r"(?i)foreign key"):
                store.add_updates("run-1", [update("board-4")])


def test_r31_12_an_update_that_counts_before_its_own_round_is_damage(store: Store) -> None:
    add_late_updates(store)
    changed(store.place, "UPDATE updates SET taken_in = 0 WHERE device = 'board-2' AND round = 2")
    with Store(store.place, read_only=True) as reader, pytest.raises(StoreError, match="board-2 for round 2 is not"):
        reader.updates("run-1", 2)


def test_r31_12_no_query_for_the_updates_of_a_round_reads_all_of_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One index for each update is enough: SQLite says how it would look for them."""
    with Store(tmp_path / "run.sqlite") as store:
        store.create_run(RECORD, INITIAL)
        asked: list[str] = []
        rows = store._rows
        monkeypatch.setattr(store, "_rows", lambda query, values=(): asked.append(query) or rows(query, values))
        store.updates("run-1", 1)
        store.taken_in("run-1", 1)
        store.has_update("run-1", 1, "board-1")
        store.stored_keys("run-1", 1)
        store.forms_sent("run-1", 1)
        assert len(asked) == 6
        for query in asked:
            plan = [row[3] for row in rows(f"EXPLAIN QUERY PLAN {query}", ("run-1",) + (1,) * (query.count("?") - 1))]
            assert any(line.startswith("SEARCH updates USING") for line in plan)
            assert not [line for line in plan if line.startswith("SCAN updates")]
        indices = rows("SELECT name FROM sqlite_master WHERE type = 'index' AND tbl_name = 'updates'")
        assert sorted(indices) == [("sqlite_autoindex_updates_1",), ("updates_that_count_later",)]


def test_a_database_of_version_1_is_read_and_gone_on_with(tmp_path: Path) -> None:
    path = tmp_path / "run.sqlite"
    as_of_version_1(path)
    with Store(path, read_only=True) as reader:
        assert reader.totals("run-1").updates == {"board-1": 1}
        record = reader.run()
        assert record is not None
        assert record.beginning == {}
    with Store(path) as store:
        found = store.updates("run-1", 1)
        assert [(one.device, one.encoding, one.taken_in) for one in found] == [("board-1", "blob", 1)]
        assert store.starts("run-1") == []


def test_of_starts_only_the_newest_has_its_blob(store: Store) -> None:
    for number in (1, 2):
        store.open_round("run-1", number, ["board-1"], [])
        start = StoredVersion(number, bytes(32), b"blob", b"payload", 7 * number)
        result = Initialisation(number, INITIAL.vector, b"")
        store.close_round("run-1", number, {}, result, start, finished=False)
    assert [(one.rounds_done, one.blob, one.payload) for one in store.starts("run-1")] == [
        (1, b"", b"payload"),
        (2, b"blob", b"payload"),
    ]


def test_of_initialisations_only_the_newest_has_the_moments_of_the_server_optimiser(store: Store) -> None:
    """R18.5."""
    moments = np.array([[0.1, -1 / 3, 1e-300], [1e-6, 2.0, 3.0]])
    for number in (1, 2):
        store.open_round("run-1", number, ["board-1"], [])
        result = Initialisation(number, INITIAL.vector, b"", number * moments)
        store.close_round("run-1", number, {}, result, finished=False)
    np.testing.assert_array_equal(store.initialisation("run-1").moments, 2 * moments)
    assert store.initialisation("run-1", 1).moments.size == 0
    zeros = "zeroblob(48)" if isinstance(store.place, Path) else "decode(repeat('00', 48), 'hex')"
    changed(store.place, f"UPDATE initialisations SET moments = {zeros} WHERE rounds_done = 2")
    with pytest.raises(StoreError, match="the server optimiser's state after 2 rounds is not what was written"):
        store.initialisation("run-1")


def test_r31_5_many_rows_are_few_statements_and_all_or_none(tmp_path: Path) -> None:
    """Of a new file pages of 16 KiB; one bad row in the second statement leaves nothing of the others."""
    with Store(tmp_path / "run.sqlite") as store:
        store.create_run(RECORD, INITIAL)
        names = [f"board-{number}" for number in range(150)]
        store.open_round("run-1", 1, names, [Assignment(1, name, 1, "gateway-1", 5) for name in names])
        assert store._rows("PRAGMA page_size") == [(16_384,)]
        updates = [update(name) for name in names]
        with pytest.raises(StoreError):
            store.add_updates("run-1", [*updates[:100], update("board-7"), *updates[100:]])
        assert store.stored_keys("run-1") == {}
        statements: list[str] = []
        store._backend._connection.set_trace_callback(statements.append)  # type: ignore[union-attr]
        store.add_updates("run-1", updates)
        assert sum(one.startswith("INSERT") for one in statements) == 2 + 1 + (150 - 2 * 64 - 16)
        assert store.stored_keys("run-1") == {(1, name): 1 for name in names}
        assert sorted(one.device for one in store.updates("run-1", 1)) == sorted(names)


def test_r20_5_closed_rounds_are_read_one_after_the_other(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever adds up the figures of all rounds has those of one in memory."""
    assert not store.has_rounds("run-1")
    for number in (1, 2, 3):
        store.open_round("run-1", number, ["board-1"], [])
        if number < 3:
            result = Initialisation(number, np.array([0.5]), b"\x02" * 32)
            store.close_round("run-1", number, {"round": number}, result, finished=False)
    assert store.has_rounds("run-1")
    assert [one.round_number for one in store.rounds("run-1", 2)] == [2, 3]
    read: list[int] = []
    metrics = store.metrics
    monkeypatch.setattr(store, "metrics", lambda run, number: read.append(number) or metrics(run, number))
    closed = store.closed_rounds("run-1")
    assert next(closed) == {"round": 1}
    assert read == [1]
    assert list(closed) == [{"round": 2}]
