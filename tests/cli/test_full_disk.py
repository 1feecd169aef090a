"""A disk without room, a real one: every verb that writes ends with exit code 9, one sentence, and nothing lost."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import replace
from pathlib import Path

import pytest

from jaragua.config import parse
from jaragua.coordinator.weights.codec import ModelCodec
from jaragua.errors import StoreError
from jaragua.models import model_named
from jaragua.node.outbox import Outbox, OutboxEntry, UpdateKey
from jaragua.store import Initialisation, open_run
from jaragua_broker import Broker

JARAGUA = (sys.executable, "-m", "jaragua.cli.main")
DISK_BYTES = 1 << 20
#: Of a run's folder, beside its database.
KEPT = (".json", ".jsonl", ".toml")


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of one megabyte; only root may mount it."""
    where = tmp_path / "disk"
    where.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "none", str(where)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode != 0:
        pytest.skip("no right to mount a small file system: what a full disk does is not tested")
    try:
        yield where
    finally:
        subprocess.run(["umount", "--lazy", str(where)], check=True)


def fill(disk: Path) -> None:
    """To the last byte."""
    with suppress(OSError), (disk / "filler").open("ab", buffering=0) as sink:
        for size in (65536, 4096, 1):
            with suppress(OSError):
                while True:
                    sink.write(b"\0" * size)


def refused(*words: str, cache: Path | None = None) -> str:
    """The sentence of a command that must end with exit code 9."""
    environment = os.environ | ({"XDG_CACHE_HOME": str(cache)} if cache else {})
    command = [*JARAGUA, *words]
    done = subprocess.run(command, capture_output=True, text=True, timeout=240, check=False, env=environment)
    assert done.returncode == 9, done.stderr
    assert "Traceback" not in done.stderr
    assert "fault of Jaragua" not in done.stderr
    assert "hint: " in done.stderr
    return done.stderr


def configuration(folder: Path, url: str = "mqtt://127.0.0.1:1") -> str:
    where = f'[run]\nrounds = 2\ndirectory = "{folder}"\n[model]\nname = "sine"\n[broker]\nurl = "{url}"\n'
    return where + "[strategy]\nclients_per_round = 1\n[devices]\nwait_s = 2\n"


NOWHERE = ("--broker", "mqtt://127.0.0.1:1", "--fleet", "f", "--node", "pi")
SHORT = ("simulate", "--task", "sine", "--rounds", "1", "--clients", "1", "--eval-tasks", "2", "--workers", "1")


@pytest.mark.parametrize(
    "words",
    [
        ("run", "{outside}/run.toml"),
        (*SHORT, "--directory", "{disk}/state"),
        (*SHORT, "--save", "{disk}/weights.safetensors"),
        ("compile", "sine", "--board", "qemu_m4", "--out", "{disk}/out"),
        ("reproduce", "--short", "--only", "sine/from-scratch", "--folder", "{disk}/records", "--no-figures"),
        ("broker", "start", "--data", "{disk}/broker"),
        (
            "client",
            "--broker",
            "mqtt://127.0.0.1:1",
            "--fleet",
            "f",
            "--node",
            "pi",
            "--model",
            "sine",
            "--data-dir",
            "{disk}/client",
        ),
    ],
    ids=lambda words: "-".join(word for word in words if word.isalpha())[:40],
)
def test_a_verb_on_a_full_disk_ends_with_9(disk: Path, tmp_path: Path, words: tuple[str, ...]) -> None:
    (tmp_path / "run.toml").write_text(configuration(disk / "run"))
    fill(disk)
    refused(*(word.format(disk=disk, outside=tmp_path) for word in words))
    assert [one.name for one in disk.rglob("*") if one.is_file() and one.stat().st_size] == ["filler"]


def test_a_cache_on_a_full_disk_ends_with_9(disk: Path) -> None:
    fill(disk)
    refused(*SHORT, cache=disk)


def test_a_run_whose_disk_is_still_full_is_kept_and_goes_on_when_there_is_room(disk: Path, tmp_path: Path) -> None:
    """Its database has room inside; the files beside it have not."""
    path = tmp_path / "run.toml"
    with Broker() as broker:
        path.write_text(configuration(disk / "run", broker.url))
        codec, settings = ModelCodec(model_named("sine")), parse(path.read_text(), path)
        vector = codec.initial(settings.run.seed)
        with open_run(settings.run.directory) as folder:
            record = folder.begin(settings, Initialisation(0, vector, hashlib.sha256(codec.pack(vector)).digest()))
            folder.rewrite(settings, record, codec.arrays)
        fill(disk)
        before = {one.name: one.read_bytes() for one in settings.run.directory.iterdir() if one.suffix in KEPT}
        said = refused("run", str(path))
        assert str(disk) in said
        assert before == {one.name: one.read_bytes() for one in settings.run.directory.iterdir() if one.suffix in KEPT}
        (disk / "filler").unlink()
        done = subprocess.run([*JARAGUA, "run", str(path)], capture_output=True, text=True, timeout=240, check=False)
    assert "of 1 devices were ready" in done.stderr  # it went on, and nobody came
    with open_run(settings.run.directory) as folder:
        assert folder.resume(settings) == replace(record, status="stopped")


def test_an_outbox_on_a_full_disk_is_named_and_loses_nothing(disk: Path) -> None:
    kept, more = (OutboxEntry(UpdateKey("run-1", number, "pi-1", 1), bytes(20_000)) for number in (1, 2))
    with closing(Outbox(disk / "outbox.sqlite3")) as outbox:
        outbox.put(kept)
        fill(disk)
        with pytest.raises(StoreError, match=r"outbox\.sqlite3 .*full"):
            outbox.put(more)
        assert outbox.pending() == [kept]
    (disk / "filler").unlink()
    with closing(Outbox(disk / "outbox.sqlite3")) as outbox:
        outbox.put(more)
        assert outbox.pending() == [kept, more]
