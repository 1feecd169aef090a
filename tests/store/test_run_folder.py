"""A run's folder: one process at a time, its own configuration, files that are whole."""

from __future__ import annotations

import json
import sqlite3
import tomllib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from jaragua.config import RunConfig, load, parse
from jaragua.errors import ConfigurationError, RunError, StoreError, UsageError
from jaragua.report.curves import draw
from jaragua.store import Initialisation, open_run, read_run
from jaragua.store.files import to_toml, write_whole
from jaragua.store.run_folder import DATABASE

INITIAL = Initialisation(0, np.array([0.5, 0.25]), b"\x01" * 32)


def config(tmp_path: Path, extra: str = "") -> RunConfig:
    text = f'[run]\ndirectory = "run"\n[model]\nname = "sine"\n[broker]\nurl = "mqtt://me:secret@example.org"\n{extra}'
    return parse(text, tmp_path / "test.toml")


def name_arrays(vector: NDArray[np.float64]) -> Mapping[str, NDArray[np.float64]]:
    return {"all": vector}


def test_only_one_process_works_in_a_folder(tmp_path: Path) -> None:
    with open_run(tmp_path / "run"), pytest.raises(RunError, match="another process works on the run"):
        open_run(tmp_path / "run")
    with open_run(tmp_path / "run"):
        pass


def test_the_kept_configuration_is_the_run_again(tmp_path: Path) -> None:
    settings = config(tmp_path)
    with open_run(settings.run.directory) as folder:
        record = folder.begin(settings, INITIAL)
        folder.rewrite(settings, record, name_arrays)
        kept = load(folder.path / "config.toml")
        assert folder.resume(kept) == record
    assert replace(kept, broker=settings.broker) == settings


def test_the_folder_keeps_no_password(tmp_path: Path) -> None:
    settings = config(tmp_path)
    with open_run(settings.run.directory) as folder:
        folder.rewrite(settings, folder.begin(settings, INITIAL), name_arrays)
    content = b"".join(path.read_bytes() for path in settings.run.directory.rglob("*") if path.is_file())
    assert b"secret" not in content


def test_another_configuration_is_refused_with_every_difference(tmp_path: Path) -> None:
    settings = config(tmp_path)
    other = config(tmp_path, "[client]\nshots = 3\n[strategy]\nalpha = 0.5\n[round]\ndeadline_s = 5")
    with open_run(settings.run.directory) as folder:
        record = folder.begin(settings, INITIAL)
        folder.store.open_round(record.run, 1, [], [])
        with pytest.raises(ConfigurationError) as caught:
            folder.resume(other)
    assert "client.shots is" in caught.value.message
    assert "strategy.alpha is 1.0 there and 0.5 here" in caught.value.message
    assert "deadline" not in caught.value.message


def test_a_key_that_came_after_the_folder_had_its_default_there(tmp_path: Path) -> None:
    """A run of an older version goes on, but not with something that it did not do."""
    settings, other = config(tmp_path), config(tmp_path, "[client]\nloss_threshold = 0.1")
    with open_run(settings.run.directory) as folder:
        folder.store.open_round(folder.begin(settings, INITIAL).run, 1, [], [])
    with sqlite3.connect(settings.run.directory / DATABASE) as database:
        ((text,),) = database.execute("SELECT settings FROM runs").fetchall()
        older = json.loads(text)
        del older["client"]["loss_threshold"], older["client"]["replay_buffer_size"]
        database.execute("UPDATE runs SET settings = ?", (json.dumps(older),))
    with open_run(settings.run.directory) as folder:
        assert folder.resume(settings) is not None
        with pytest.raises(ConfigurationError, match=r"client\.loss_threshold is 0\.0 there and 0\.1 here"):
            folder.resume(other)


def test_every_run_has_an_identifier_of_its_own(tmp_path: Path) -> None:
    """M3: a node remembers the updates of an older run of the same name."""
    names = set()
    for number in range(5):
        settings = config(tmp_path)
        with open_run(tmp_path / str(number)) as folder:
            names.add(folder.begin(settings, INITIAL).run)
    assert len(names) == 5


def test_a_folder_without_a_run_is_named(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="is not the folder of a run"):
        read_run(tmp_path)


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="cannot be used: a part of its path is a file"):
        open_run(tmp_path / "file" / "run")


def test_a_file_is_replaced_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "latest"
    write_whole(path, b"old")

    def full_disk(handle: int) -> None:
        raise OSError("no space left")

    monkeypatch.setattr("os.fsync", full_disk)
    with pytest.raises(StoreError, match="cannot be written: no space"):
        write_whole(path, b"new and longer")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]  # what is half written takes room


def test_toml_comes_back_as_it_was() -> None:
    sections = {
        "a": {"text": 'quote " slash \\ ü \n', "number": 1.5, "list": ["x"], "whole": 3},
        "b": {"table": {"x": 0.5}, "empty": {}},
    }
    assert tomllib.loads(to_toml(sections)) == sections


def test_a_run_that_never_opened_a_round_may_be_begun_with_another_configuration(tmp_path: Path) -> None:
    settings, other = config(tmp_path), config(tmp_path, "[client]\nshots = 3")
    with open_run(settings.run.directory) as folder:
        first = folder.begin(settings, INITIAL)
        assert folder.resume(settings) == first
        assert folder.resume(other) is None
        second = folder.begin(other, INITIAL)
        assert (folder.resume(other), second.settings["client"]["shots"]) == (second, 3)


def test_the_learning_curves_of_devices_can_be_read_and_drawn(tmp_path: Path) -> None:
    settings = config(tmp_path)
    with open_run(settings.run.directory) as folder:
        record = folder.begin(settings, INITIAL)
        for number, devices in ((1, ("board-1", "pi-1")), (2, ("pi-1",))):
            figures = {name: {"loss": 1 / number, "score": 0.5 * number, "age": number - 1} for name in devices}
            metrics = {"devices": figures, "bytes_up": 1, "bytes_down": 1, "metric": "mse"}
            folder.store.open_round(record.run, number, [], [])
            result = Initialisation(number, INITIAL.vector, b"")
            folder.store.close_round(record.run, number, metrics, result, finished=False)
        folder.write_summary()
    summary = read_run(settings.run.directory)
    assert summary["curves"] == {
        "board-1": [{"round": 1, "loss": 1.0, "score": 0.5}],
        "pi-1": [{"round": 1, "loss": 1.0, "score": 0.5}, {"round": 2, "loss": 0.5, "score": 1.0, "age": 1}],
    }
    draw(summary, tmp_path / "pictures" / "curves.svg")
    assert "board-1" in (tmp_path / "pictures" / "curves.svg").read_text()
    with pytest.raises(UsageError, match="is not a picture"):
        draw(summary, tmp_path / "curves.docx")
