"""R16: a run's database that was cut, emptied, removed, damaged or exchanged is noticed, and nothing is overwritten."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import random
import shutil
import sqlite3
import struct
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import astuple
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from jaragua.config import RunConfig, parse
from jaragua.errors import LostRunError, StoreError
from jaragua.store import Assignment, Initialisation, RunFolder, Store, StoredUpdate, holds_run, open_run, read_run
from jaragua.store.run_folder import DATABASE

ROUNDS, DEVICES = 8, ("board-1", "board-2", "board-3")
PAGE_BYTES, WAL_HEADER_BYTES, FRAME_BYTES = 4096, 32, 4096 + 24
SEED = 20


def settings_of(folder: Path) -> RunConfig:
    text = f'[run]\nrounds = {ROUNDS}\ndirectory = "{folder}"\n[model]\nname = "sine"\n'
    return parse(text, folder.parent / "lost.toml")


def vector_after(rounds_done: int) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    return np.random.default_rng(rounds_done).normal(size=700)  # more than a page


def initialisation(rounds_done: int) -> Initialisation:
    return Initialisation(rounds_done, vector_after(rounds_done), hashlib.sha256(bytes([rounds_done])).digest())


def do_round(folder: RunFolder, record: Any, number: int) -> None:
    """As the coordinator does it: the database first, then the files beside it."""
    blob = np.random.default_rng(100 + number).bytes(5000)
    store = folder.store
    store.open_round(record.run, number, DEVICES, [Assignment(number, name, 1, "gateway", 1) for name in DEVICES])
    for name in DEVICES:
        store.add_updates(record.run, [StoredUpdate(number, name, 1, blob, 8, 0.5, 0.5, "mse", 0, 5100, number)])
    made = initialisation(number)
    metrics = {"round": number, "model_hash": made.blob_hash.hex(), "loss": 0.5, "devices": {}, "excluded": {}}
    store.close_round(record.run, number, metrics, made, finished=number == ROUNDS)
    folder.append_metrics(metrics, ())
    folder.write_latest(record, lambda vector: {"all": vector})


@pytest.fixture(scope="module")
def crashed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run of 8 rounds as a power cut leaves it: all of the database is in its WAL."""
    path = tmp_path_factory.mktemp("crashed") / "run"
    image = path.with_name("image")
    settings = settings_of(path)
    with open_run(path) as folder:
        record = folder.begin(settings, initialisation(0))
        folder.rewrite(settings, record, lambda vector: {"all": vector})
        for number in range(1, ROUNDS + 1):
            do_round(folder, record, number)
        shutil.copytree(path, image)
    return image


@pytest.fixture(scope="module")
def closed(crashed: Path) -> Path:
    """The same with all of the database in its main file."""
    path = crashed.with_name("closed")
    shutil.copytree(crashed, path)
    open_run(path).close()
    assert not (path / f"{DATABASE}-wal").exists()
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "run"


def content(path: Path) -> dict[str, bytes]:
    """Of every file but what a reader of a WAL makes beside it: an index, and a WAL that is empty."""
    found = {str(one.relative_to(path)): one for one in path.rglob("*") if one.is_file()}
    kept = {name: one.read_bytes() for name, one in found.items() if not name.endswith(("-shm", ".lock"))}
    return {name: one for name, one in kept.items() if one or not name.endswith("-wal")}


def everything(store: Store) -> list[Any]:
    """All that a coordinator or a person may ask a store."""
    record = store.run()
    assert record is not None
    run = record.run
    vectors = [store.initialisation(run, number) for number in range(len(store.blob_hashes(run)))]
    updates = [[astuple(one) for one in store.updates(run, number)] for number in range(1, ROUNDS + 1)]
    found = [record, store.rounds(run), store.assignments(run), store.stored_keys(run), store.totals(run), updates]
    return [*found, [(one.rounds_done, one.vector.tobytes(), one.blob_hash) for one in vectors]]


def cuts(size: int) -> Iterator[int]:
    """Every frame's boundary, a byte beside some of them, and offsets drawn at random."""
    yield from range(WAL_HEADER_BYTES, size, FRAME_BYTES)
    drawn = random.Random(SEED)
    yield from (drawn.randrange(size) for _ in range(40))
    yield from (0, 1, WAL_HEADER_BYTES - 1, size - 1)


