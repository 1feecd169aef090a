"""`make comparison`: defaults, tuned settings and simple methods are of the same held-out tasks."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest

import jaragua_models
from common.own_task import write_valves
from jaragua.errors import DataError, UsageError
from jaragua.simulation.comparison import simple_methods
from jaragua.simulation.evaluation.evaluation import drawn_tasks
from jaragua.tuning import search
from jaragua.tuning.candidates import Candidate
from jaragua.tuning.recommended import page
from jaragua.tuning.recommended.__main__ import main
from jaragua.tuning.recommended.measure import Effort, Measured, Method, Row, measured, simulation_for
from jaragua.tuning.recommended.own_tasks import _watch_rows, write_own_tasks

pytest.importorskip("sklearn")


def row(name: str, defaults: float, tuned: float, simple: float, metric: str = "accuracy") -> Measured:
    sign = 1 if metric == "accuracy" else -1
    return Measured(
        row=name,
        metric=metric,
        shots=5,
        tasks=20,
        devices=0,
        defaults=Method(name="tinyreptile", mean=defaults, ci95=0.01, gap=sign * (defaults - simple), gap_ci95=0.01),
        tuned=Method(name="tinyreptile", mean=tuned, ci95=0.01, gap=sign * (tuned - simple), gap_ci95=0.01),
        tuned_gap=sign * (defaults - tuned),
        tuned_gap_ci95=0.01,
        simple=(Method(name="nearest neighbour", mean=simple, ci95=0.01),),
        seconds=60.0,
    )


def test_a_row_that_is_behind_is_named() -> None:
    rows = [row("good", 0.90, 0.919, 0.91), row("far", 0.90, 0.93, 0.8), row("behind", 0.90, 0.91, 0.92)]
    first, second = page.verdicts([*rows, row("wave", 0.2, 0.1, 0.15, "mse")])
    assert first == "Defaults are within 2 points of tuned settings in 2 of 3 rows; not in `far`, 5."
    assert second == "Defaults or tuned settings reach the best simple method in 3 of 4 rows; not in `behind`, 5."
    text = page.page(rows, Effort(3.0), "make comparison")
    assert "| `good`, 5 | 0.900 ± 0.010 | 0.919 ± 0.010 | -1.9 ± 1.0 | nearest neighbour 0.910 ± 0.010 |" in text


def test_the_table_of_another_page_is_replaced_between_its_marks(tmp_path: Path) -> None:
    document = tmp_path / "tasks.md"
    document.write_text(f"# Measurements\n\n{page.BEGIN}old{page.END}\nMore.\n")
    measured_row = row("some/folder/watch.toml:5", 0.90, 0.91, 0.88)
    record = tmp_path / "some-folder-watch.toml-5-3-20-1.json"
    record.write_text(json.dumps(asdict(measured_row)))
    words = [measured_row.row, "--minutes", "3", "--tasks", "20", "--folder", str(tmp_path)]
    assert main([*words, "--document", str(document)]) == 0
    text = document.read_text()
    assert text.startswith(f"# Measurements\n\n{page.BEGIN}")
    assert text.endswith(f"{page.END}\nMore.\n")
    assert "old" not in text
    assert "| `watch`, 5 | 0.900 ± 0.010 |" in text


def test_own_tasks_of_the_comparison_are_read(tmp_path: Path, use_data: Callable[[str], Path]) -> None:
    """The room's four nodes, ten words of 39 speakers, and exercises from a file as the package has it."""
    use_data("room_occupancy_estimation")
    use_data("speech_commands")
    some = {"X": [np.arange(1800.0).reshape(300, 6) % 7] * 8, "y": np.arange(8) % 2}
    names = {"subject": np.array([1, 1, 2, 2, 3, 3, 4, 4]), "y_labels": ["PEN", "ABD"]}
    np.save(tmp_path / "watch.npy", np.array(some | names, dtype=object))
    rows = write_own_tasks(tmp_path / "own", tmp_path / "watch.npy")
    assert [Path(one).name for one in rows[::2]] == ["room.toml:1", "room-time.toml:1", "words.toml:1", "watch.toml:1"]
    room, timed, watch = (jaragua_models.from_toml(rows[place].rpartition(":")[0]) for place in (0, 2, 6))
    for model in (room, timed):
        assert model.tasks.held_out_task(1, 2, 5, 20).device == "S4"
    clips = {path.parent.name for path in (tmp_path / "own" / "words").glob("*/*/*.wav")}
    assert clips == {"yes", "no", "up", "down", "left", "right", "on", "off", "stop", "go"}
    assert (watch.network.input_size, len(watch.tasks.held_out_task(1, 2, 1, 4).support)) == (30, 2)


class Hostile:
    """Its pickle calls a function that writes a file."""

    def __init__(self, place: Path) -> None:
        self._place = place

    def __reduce__(self) -> tuple[object, ...]:
        return os.mkdir, (str(self._place),)


def test_a_file_of_exercises_runs_no_code(tmp_path: Path) -> None:
    np.save(tmp_path / "watch.npy", np.array({"X": Hostile(tmp_path / "made")}, dtype=object))
    with pytest.raises(DataError, match=r"asks for posix\.mkdir, which makes no array"):
        list(_watch_rows(tmp_path / "watch.npy"))
    assert not (tmp_path / "made").exists()


@pytest.mark.parametrize("content", [b"", b"\x93NUMPY", b"nonsense"])
def test_a_damaged_file_of_exercises_is_one_sentence(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "watch.npy").write_bytes(content)
    with pytest.raises(DataError, match=r"watch\.npy cannot be read"):
        list(_watch_rows(tmp_path / "watch.npy"))


def test_rows_are_named_with_their_shots() -> None:
    assert (Row.of("digits"), Row.of("digits:1")) == (Row("digits"), Row("digits", 1))
    for bad in ("digits:", "digits:0", "digits:few"):
        with pytest.raises(UsageError, match="is no task with shots"):
            Row.of(bad)


def test_all_figures_of_a_row_are_of_the_same_held_out_tasks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nearest neighbour, computed here, has the score that the row says; the record is used again."""
    monkeypatch.setattr(search, "trained", lambda model: [Candidate("tinyreptile", 0.05, 1)])
    path, effort = str(write_valves(tmp_path)), Effort(0.2, 8, workers=1)
    found = measured(Row(path, 2), effort)
    assert (found.tasks, found.shots, found.devices) == (8, 2, 2)
    tasks = drawn_tasks(simulation_for(Row(path, 2), {}, effort), range(8))
    right = [np.mean(simple_methods.nearest_neighbour(task) == task.query.y) for task in tasks]
    simple = {one.name: one.mean for one in found.simple}
    assert simple.keys() == {"nearest neighbour", "nearest prototype", "logistic regression"}
    assert simple["nearest neighbour"] == pytest.approx(np.mean(right))
    assert found.defaults.gap == pytest.approx(found.defaults.mean - found.best_simple.mean)
    assert found.tuned_gap == pytest.approx(found.defaults.mean - found.tuned.mean)
    record = tmp_path / "records" / f"{path.replace('/', '-')}-2-0.2-8-1.json"
    record.parent.mkdir()
    record.write_text(json.dumps(asdict(replace(found, tuned_gap=-0.03))))
    words = [f"{path}:2", "--minutes", "0.2", "--tasks", "8", "--folder", str(record.parent)]
    document = tmp_path / "page.md"
    assert main([*words, "--document", str(document)]) == 1
    assert "within 2 points of tuned settings in 0 of 1 rows; not in `valves`, 2." in capsys.readouterr().out
    assert "-3.0 ±" in document.read_text()
