"""M2, M3: an update stays in the outbox until it is acknowledged, whatever happens to the process."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from common.databases import database_of_version
from jaragua.errors import StoreError
from jaragua.node.outbox import Outbox, OutboxEntry, UpdateKey

KEY = UpdateKey("r1", 3, "board-1", 0)


def entry(number: int = 3, payload: bytes = b"weights") -> OutboxEntry:
    return OutboxEntry(UpdateKey("r1", number, "board-1", 0), payload)


def test_update_is_pending_until_acknowledged(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path / "outbox.sqlite3")
    outbox.put(entry())
    assert outbox.pending() == [entry()]
    assert outbox.acknowledge(KEY)
    assert outbox.pending() == []
    outbox.close()


def test_acknowledged_update_is_still_known(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path / "outbox.sqlite3")
    outbox.put(entry())
    outbox.acknowledge(KEY)
    assert outbox.get(KEY) == entry()
    assert not outbox.acknowledge(KEY)
    outbox.close()


def test_first_update_of_a_key_stays(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path / "outbox.sqlite3")
    outbox.put(entry(payload=b"first"))
    outbox.put(entry(payload=b"second"))
    assert [found.payload for found in outbox.pending()] == [b"first"]
    outbox.close()


def test_pending_comes_oldest_first_and_survives_reopening(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path / "outbox.sqlite3")
    for number in (5, 4, 6):
        outbox.put(entry(number))
    outbox.close()
    again = Outbox(tmp_path / "outbox.sqlite3")
    assert [found.key.round for found in again.pending()] == [5, 4, 6]
    again.close()


def test_update_survives_the_death_of_the_process(tmp_path: Path) -> None:
    program = (
        "import sys, signal, pathlib; from jaragua.node.outbox import *\n"
        "Outbox(pathlib.Path(sys.argv[1])).put(OutboxEntry(UpdateKey('r1', 3, 'board-1', 0), b'weights'))\n"
        "print('kept', flush=True); signal.pause()"
    )
    path = tmp_path / "outbox.sqlite3"
    with subprocess.Popen([sys.executable, "-c", program, str(path)], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "kept\n"
        os.kill(process.pid, signal.SIGKILL)
    outbox = Outbox(path)
    assert outbox.pending() == [entry()]
    outbox.close()


def test_old_acknowledged_updates_go_and_pending_ones_stay(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path / "outbox.sqlite3")
    outbox.put(entry(0))
    for number in range(1, 200):
        outbox.put(entry(number))
        outbox.acknowledge(entry(number).key)
    assert outbox.get(entry(1).key) is None
    assert outbox.get(entry(199).key) is not None
    assert outbox.pending() == [entry(0)]
    outbox.close()


def test_epoch_rises_with_every_call_and_with_every_outbox(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path / "outbox.sqlite3")
    first, second = outbox.next_epoch(), outbox.next_epoch()
    outbox.close()
    again = Outbox(tmp_path / "outbox.sqlite3")
    assert first < second < again.next_epoch()
    again.close()


EPOCHS_UNTIL_KILLED = """
import os, pathlib, signal, sys
from jaragua.node.outbox import Outbox
outbox = Outbox(pathlib.Path(sys.argv[1]))
for _ in range(int(sys.argv[2])):
    print(outbox.next_epoch(), flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_m8_epoch_rises_whenever_the_process_is_killed(tmp_path: Path) -> None:
    """Also where the clock is behind: the number in the file alone decides."""
    path, last = tmp_path / "outbox.sqlite3", 0
    future = Outbox(path)
    future._database.execute("UPDATE epochs SET last = ?", (2**40,))
    future.close()
    for attempts in (1, 16, 17, 100):
        command = [sys.executable, "-c", EPOCHS_UNTIL_KILLED, str(path), str(attempts)]
        given = [int(line) for line in subprocess.run(command, capture_output=True, text=True).stdout.split()]
        assert len(given) == attempts
        assert given == sorted(set(given))
        assert given[0] > max(last, 2**40)
        last = given[-1]


def test_epochs_that_were_not_given_out_are_given_back_at_the_end(tmp_path: Path) -> None:
    """So a node that is started often stays near the clock, which an outbox that was lost begins from."""
    given = []
    for _ in range(50):
        outbox = Outbox(tmp_path / "outbox.sqlite3")
        given.append(outbox.next_epoch())
        outbox.close()
    assert given[-1] - given[0] <= 49 + (time.time() - given[0] + 1)


def written_bytes() -> int:
    return int(Path("/proc/self/io").read_text().split("wchar: ")[1].split()[0])


@contextlib.contextmanager
def watched_outbox(folder: Path, *, most_bytes: int) -> Iterator[tuple[Outbox, list[str]]]:
    """An outbox and the statements that it makes; it may write fewer bytes than `most_bytes`."""
    outbox = Outbox(folder / "outbox.sqlite3")
    statements: list[str] = []
    outbox._database.set_trace_callback(statements.append)
    before = written_bytes()
    yield outbox, statements
    assert written_bytes() - before < most_bytes
    outbox.close()


def test_a_broker_that_stays_away_costs_next_to_no_writes(tmp_path: Path) -> None:
    """A day of attempts, one in 3.75 s on average."""
    with watched_outbox(tmp_path, most_bytes=200_000) as (outbox, statements):
        for _ in range(23_000):
            outbox.next_epoch()
        assert statements.count("COMMIT") <= 15


def test_an_acknowledged_update_is_one_transaction_of_few_bytes(tmp_path: Path) -> None:
    """docs/reference/nodes.md, Outbox: the figure for updates of 5,000 bytes."""
    with watched_outbox(tmp_path, most_bytes=400 * 25_000) as (outbox, statements):
        for number in range(400):
            outbox.put(entry(number, os.urandom(5000)))
            outbox.acknowledge(entry(number).key)
        assert statements.count("COMMIT") == 400


def test_acknowledgements_are_in_the_file_after_the_next_update_and_at_the_end(tmp_path: Path) -> None:
    path = tmp_path / "outbox.sqlite3"
    outbox = Outbox(path)
    acknowledged = "SELECT count(*) FROM acknowledged"
    with closing(sqlite3.connect(path)) as other:
        outbox.put(entry(1))
        outbox.acknowledge(entry(1).key)
        assert other.execute(acknowledged).fetchone() == (0,)
        outbox.put(entry(2))
        assert other.execute(acknowledged).fetchone() == (1,)
    outbox.acknowledge(entry(2).key)
    outbox.close()
    again = Outbox(path)
    assert again.pending() == []
    assert again.get(entry(2).key) == entry(2)
    again.close()


def test_an_outbox_that_cannot_be_written_says_so_and_keeps_what_it_has(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path / "outbox.sqlite3")
    outbox.put(entry(1))
    outbox._database.execute("PRAGMA max_page_count = 1")  # a full disk
    with pytest.raises(StoreError, match=r"outbox\.sqlite3 cannot be written: .*full"):
        outbox.put(entry(2, bytes(100_000)))
    assert outbox.pending() == [entry(1)]
    assert outbox.get(entry(2).key) is None
    outbox.close()


VERSION_1 = """
CREATE TABLE updates(
    run TEXT NOT NULL, round INTEGER NOT NULL, device TEXT NOT NULL, attempt INTEGER NOT NULL,
    payload BLOB NOT NULL, result TEXT, PRIMARY KEY (run, round, device, attempt)
);
CREATE INDEX updates_pending ON updates(result) WHERE result IS NULL;
CREATE TABLE epochs(only_row INTEGER PRIMARY KEY CHECK (only_row = 1), last INTEGER NOT NULL);
INSERT INTO epochs VALUES (1, 9999999999);
INSERT INTO updates VALUES ('r1', 2, 'board-1', 0, x'61', 'stored'), ('r1', 3, 'board-1', 0, x'62', NULL);
PRAGMA user_version = 1;
"""
VERSION_2 = """
CREATE TABLE updates(
    id INTEGER PRIMARY KEY,
    run TEXT NOT NULL, round INTEGER NOT NULL, device TEXT NOT NULL, attempt INTEGER NOT NULL,
    payload BLOB NOT NULL
);
CREATE TABLE acknowledged(id INTEGER PRIMARY KEY);
CREATE TABLE epochs(only_row INTEGER PRIMARY KEY CHECK (only_row = 1), last INTEGER NOT NULL);
INSERT INTO epochs VALUES (1, 9999999999);
INSERT INTO updates VALUES (1, 'r1', 2, 'board-1', 0, x'61'), (2, 'r1', 3, 'board-1', 0, x'62');
INSERT INTO acknowledged VALUES (1);
PRAGMA user_version = 2;
"""


@pytest.mark.parametrize("earlier", [VERSION_1, VERSION_2], ids=["version 1", "version 2"])
def test_an_outbox_of_an_earlier_version_is_taken_over(tmp_path: Path, earlier: str) -> None:
    """Updates and epochs are; a residual is not, so the device goes on from zero."""
    path = tmp_path / "outbox.sqlite3"
    with closing(sqlite3.connect(path)) as database:
        database.executescript(earlier)
    outbox = Outbox(path)
    assert outbox.pending() == [entry(3, b"b")]
    assert outbox.get(entry(2).key) == entry(2, b"a")
    assert outbox.next_epoch() == 10_000_000_000
    assert outbox.residual("r1", "board-1", 3) == b""
    outbox.put(OutboxEntry(UpdateKey("r1", 4, "board-1", 0), b"weights", b"rest"))
    assert outbox.residual("r1", "board-1", 4) == b"rest"
    outbox.close()
    Outbox(path).close()


def test_outbox_is_for_one_process(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path / "outbox.sqlite3")
    with pytest.raises(StoreError, match="another process is this node already"):
        Outbox(tmp_path / "outbox.sqlite3")
    outbox.close()
    Outbox(tmp_path / "outbox.sqlite3").close()


def test_file_that_is_no_outbox_is_named(tmp_path: Path) -> None:
    path = tmp_path / "outbox.sqlite3"
    path.write_text("not a database, but long enough to look like a damaged one " * 20)
    with pytest.raises(StoreError, match=r"outbox\.sqlite3"):
        Outbox(path)


def test_outbox_of_another_version_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="format 9"):
        Outbox(database_of_version(tmp_path / "outbox.sqlite3", 9))