def test_r16_1_a_wal_cut_anywhere_loses_no_round_unnoticed(crashed: Path, folder: Path) -> None:
    """From the longest to the shortest: a refusal changes nothing, so the next cut can be made in the same folder."""
    wal = folder / f"{DATABASE}-wal"
    print(f"seed {SEED}")
    lost = set()
    for cut in sorted(cuts((crashed / wal.name).stat().st_size), reverse=True):
        if not wal.exists():
            shutil.rmtree(folder, ignore_errors=True)
            shutil.copytree(crashed, folder)
        os.truncate(wal, cut)
        try:
            with open_run(folder) as opened:
                assert len(everything(opened.store)[-1]) == ROUNDS + 1, cut
        except LostRunError as error:
            lost.add(error.message.partition(": ")[2] or "all")
            assert wal.stat().st_size == cut
    expected = {"round 8 is lost", "all"} | {f"rounds {number} to 8 are lost" for number in range(1, ROUNDS)}
    assert lost == expected
    assert without_wal(content(folder)) == without_wal(content(crashed))


def without_wal(found: dict[str, bytes]) -> dict[str, bytes]:
    return {name: one for name, one in found.items() if not name.endswith("-wal")}


def test_r16_1_what_a_wal_lost_is_said_by_every_verb(crashed: Path, folder: Path) -> None:
    shutil.copytree(crashed, folder)
    cut_to(folder, 3)
    sentence = f"{folder / DATABASE} knows 3 rounds, but run.json tells of 8 rounds: rounds 4 to 8 are lost"
    for opening in (open_run, read_run):
        with pytest.raises(LostRunError) as caught:
            opening(folder)
        assert caught.value.message == sentence
        assert "--resume` does the lost rounds again" in caught.value.hint
        assert (caught.value.code, caught.value.exit_code) == ("lost", 9)


def test_r16_2_lost_rounds_are_done_again_only_when_it_is_asked_for(crashed: Path, folder: Path) -> None:
    shutil.copytree(crashed, folder)
    cut_to(folder, 3)
    before = content(folder)
    assert holds_run(folder)
    with open_run(folder, redo_lost=True) as opened:
        assert "rounds 4 to 8 are lost, and done again" in opened.note
        assert "earlier-1" in opened.note
        record = opened.resume(settings_of(folder))
        assert record is not None
        opened.rewrite(settings_of(folder), record, lambda vector: {"all": vector})
        for number in range(4, ROUNDS + 1):
            do_round(opened, record, number)
    assert content(folder / "earlier-1") == before
    with open_run(folder) as opened:
        assert opened.note == ""
    assert read_run(folder)["rounds_done"] == ROUNDS


def test_r16_2_to_begin_anew_deletes_nothing(crashed: Path, folder: Path) -> None:
    shutil.copytree(crashed, folder)
    before = content(folder)
    for number in (1, 2):
        with open_run(folder, new=True) as opened:
            assert opened.store.run() is None
            assert opened.note == f"what was in {folder} is kept in earlier-{number}"
    assert content(folder / "earlier-1") == before


def cut_to(path: Path, rounds_done: int) -> None:
    """Cut the WAL where it first tells of so many rounds, before another one is opened."""
    wal = path / f"{DATABASE}-wal"
    whole = wal.read_bytes()
    for size in range(WAL_HEADER_BYTES, len(whole), FRAME_BYTES):
        wal.write_bytes(whole[:size])
        with Store(path / DATABASE, read_only=True) as store:
            record = store.run()
            if record is not None and len(store.blob_hashes(record.run)) == rounds_done + 1:
                return
    raise AssertionError("the WAL never told of so few rounds")


def remove(path: Path) -> None:
    (path / DATABASE).unlink()


def empty(path: Path) -> None:
    (path / DATABASE).write_bytes(b"")


def begin_another(path: Path) -> None:
    remove(path)
    other = path.with_name("another")
    with open_run(other) as opened:
        opened.begin(settings_of(path), initialisation(0))
    shutil.copy(other / DATABASE, path / DATABASE)


def hold_no_run(path: Path) -> None:
    remove(path)
    Store(path / DATABASE).close()


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (remove, "is missing, but"),
        (empty, "is empty, but"),
        (hold_no_run, "holds no run, but"),
        (begin_another, "is of the run lost-"),
    ],
)
def test_r16_1_a_database_that_is_gone_or_anothers_is_not_begun_anew(
    closed: Path, folder: Path, spoil: Any, said: str
) -> None:
    shutil.copytree(closed, folder)
    spoil(folder)
    before = content(folder)
    for choice in ({}, {"redo_lost": True}):
        with pytest.raises(LostRunError) as caught:
            open_run(folder, **choice)
        assert said in caught.value.message
        assert "8 rounds" in caught.value.message
    with pytest.raises(LostRunError):
        holds_run(folder)
    with pytest.raises(LostRunError):
        read_run(folder)
    assert content(folder) == before


