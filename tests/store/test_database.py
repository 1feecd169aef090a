"""The store: what was committed is there, what was not is not, and a file that is not ours is named."""

from __future__ import annotations

import contextlib
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from common.databases import database_of_version
from jaragua.errors import StoreError
from jaragua.store import Assignment, Initialisation, RunRecord, Store, StoredUpdate, StoredVersion
from jaragua.store.database import _SCHEMA

RECORD = RunRecord("run-1", "run", 7, 2, "training", {"model": {"name": "sine"}})
INITIAL = Initialisation(0, np.array([0.1, -1 / 3, 1e-300]), b"\x01" * 32)
FIRST = Assignment(1, "board-1", 1, "gateway-1", 2**63 - 1)


def update(device: str = "board-1", attempt: int = 1) -> StoredUpdate:
    return StoredUpdate(1, device, attempt, b"\0blob\xff", 10, 0.1, 0.9, "mse", 9000, 1234, 1)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store(tmp_path / "run.sqlite") as opened:
        opened.create_run(RECORD, INITIAL)
        yield opened


def test_a_new_file_holds_no_run(tmp_path: Path) -> None:
    with Store(tmp_path / "new.sqlite") as store:
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


def test_a_vector_comes_back_to_the_last_bit(store: Store) -> None:
    assert store.initialisation("run-1").vector.tobytes() == INITIAL.vector.tobytes()


def test_updates_come_back_sorted_by_device(store: Store) -> None:
    """R5."""
    devices = ["board-2", "board-10", "board-1"]
    store.open_round("run-1", 1, devices, [Assignment(1, device, 1, "gateway-1", 3) for device in devices])
    for device in devices:
        store.add_updates("run-1", [update(device)])
    assert [one.device for one in store.updates("run-1", 1)] == ["board-1", "board-10", "board-2"]


def test_one_update_of_a_device_in_a_round(store: Store) -> None:
    """M2: even if the machine were wrong, a second attempt cannot count twice."""
    store.open_round("run-1", 1, ["board-1"], [FIRST, Assignment(1, "board-1", 2, "gateway-1", 3)])
    store.add_updates("run-1", [update()])
    with pytest.raises(StoreError, match="UNIQUE"):
        store.add_updates("run-1", [update(attempt=2)])


def test_an_update_needs_an_assignment(store: Store) -> None:
    with pytest.raises(StoreError, match="FOREIGN KEY"):
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


def test_writes_are_durable(store: Store) -> None:
    assert store._connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert store._connection.execute("PRAGMA synchronous").fetchone() == (2,)  # FULL


def test_a_reader_works_beside_the_writer(store: Store) -> None:
    with Store(store.path, read_only=True) as reader:
        store.set_status("run-1", "stopped")
        record = reader.run()
        assert record is not None
        assert record.status == "stopped"
        with pytest.raises(StoreError, match="readonly"):
            reader.set_status("run-1", "finished")


KILLED_WRITER = """
import sys
from jaragua.store import Assignment, Store
from test_database import update
with Store(sys.argv[1]) as store:
    devices = [f"board-{number}" for number in range(10_000)]
    store.open_round("run-1", 1, devices, [Assignment(1, device, 1, "gateway-1", 3) for device in devices])
    for device in devices:
        store.add_updates("run-1", [update(device)])
        print(device, flush=True)
"""


def test_what_a_killed_writer_had_returned_from_is_there(store: Store, tmp_path: Path) -> None:
    """M2: an update may be acknowledged once `add_update` has returned."""
    script = KILLED_WRITER.replace("Store(sys.argv[1])", "Store(__import__('pathlib').Path(sys.argv[1]))")
    rooms = (Path(__file__).parent, Path(__file__).parents[1])
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, rooms))}
    with subprocess.Popen(
        [sys.executable, "-c", script, str(store.path)], stdout=subprocess.PIPE, text=True, env=environment
    ) as writer:
        assert writer.stdout is not None
        said = [writer.stdout.readline().strip() for _ in range(20)]
        writer.send_signal(signal.SIGKILL)
        said += [line.strip() for line in writer.stdout.read().splitlines()]
    kept = {device for _, device in store.stored_keys("run-1")}
    assert len(said) >= 20
    assert set(said) <= kept


def test_a_file_that_is_no_database_is_named(tmp_path: Path) -> None:
    path = tmp_path / "run.sqlite"
    path.write_bytes(b"this is no database, however long one looks at it" * 100)
    with pytest.raises(StoreError, match="file is not a database"):
        Store(path)


def test_a_database_of_another_version_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="of version 99, this program reads version 6"):
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
    store._connection.execute("UPDATE initialisations SET moments = zeroblob(48) WHERE rounds_done = 2")
    with pytest.raises(StoreError, match="the server optimiser's state after 2 rounds is not what was written"):
        store.initialisation("run-1")