def test_m10_a_residual_is_kept_with_its_update(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path / "outbox.sqlite3")
    outbox.put(OutboxEntry(KEY, b"weights", b"rest"))
    outbox.close()
    outbox = Outbox(tmp_path / "outbox.sqlite3")
    assert outbox.residual("r1", "board-1", 3) == b"rest"
    assert outbox.residual("r1", "board-1", 2) == outbox.residual("r2", "board-1", 3) == b""
    outbox.close()


def test_m10_a_killed_node_has_either_both_or_neither(tmp_path: Path) -> None:
    """The second write of the transaction fails: the update is not there either."""
    outbox = Outbox(tmp_path / "outbox.sqlite3")
    outbox._database.execute("DROP TABLE residuals")
    with pytest.raises(StoreError):
        outbox.put(OutboxEntry(KEY, b"weights", b"rest"))
    assert outbox.pending() == []
    outbox.close()


def test_m10_old_rounds_are_forgotten(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path / "outbox.sqlite3")
    for number in range(20):
        outbox.put(OutboxEntry(UpdateKey("r1", number, "board-1", 0), b"weights", b"rest"))
    outbox.put(OutboxEntry(UpdateKey("r1", 0, "board-2", 0), b"weights", b"rest"))
    assert [outbox.residual("r1", "board-1", number) for number in (11, 12, 19)] == [b"", b"rest", b"rest"]
    assert outbox.residual("r1", "board-2", 0) == b"rest"
    outbox.close()


