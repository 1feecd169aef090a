"""Time of rows (D9), and what is said of classes with too few."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from common.own_task import TASK, write_valves
from jaragua_models import DataError, HasValidation, Remarks, from_toml
from jaragua_models.own_data.time_split import split_by_time

STATES = ("closed", "leaking", "open")
DATES = TASK.replace('device = "machine"', 'device = "machine"\ntime = ["day", "clock"]')


def table(folder: Path, text: str, rows: list[str], header: str = "machine,day,clock,flow,state") -> Path:
    (folder / "valves.csv").write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
    path = folder / "valves.toml"
    path.write_text(text, encoding="utf-8")
    return path


def rows_of(machine: int, count: int) -> list[str]:
    """One row a minute; flow is the minute, and states take turns of five minutes."""
    return [f"m{machine},2024/05/31,10:{n:02}:00,{n},{STATES[n // 5 % 3]}" for n in range(count)]


def minutes(path: Path, seeds: int = 20) -> list[tuple[set[float], set[float]]]:
    """The minutes (the only feature, still in order) of support and queries of held-out tasks."""
    tasks = from_toml(path).tasks
    drawn = [tasks.held_out_task(seed, 3, 2, 6) for seed in range(seeds)]
    return [(set(task.support.x.ravel().tolist()), set(task.query.x.ravel().tolist())) for task in drawn]


def test_d9_support_comes_before_all_queries(tmp_path: Path) -> None:
    rows = [row for machine in range(1, 7) for row in rows_of(machine, 60)]
    path = table(tmp_path, DATES, rows)
    for support, query in minutes(path):
        assert max(support) < min(query)
    tasks = from_toml(path).tasks
    assert isinstance(tasks, HasValidation)
    inner = tasks.for_validation().held_out_task(1, 3, 2, 6)
    assert inner.support.x.max() < inner.query.x.min()
    unordered = DATES.replace('["day", "clock"]', "[]").replace("[task]", '[task]\nfeatures = ["flow"]')
    assert any(max(support) > min(query) for support, query in minutes(table(tmp_path, unordered, rows)))


def test_d9_the_moment_leaves_most_classes_and_is_next_to_the_middle() -> None:
    """Class 1 is only in the first third: a moment there keeps both, though the middle is later."""
    spans = np.repeat(np.arange(90.0), 2).reshape(90, 2)
    one = np.arange(30)[::3]
    other = np.setdiff1d(np.arange(90), one)
    before, after = split_by_time(spans, [other, one], 2, 2)
    assert [len(rows) for rows in (*before, *after)] == [len(other) - len(after[0]), 8, len(after[0]), 2]
    before, after = split_by_time(spans, [np.arange(45), np.arange(45, 90)[:0]], 2, 2)
    assert abs(len(before[0]) - len(after[0])) <= 1


def test_d9_a_window_that_goes_on_over_the_moment_is_on_neither_side() -> None:
    spans = np.stack([np.arange(20.0), np.arange(20.0) + 4], axis=1)
    (before,), (after,) = split_by_time(spans, [np.arange(20)], 2, 2)
    assert spans[before, 1].max() < spans[after, 0].min()
    assert len(before) + len(after) == 20 - 4


@pytest.mark.parametrize(("cell", "words"), [("later", "is not a time"), ("31.5.2024", "is not a time")])
def test_d9_a_time_that_is_none_is_named_with_its_line(tmp_path: Path, cell: str, words: str) -> None:
    rows = [row for machine in range(1, 7) for row in rows_of(machine, 30)]
    rows[7] = rows[7].replace("2024/05/31", cell)
    with pytest.raises(DataError, match=f"line 9, column 'day'.*{words}"):
        from_toml(table(tmp_path, DATES, rows))


def test_rows_without_a_time_are_warned_of(tmp_path: Path) -> None:
    tasks = from_toml(write_valves(tmp_path)).tasks
    assert isinstance(tasks, Remarks)
    (one,) = tasks.remarks(3, 3, 3, 9)
    assert "valves.csv has no time" in one
    text = TASK.replace('device = "machine"', 'device = "machine"\ntime = []')
    (tmp_path / "valves.toml").write_text(text, encoding="utf-8")
    silent = from_toml(tmp_path / "valves.toml").tasks
    assert isinstance(silent, Remarks)
    assert silent.remarks(3, 3, 3, 9) == []


def test_a_class_with_too_few_samples_is_named(tmp_path: Path) -> None:
    """m5 is held out and has 2 samples of a fourth state; m1 trains and has 1. Tasks leave the state out."""
    path = write_valves(tmp_path)
    rare = ["m5,1.0,1.0,stuck", "m5,1.1,1.0,stuck", "m1,1.0,1.0,stuck"]
    with (tmp_path / "valves.csv").open("a", encoding="utf-8") as file:
        file.write("\n".join(rare) + "\n")
    tasks = from_toml(path).tasks
    assert isinstance(tasks, Remarks)
    said = [one for one in tasks.remarks(4, 3, 3, 8) if one.startswith("class")]
    assert said == [
        "class 'stuck': 'm5' has 2, 'm6' has 0 of the 5 samples that a task takes; tasks of these held-out devices "
        "leave it out",
        "class 'stuck': 'm1' has 1, 'm2' has 0, 'm3' has 0, 'm4' has 0 of the 3 samples that a task takes; tasks of "
        "these training devices leave it out",
    ]
    assert "stuck" not in tasks.held_out_task(1, 4, 3, 8).classes
