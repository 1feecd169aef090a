"""`jaragua.load_task`: samples of devices and of held-out tasks, from the zoo and from one's own files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import jaragua
import jaragua_models
from jaragua.errors import DataError, ModelError

VALVES = '[task]\nkind = "table"\npath = "valves.csv"\nlabel = "state"\ndevice = "machine"\nheld_out = ["m3"]\n'


@pytest.fixture
def valves(tmp_path: Path) -> Path:
    """Three machines with twelve rows of each of two states."""
    rows = [
        f"m{machine},{machine / 10 + state},{state}" for machine in (1, 2, 3) for state in (0, 1) for _ in range(12)
    ]
    (tmp_path / "valves.csv").write_text("\n".join(["machine,pressure,state", *rows]) + "\n", encoding="utf-8")
    (tmp_path / "valves.toml").write_text(VALVES, encoding="utf-8")
    return tmp_path / "valves.toml"


def test_a_task_of_the_zoo_has_the_samples_of_its_source() -> None:
    task = jaragua.load_task("digits")
    assert (task.name, task.metric, task.network.input_size) == ("digits", "accuracy", 64)
    support = task.train("device-1", seed=3, shots=2).support
    assert (support.x.shape, support.x.dtype, support.y.shape) == ((10, 64), np.float32, (10,))
    source = jaragua_models.get("digits").tasks
    np.testing.assert_array_equal(support.x, source.train_task("device-1", 3, 5, 2).support.x)
    query = task.held_out(7, ways=3, queries=9).query
    np.testing.assert_array_equal(query.y, source.held_out_task(7, 3, task.defaults.shots, 9).query.y)
    assert task.typical_inputs().shape[1] == 64


def test_defaults_are_those_of_a_round_and_of_a_new_device() -> None:
    task = jaragua.load_task("digits")
    told = task.defaults
    assert len(task.train("device-1", 1).support) == told.ways * told.shots_of_a_round
    held_out = task.held_out(1)
    assert (len(held_out.support), len(held_out.query)) == (told.ways * told.shots, told.queries)


def test_a_task_of_ones_own_is_found_from_anywhere(valves: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(valves.parent)
    task = jaragua.load_task("valves.toml")
    monkeypatch.chdir("/")
    assert jaragua.load_task(task.source).train("m1", 1, shots=2).support.x.shape == (4, 1)


def test_a_file_is_read_anew(valves: Path) -> None:
    assert jaragua.load_task(valves).network.layers[0].units == 32  # type: ignore[union-attr]
    valves.write_text(VALVES + "[network]\nhidden = [7]\n", encoding="utf-8")
    assert jaragua.load_task(valves).network.layers[0].units == 7  # type: ignore[union-attr]


def test_errors_are_of_the_projects_tree(valves: Path) -> None:
    with pytest.raises(ModelError, match="'digit'") as caught:
        jaragua.load_task("digit")
    assert "digits" in caught.value.hint
    task = jaragua.load_task(valves)
    with pytest.raises(DataError, match="device 'm1' has 0 classes with 50 samples"):
        task.train("m1", 1, shots=50)
    (valves.parent / "valves.csv").unlink()
    with pytest.raises(DataError, match=r"valves\.csv"):
        jaragua.load_task(valves)