def test_r16_1_a_copy_of_the_same_run_with_another_course_is_noticed(closed: Path, folder: Path) -> None:
    shutil.copytree(closed, folder)
    summary = json.loads((folder / "run.json").read_text())
    (folder / "run.json").write_text(json.dumps(summary | {"rounds_done": 5, "model_hash": "00" * 32}))
    with pytest.raises(LostRunError, match=r"has another model after round 5 than run\.json"):
        open_run(folder)


@pytest.mark.parametrize("left", ["run.json", "metrics.jsonl", "weights"])
def test_r16_any_file_that_is_left_tells(closed: Path, folder: Path, left: str) -> None:
    folder.mkdir()
    source = closed / left
    (shutil.copytree if source.is_dir() else shutil.copy)(source, folder / left)
    with pytest.raises(LostRunError, match=r"run\.sqlite is missing, but"):
        open_run(folder)


@pytest.mark.parametrize("noise", [b"", b"{", b"\0" * 300, b"[1, 2]\n", b'{"round": "x"}\n', struct.pack("<Q", 2**62)])
def test_r16_files_that_tell_nothing_are_no_trace(folder: Path, noise: bytes) -> None:
    (folder / "weights").mkdir(parents=True)
    for name in ("run.json", "metrics.jsonl", "weights/latest.safetensors"):
        (folder / name).write_bytes(noise)
    with open_run(folder) as opened:
        assert opened.store.run() is None


@pytest.mark.parametrize(
    ("change", "reading"),
    [
        ("UPDATE updates SET blob = zeroblob(length(blob)) WHERE round = 3", "updates"),
        ("UPDATE initialisations SET vector = zeroblob(length(vector)) WHERE rounds_done = 8", "initialisation"),
    ],
)
def test_r16_3_content_that_changed_is_noticed_where_it_is_read(
    closed: Path, folder: Path, change: str, reading: str
) -> None:
    """SQLite itself finds nothing wrong with it."""
    shutil.copytree(closed, folder)
    with contextlib.closing(sqlite3.connect(folder / DATABASE)) as database:
        assert database.execute(change).rowcount >= 1
        database.commit()
        assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    with Store(folder / DATABASE, read_only=True) as store:
        record = store.run()
        assert record is not None
        with pytest.raises(StoreError):
            store.updates(record.run, 3) if reading == "updates" else store.initialisation(record.run, 8)


def test_r16_a_damaged_main_file_is_named_or_tells_all(closed: Path, folder: Path) -> None:
    """Zeros in the place of a page, and a file cut off: never another answer than before, never another error."""
    whole = (closed / DATABASE).read_bytes()
    with Store(closed / DATABASE, read_only=True) as store:
        truth = everything(store)
    drawn = random.Random(SEED)
    print(f"seed {SEED}")
    damages = [whole[:place] + bytes(PAGE_BYTES) + whole[place + PAGE_BYTES :] for place in range(0, len(whole), 4096)]
    damages += [whole[: drawn.randrange(1, len(whole))] for _ in range(20)]
    folder.mkdir()
    for name in ("run.json", "metrics.jsonl"):
        shutil.copy(closed / name, folder / name)
    named = 0
    for damaged in damages:
        (folder / DATABASE).write_bytes(damaged)
        try:
            with open_run(folder) as opened:
                assert everything(opened.store) == truth
        except StoreError:
            named += 1
    assert named > len(damages) / 2


def test_r16_the_command_says_it_and_changes_nothing(crashed: Path, folder: Path, tmp_path: Path) -> None:
    shutil.copytree(crashed, folder)
    cut_to(folder, 3)
    before = content(folder)
    path = tmp_path / "lost.toml"
    path.write_text(f'[run]\nrounds = {ROUNDS}\ndirectory = "{folder}"\n[model]\nname = "sine"\n')
    command = [sys.executable, "-m", "jaragua.cli.main", "run", str(path), "--json"]
    done = subprocess.run(command, capture_output=True, timeout=120, check=False)
    assert done.returncode == 9
    error = json.loads(done.stdout)["error"]
    assert error["code"] == "lost"
    assert "rounds 4 to 8 are lost" in error["message"]
    assert content(folder) == before
