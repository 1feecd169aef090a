"""Simple methods answer the same held-out tasks as what was simulated."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from jaragua.cli.main import run
from jaragua.models import model_named
from jaragua.simulation import Comparison, Simulation, simulate
from jaragua.simulation.comparison import simple_methods
from jaragua_models import Samples, Task

Make = Callable[..., Simulation]
DIGITS = {"task": "digits", "ways": 5, "shots": 5, "learning_rate": 0.1, "eval_tasks": 24, "eval_queries": 20}


@pytest.fixture
def compared(make: Make) -> Callable[..., Comparison]:
    """The comparison of a short simulation."""

    def comparison(**changes: Any) -> Comparison:
        found = simulate(make(**changes, comparing=True), workers=1).comparison
        assert found is not None
        return found

    return comparison


def test_every_method_answers_the_same_tasks(compared: Callable[..., Comparison]) -> None:
    pytest.importorskip("sklearn")
    found = compared(**DIGITS)
    methods = {method.name: method for method in found.methods}
    assert list(methods) == [
        *("tinyreptile", "chance", "nearest neighbour", "nearest prototype"),
        *("logistic regression", "random start"),
    ]
    assert {len(method.scores) for method in found.methods} == {24}
    assert methods["chance"].score.mean == pytest.approx(0.2)
    tasks = [model_named("digits").tasks.held_out_task(seed, 5, 5, 20) for seed in range(24)]
    nearest = [float(np.mean(simple_methods.nearest_neighbour(task) == task.query.y)) for task in tasks]
    assert methods["nearest neighbour"].scores == tuple(nearest)
    assert methods["random start"].settings.keys() == {"learning_rate", "passes"}
    assert methods["random start"].score.mean > 0.6
    assert found.best_simple.score.mean == max(method.score.mean for method in found.methods[1:])


@pytest.mark.parametrize("engine", ["w16", "float32"])
def test_tables_of_classes_agree_with_the_scores(make: Make, engine: str) -> None:
    result = simulate(make(**DIGITS, engine=engine, comparing=True), workers=1)
    found = result.comparison
    assert found is not None
    assert found.confusion is not None
    assert found.learned.scores == result.scores
    counts = np.array(found.confusion.counts)
    assert counts.sum() == 24 * 20
    assert np.trace(counts[:, :-1]) / counts.sum() == pytest.approx(result.after.mean)
    assert found.confusion.classes == tuple("0123456789")
    assert found.per_device == {}


def test_the_random_start_takes_plain_steps_whatever_the_strategy_does(compared: Callable[..., Comparison]) -> None:
    """Labels of digits are any of ten in tasks of five ways."""
    prototypes = compared(**DIGITS, strategy="protoreptile")
    steps = compared(**DIGITS)
    assert prototypes.methods[-1] == steps.methods[-1]
    assert prototypes.learned.score.mean > 0.6


def test_tasks_with_owners_are_told_apart(compared: Callable[..., Comparison], use_data: Callable[[str], Path]) -> None:
    use_data("room_occupancy_estimation")
    found = compared(task="presence", ways=2, shots=10, eval_tasks=12, eval_queries=20)
    assert "pooled classifier" in [method.name for method in found.methods] or found.missing
    assert set(found.per_device) <= {"S1", "S2", "S3", "S4"}
    assert found.devices == len(found.per_device) > 1
    assert set(found.per_class) == {"empty", "occupied"}


def test_a_regularised_intercept_keeps_the_border_near_zero() -> None:
    """The support samples lie to the right of 0, where the border is: with a free intercept it is between them."""
    support = Samples(np.array([[-0.1, 0.0], [2.0, 0.0]], np.float32), np.array([0, 1]))
    query = Samples(np.array([[-0.5, 0.0], [0.5, 0.0]], np.float32), np.array([0, 1]))
    answers = {
        penalised: simple_methods.logistic_regression(
            Task(support, query), simple_methods.Regression(0.1, penalised)
        ).tolist()
        for penalised in (False, True)
    }
    assert answers == {False: [0, 0], True: [0, 1]}


def test_a_regression_is_compared_by_its_error(compared: Callable[..., Comparison]) -> None:
    found = compared()
    assert [method.name for method in found.methods][1:] == [
        *("mean of the support set", "nearest neighbour", "random start"),
    ]
    assert found.best_simple.score.mean == min(method.score.mean for method in found.methods[1:])
    assert found.confusion is None


def test_without_scikit_learn_a_sentence_says_what_is_missing(
    compared: Callable[..., Comparison], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "sklearn", None)
    found = compared(**DIGITS)
    assert "logistic regression" not in [method.name for method in found.methods]
    assert found.missing == (f"{simple_methods.NO_SKLEARN}: {simple_methods.WITH_SKLEARN}",)


def test_document_folder_and_text_have_the_comparison(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    words = ["simulate", "--task", "digits", "--rounds", "0", "--eval-tasks", "4", "--directory", str(tmp_path)]
    assert run([*words, "--json"]) == 0
    data = json.loads(capsys.readouterr().out)["data"]
    assert data["scores"] == data["comparison"]["methods"][0]["scores"]
    summary = json.loads((tmp_path / "run.json").read_text())
    assert summary["evaluation"]["comparison"] == data["comparison"]
    assert run([*words, "--no-comparison"]) == 0
    assert "nearest neighbour" not in capsys.readouterr().out
    assert run(words) == 0
    text = capsys.readouterr().out
    assert "nearest neighbour" in text
    assert "less the best simple method" in text