def test_m10_the_residual_of_the_coordinators_last_update_outlives_any_number_of_late_ones(tmp_path: Path) -> None:
    """R13: late updates are not stored, so the device goes on owing what the stored one left out."""
    outbox = Outbox(tmp_path / "outbox.sqlite3")
    outbox.put(OutboxEntry(UpdateKey("r1", 3, "board-1", 1), b"payload", b"owed"))
    for number in range(4, 30):
        assert outbox.residual("r1", "board-1", 3) == b"owed"
        outbox.put(OutboxEntry(UpdateKey("r1", number, "board-1", 1), b"payload", b"late", stored=3))
    assert outbox.residual("r1", "board-1", 20) == b""
    outbox.put(OutboxEntry(UpdateKey("r1", 30, "board-1", 1), b"payload", b"late", stored=29))
    assert outbox.residual("r1", "board-1", 3) == b""
    outbox.close()


def test_a_damaged_outbox_is_named_or_tells_the_truth(tmp_path: Path) -> None:
    """Zeros in the place of a page, a file cut off, a WAL cut off: never another error, never another update."""
    path = tmp_path / "outbox.sqlite3"
    with closing(Outbox(path)) as outbox:
        entries = [entry(number, bytes([number]) * 9000) for number in range(1, 5)]
        for one in entries:
            outbox.put(one)
    whole = path.read_bytes()
    drawn = random.Random(20)
    damages = [whole[:place] + bytes(1024) + whole[place + 1024 :] for place in range(0, len(whole), 1024)]
    damages += [whole[: drawn.randrange(1, len(whole))] for _ in range(10)]
    named = []
    for damaged in damages:
        path.write_bytes(damaged)
        try:
            with closing(Outbox(path)) as outbox:
                found = outbox.pending()
                assert [one.key for one in found] == [one.key for one in entries]
                assert outbox.next_epoch() > 0
        except StoreError as error:
            named.append(f"{error.message}: {error.hint}")
    assert len(named) > len(damages) / 2
    assert all(str(path) in one and "asked for again" in one for one in named)


@pytest.mark.parametrize("spoil", [Path.unlink, lambda path: path.write_bytes(b"")])
def test_an_outbox_that_is_gone_is_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, spoil: Callable[[Path], object]
) -> None:
    path = tmp_path / "outbox.sqlite3"
    with closing(Outbox(path)) as outbox:
        outbox.put(entry())
    assert not caplog.records
    spoil(path)
    with closing(Outbox(path)) as outbox:
        assert outbox.pending() == []
    assert "missing or empty: what was in it is lost, and is asked for again" in caplog.text
