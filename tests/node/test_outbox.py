"""M2, M3: an update stays in the outbox until it is acknowledged, whatever happens to the process."""

from __future__ import annotations

import os
import random
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from jaragua.errors import StoreError
from jaragua.node.outbox import Outbox, OutboxEntry, UpdateKey

KEY = UpdateKey("r1", 3, "board-1", 0)


def entry(number: int = 3, payload: bytes = b"weights") -> OutboxEntry:
    return OutboxEntry(UpdateKey("r1", number, "board-1", 0), payload)


def test_update_is_pending_until_acknowledged(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path / "outbox.sqlite3")
    outbox.put(entry())
    assert outbox.pending() == [entry()]
    assert outbox.acknowledge(KEY, "stored")
    assert outbox.pending() == []
    outbox.close()


@pytest.mark.parametrize("result", ["stored", "duplicate", "late", "rejected"])
def test_each_of_the_four_results_ends_the_duty(tmp_path: Path, result: str) -> None:
    outbox = Outbox(tmp_path / "outbox.sqlite3")
    outbox.put(entry())
    outbox.acknowledge(KEY, result)
    assert outbox.pending() == []
    outbox.close()


def test_acknowledged_update_is_still_known(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path / "outbox.sqlite3")
    outbox.put(entry())
    outbox.acknowledge(KEY, "stored")
    assert outbox.get(KEY) == entry()
    assert not outbox.acknowledge(KEY, "duplicate")
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
        outbox.acknowledge(entry(number).key, "stored")
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
    path = tmp_path / "outbox.sqlite3"
    database = sqlite3.connect(path)
    database.execute("PRAGMA user_version = 9")
    database.close()
    with pytest.raises(StoreError, match="format 9"):
        Outbox(path)


def test_m10_what_was_left_out_is_kept_with_its_update(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path / "outbox.sqlite3")
    outbox.put(OutboxEntry(KEY, b"weights", b"rest"))
    outbox.close()
    outbox = Outbox(tmp_path / "outbox.sqlite3")
    assert outbox.left_out("r1", "board-1", 3) == b"rest"
    assert outbox.left_out("r1", "board-1", 2) == outbox.left_out("r2", "board-1", 3) == b""
    outbox.close()


def test_m10_a_killed_node_has_either_both_or_neither(tmp_path: Path) -> None:
    """The second write of the transaction fails: the update is not there either."""
    outbox = Outbox(tmp_path / "outbox.sqlite3")
    outbox._database.execute("DROP TABLE left_out")
    with pytest.raises(StoreError, match="no such table: left_out"):
        outbox.put(OutboxEntry(KEY, b"weights", b"rest"))
    assert outbox.pending() == []
    outbox.close()


def test_m10_old_rounds_are_forgotten(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path / "outbox.sqlite3")
    for number in range(20):
        outbox.put(OutboxEntry(UpdateKey("r1", number, "board-1", 0), b"weights", b"rest"))
    outbox.put(OutboxEntry(UpdateKey("r1", 0, "board-2", 0), b"weights", b"rest"))
    assert [outbox.left_out("r1", "board-1", number) for number in (11, 12, 19)] == [b"", b"rest", b"rest"]
    assert outbox.left_out("r1", "board-2", 0) == b"rest"
    outbox.close()


def test_m10_an_outbox_made_before_differences_takes_them(tmp_path: Path) -> None:
    path = tmp_path / "outbox.sqlite3"
    outbox = Outbox(path)
    outbox._database.execute("DROP TABLE left_out")
    outbox.close()
    outbox = Outbox(path)
    outbox.put(OutboxEntry(KEY, b"weights", b"rest"))
    assert outbox.left_out("r1", "board-1", 3) == b"rest"
    outbox.close()


def test_m10_what_the_coordinators_last_update_left_out_outlives_any_number_of_late_ones(tmp_path: Path) -> None:
    """R13: late updates are not stored, so the device goes on owing what the stored one left out."""
    outbox = Outbox(tmp_path / "outbox.sqlite3")
    outbox.put(OutboxEntry(UpdateKey("r1", 3, "board-1", 1), b"payload", b"owed"))
    for number in range(4, 30):
        assert outbox.left_out("r1", "board-1", 3) == b"owed"
        outbox.put(OutboxEntry(UpdateKey("r1", number, "board-1", 1), b"payload", b"late", stored=3))
    assert outbox.left_out("r1", "board-1", 20) == b""
    outbox.put(OutboxEntry(UpdateKey("r1", 30, "board-1", 1), b"payload", b"late", stored=29))
    assert outbox.left_out("r1", "board-1", 3) == b""
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
    damages = [whole[:place] + bytes(4096) + whole[place + 4096 :] for place in range(0, len(whole), 4096)]
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
