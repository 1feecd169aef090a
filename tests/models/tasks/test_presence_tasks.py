"""Presence: is the split by time kept, and are rare answers evaluated for what they are?"""

import zipfile
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from jaragua_models import ModelError, Samples
from jaragua_models.presence import PresenceTasks, Scores, readings, scores

TASKS = PresenceTasks()


@pytest.fixture
def room(use_data: Callable[[str], Path]) -> Path:
    return use_data("room_occupancy_estimation")


def rows_of(node: str, samples: Samples) -> set[int]:
    """All rows a sample may be: readings repeat, so one features row can stand for several."""
    own = readings.features(readings.load().values[:, readings.NODES.index(node)])
    asked = {row.tobytes() for row in samples.x}
    return {index for index, row in enumerate(own) if row.tobytes() in asked}


def test_the_table_is_the_published_one(room: Path) -> None:
    data = readings.load()
    assert data.values.shape == (10_129, 4, 3)
    assert np.bincount(data.people).tolist() == [8228, 459, 748, 694]
    assert (np.diff(data.times) >= np.timedelta64(0)).all()


def test_the_zip_of_the_official_address_and_other_dates_give_the_same(
    room: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = (room / readings.TABLE).read_text().replace("2017/12/22", "22/12/2017")
    target = tmp_path / readings.SOURCE.folder / readings.SOURCE.file
    target.parent.mkdir()
    with zipfile.ZipFile(target, "w") as archive:
        archive.writestr(readings.TABLE, text)
    monkeypatch.setenv("JARAGUA_DATA_DIR", str(tmp_path))
    assert readings.content_digest(readings.load.__wrapped__()) == readings.CONTENT


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda text: text.replace("24.94", "24.95", 1), "is not the table"),
        (lambda text: text.replace("S1_Temp", "Temp"), "cannot be read"),
        (lambda text: text.replace("24.94", "warm", 1), "cannot be read"),
        (lambda text: text.replace("2017/12/22", "yesterday", 1), "'yesterday' '10:49:41' is no time"),
        (lambda text: text[: len(text) // 2], "cannot be read|is not the table"),
    ],
)
def test_a_changed_table_is_not_used(
    room: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: Callable[[str], str], reason: str
) -> None:
    target = tmp_path / readings.SOURCE.folder / readings.TABLE
    target.parent.mkdir()
    target.write_text(change((room / readings.TABLE).read_text()))
    monkeypatch.setenv("JARAGUA_DATA_DIR", str(tmp_path))
    with pytest.raises(ModelError, match=reason):
        readings.load.__wrapped__()


def test_the_fixed_numbers_are_those_of_the_training_days(room: Path) -> None:
    data = readings.load()
    values = data.values[data.rows(None, readings.TRAINING_END)].reshape(-1, 3)
    assert np.allclose(readings.CENTRE, values.mean(axis=0), rtol=1e-4)
    assert np.allclose(readings.SCALE, values.std(axis=0), rtol=1e-4)


def test_training_support_and_queries_follow_each_other_in_time(room: Path) -> None:
    data = readings.load()
    training = data.rows(None, readings.TRAINING_END)
    support = data.rows(readings.TRAINING_END, readings.SUPPORT_END)
    query = data.rows(readings.QUERY_START, None)
    assert data.times[training].max() < data.times[support].min()
    assert data.times[query].min() - data.times[support].max() >= timedelta(minutes=5)
    days = {time.astype(datetime).date().day for time in data.times[training]}
    assert days == {22, 23, 24}
    assert np.bincount(data.people[training] > 0).tolist() == [3698, 1607]
    assert np.bincount(data.people[support] > 0).tolist() == [2779, 144]
    assert np.bincount(data.people[query] > 0).tolist() == [1751, 140]


def test_tasks_stay_in_their_stretch_of_time(room: Path) -> None:
    data = readings.load()
    training = set(data.rows(None, readings.TRAINING_END).tolist())
    for seed in range(5):
        task = TASKS.train_task("S2", seed, 2, 10)
        for samples in (task.support, task.query):
            for x in samples.x:
                assert rows_of("S2", Samples(x[None], samples.y[:1])) & training


@pytest.mark.parametrize("queries", [100, 7])
def test_classes_are_balanced_so_that_accuracy_is_balanced_accuracy(room: Path, queries: int) -> None:
    task = TASKS.held_out_task(5, 2, 10, queries)
    assert np.bincount(task.support.y).tolist() == [10, 10]
    assert np.bincount(task.query.y).tolist() == [queries - queries // 2, queries // 2]
    answers = np.random.default_rng(0).integers(0, 2, queries)
    if queries % 2 == 0:
        evaluated = scores(task.query.y, answers)
        assert evaluated.accuracy == pytest.approx(evaluated.balanced_accuracy)


def test_natural_rows_are_as_unbalanced_as_life(room: Path) -> None:
    for node in readings.NODES:
        assert np.bincount(TASKS.natural(node).y).tolist() == [1751, 140]


def test_a_held_out_node_never_trains(room: Path) -> None:
    source = PresenceTasks(held_out_node="S4")
    own = rows_of("S4", source.held_out_task(3, 2, 5, 20).query)
    assert own & set(readings.load().rows(readings.QUERY_START, None).tolist())
    assert [TASKS._own_node(f"device-{n}") for n in (1, 2, 3, 4, 5)] == ["S1", "S2", "S3", "S4", "S1"]
    assert {source._own_node(name) for name in ("S4", *(f"board-{n}" for n in range(50)))} == {"S1", "S2", "S3"}
    assert len(source.calibration()) == 3 * 5305


def test_counting_people_has_four_labels_and_says_which_day_lacks_one(room: Path) -> None:
    source = PresenceTasks("count")
    assert np.bincount(source.train_task("S1", 1, 4, 5).support.y).tolist() == [5, 5, 5, 5]
    task = source.held_out_task(1, 4, 5, 30)
    assert 1 not in task.query.y
    assert len(task.query) == 30
    assert set(task.support.y.tolist()) == set(task.query.y.tolist())


def test_equal_arguments_give_equal_tasks(room: Path) -> None:
    first, second = (TASKS.held_out_task(7, 2, 5, 20) for _ in range(2))
    assert np.array_equal(first.support.x, second.support.x)
    assert np.array_equal(first.query.x, second.query.x)
    assert not np.array_equal(first.query.x, TASKS.held_out_task(8, 2, 5, 20).query.x)


@pytest.mark.parametrize(("ways", "shots", "queries"), [(3, 5, 10), (2, 0, 10), (2, 5, -1), (2, 145, 10), (2, 5, 300)])
def test_what_the_rows_cannot_serve_is_refused(room: Path, ways: int, shots: int, queries: int) -> None:
    with pytest.raises(ModelError) as caught:
        TASKS.held_out_task(1, ways, shots, queries)
    assert caught.value.hint


def test_unknown_labels_and_nodes_are_refused() -> None:
    with pytest.raises(ModelError, match="'people'"):
        PresenceTasks("people")  # type: ignore[arg-type]
    with pytest.raises(ModelError, match="'S5'"):
        PresenceTasks(held_out_node="S5")


def test_scores_of_a_small_case_by_hand() -> None:
    assert scores([0, 0, 0, 0, 1, 1], [0, 0, 0, 1, 1, 0]) == Scores(4 / 6, (3 / 4 + 1 / 2) / 2, 2 / 4)
    assert scores([0, 0, 0], [0, 0, 0]) == Scores(1.0, 1.0, 0.0)
    assert scores([0, 0, 0, 1], [0, 0, 0, 0]) == Scores(0.75, 0.5, 0.0)
