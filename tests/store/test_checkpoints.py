"""R31.9: the WAL is copied into the database beside the commits, and what was committed is durable all the while."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
from test_database import INITIAL, RECORD, update

from jaragua.store import Assignment, Store
from jaragua.store import sqlite as sqlite_module
from jaragua.store.checkpoints import Checkpoints
from limits import GENEROUS_S

NAMES = [f"board-{number}" for number in range(60)]


def _begun(path: Path) -> Store:
    store = Store(path)
    store.create_run(RECORD, INITIAL)
    store.open_round("run-1", 1, NAMES, [Assignment(1, name, 1, "gateway-1", 3) for name in NAMES])
    return store


class _Watched(sqlite3.Connection):
    """Tells of each checkpoint, and waits in it."""

    def __init__(self, *values: Any, **named: Any) -> None:
        super().__init__(*values, **named)
        self.copied: list[tuple[int, int, int]] = []
        self.is_in, self.may_go_on, self.is_done = threading.Event(), threading.Event(), threading.Event()

    def execute(self, query: str, *values: Any) -> sqlite3.Cursor:  # type: ignore[override]
        if "wal_checkpoint" not in query:
            return super().execute(query, *values)
        self.is_in.set()
        assert self.may_go_on.wait(GENEROUS_S)
        found = super().execute(query, *values)
        self.copied += found.fetchall()
        self.is_done.set()
        return found


def test_r31_9_commits_go_on_during_a_checkpoint(tmp_path: Path) -> None:
    path = tmp_path / "run.sqlite"
    with _begun(path) as store:
        beside = sqlite3.connect(path, factory=_Watched, check_same_thread=False, isolation_level=None)
        store._backend._checkpoints = Checkpoints(lambda: beside, each=10)  # type: ignore[union-attr]
        for name in NAMES[:30]:
            store.add_updates("run-1", [update(name)])
        assert beside.is_in.wait(GENEROUS_S)
        for name in NAMES[30:]:
            store.add_updates("run-1", [update(name)])
        assert not beside.copied
        assert len(store.stored_keys("run-1")) == len(NAMES)
        beside.may_go_on.set()
        assert beside.is_done.wait(GENEROUS_S)
        busy, pages, copied = beside.copied[0]
        assert busy == 0
        assert pages == copied > len(NAMES)  # it waited until all were committed
    with Store(path, read_only=True) as store:
        assert len(store.stored_keys("run-1")) == len(NAMES)


def test_r31_9_without_a_second_connection_the_commits_copy_the_wal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite_module, "_MOST_PAGES_OF_A_WAL", 20)
    path = tmp_path / "run.sqlite"

    def refused() -> sqlite3.Connection:
        raise sqlite3.OperationalError("unable to open database file")

    with _begun(path) as store:
        store._backend._checkpoints = Checkpoints(refused, each=1)  # type: ignore[union-attr]
        for name in NAMES:  # at least three pages each: of a table and its two indices
            store.add_updates("run-1", [update(name)])
        assert path.with_name("run.sqlite-wal").stat().st_size < 3 * len(NAMES) * 16_384 // 2
        assert len(store.stored_keys("run-1")) == len(NAMES)


def test_a_store_is_closed_when_whoever_uses_it_is_done(tmp_path: Path) -> None:
    """A thread that still writes files reads it; SQLite's library ends the process if it is closed meanwhile."""
    store = _begun(tmp_path / "run.sqlite")
    with store._lock:
        closing = threading.Thread(target=store.close)
        closing.start()
        assert store._backend.rows("SELECT count(*) FROM runs") == [(1,)]
        assert closing.is_alive()
    closing.join(GENEROUS_S)
    assert not closing.is_alive()


KILLED_WRITER = """
import sys
from pathlib import Path
from jaragua.store import sqlite
sqlite._PAGES_OF_A_CHECKPOINT = 8
from test_checkpoints import NAMES, _begun
from test_database import update
with _begun(Path(sys.argv[1])) as store:
    for name in NAMES:
        store.add_updates("run-1", [update(name)])
        print(name, flush=True)
    sys.stdin.read()
"""


@pytest.mark.parametrize("heard", [5, 25, len(NAMES)])
def test_r31_9_what_a_writer_that_was_killed_among_checkpoints_had_returned_from_is_there(
    tmp_path: Path, heard: int
) -> None:
    path = tmp_path / "run.sqlite"
    rooms = (Path(__file__).parent, Path(__file__).parents[1])
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, rooms))}
    with subprocess.Popen(
        [sys.executable, "-c", KILLED_WRITER, str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
    ) as writer:
        assert writer.stdout is not None
        said = [writer.stdout.readline().strip() for _ in range(heard)]
        writer.send_signal(signal.SIGKILL)
        said += [line.strip() for line in writer.stdout.read().splitlines()]
    with Store(path) as store:
        store.check_whole()
        assert set(said) <= {device for _, device in store.stored_keys("run-1")}
