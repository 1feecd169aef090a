"""Rejecting the unknown: bounds, figures, and `python -m jaragua.experiments.rejection` on real tasks."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

from jaragua.coordinator.weights.codec import ModelCodec
from jaragua.experiments.rejection import __main__ as command
from jaragua.experiments.rejection.measure import RATES, Recogniser, Setup, measured
from jaragua.models import model_named
from jaragua.report.intervals import mean_interval
from jaragua.report.rejection import Queries, bound_for, rejection, threshold_for
from jaragua_compiler.engine_protocol import ACCEPT_ALL
from jaragua_compiler.quantisation.blob import quantise_inputs

SETUP = Setup(ways=5, shots=5, queries=3, tasks=12)


def _tasks(seed: int, count: int, device: str = "") -> list[Queries]:
    """Random tasks with many ties among the scores."""
    generator = np.random.default_rng(seed)
    known = np.arange(40) < 20
    scores = [generator.integers(0, 12, 40) + np.where(known, 0.0, 3.0) for _ in range(count)]
    return [Queries(one, known, generator.random(40) < 0.8, device) for one in scores]


@pytest.mark.parametrize("rate", [0.0, 0.01, 0.05, 0.5, 1.0])
def test_a_bound_accepts_at_most_the_wanted_part_and_no_larger_one_does(rate: float) -> None:
    scores = np.random.default_rng(3).integers(0, 40, 500).astype(float)
    bound, threshold = bound_for(scores, rate), threshold_for(scores, rate, 100)
    assert np.mean(scores < bound) <= rate
    assert math.isinf(bound) == (rate == 1)
    assert rate == 1 or np.mean(scores < np.nextafter(bound, math.inf)) > rate
    assert threshold in (0, 100) or np.array_equal(scores <= threshold, scores < bound)
    assert (threshold == 100) == (rate == 1)


def test_a_bound_of_nothing_and_a_wrong_rate_are_errors() -> None:
    for scores, rate in (([], 0.1), ([1.0], 1.1), ([1.0], -0.1)):
        with pytest.raises(ValueError, match="a bound needs"):
            bound_for(scores, rate)


def test_figures_are_those_of_counting() -> None:
    tasks = _tasks(1, 9)
    found = rejection(tasks, _tasks(2, 9), (0.05,))
    scores, known, right = (
        np.concatenate([getattr(one, name) for one in tasks]) for name in ("scores", "known", "right")
    )
    pairs = scores[known][:, None] - scores[~known][None]
    assert found.auroc.mean == pytest.approx(np.mean(pairs < 0) + np.mean(pairs == 0) / 2)
    assert found.accuracy.mean == pytest.approx(right[known].mean())
    at = found.rates[0]
    assert at.false_accepts.mean == pytest.approx(np.mean(scores[~known] < at.bound))
    assert at.false_rejects.mean == pytest.approx(np.mean(scores[known] >= at.bound))
    assert at.accepted_and_right.mean == pytest.approx(np.mean((scores < at.bound)[known] & right[known]))
    accuracies = mean_interval([float(one.right[one.known].mean()) for one in tasks])
    assert found.accuracy.high == pytest.approx(accuracies.high)  # tasks of one size: the interval of their mean


def test_the_interval_of_the_auroc_contains_the_truth_as_often_as_it_says() -> None:
    means = [rejection(_tasks(seed, 10), _tasks(0, 2), ()).auroc for seed in range(200)]
    truth = np.mean([one.mean for one in means])
    assert 0.9 <= np.mean([one.low <= truth <= one.high for one in means]) <= 0.99


def test_tasks_of_one_device_are_one_cluster() -> None:
    tasks = [task for number in range(4) for task in [_tasks(number, 1, f"d{number}")[0]] * 3]
    assert rejection(tasks, tasks, ()).auroc.count == 4


def test_the_threshold_on_the_engine_accepts_what_the_bound_does() -> None:
    model, classes = model_named("linear:digits"), 2 * SETUP.ways
    found = measured(model, None, SETUP)
    recogniser = Recogniser(model, None, SETUP.ways)
    task = model.tasks.held_out_task(0, classes, SETUP.shots, SETUP.queries * classes)
    recogniser.enrol(task.support)
    accepted, wanted = [], []
    for threshold, at in zip(found.thresholds, found.scores["relative"].rates, strict=True):
        recogniser.engine.set_rejection(threshold)
        scores = recogniser.scored(task, SETUP.queries)["relative"].scores
        wanted += (scores < at.bound).tolist()
        x = quantise_inputs(recogniser.plan, recogniser.exponents, task.query.x)
        accepted += [recogniser.engine.recognise(one).accepted for one in x]
    assert accepted == wanted
    assert True in accepted
    assert False in accepted


def test_thresholds_of_validation_devices_are_those_of_weights_that_have_not_seen_them() -> None:
    model = model_named("digits")
    codec = ModelCodec(model)
    weights, unseen = codec.initial(0), codec.initial(1)
    found = measured(model, weights, SETUP, unseen)
    validation, classes = model_named("validation:digits"), 2 * SETUP.ways
    recogniser = Recogniser(validation, unseen, SETUP.ways)
    queries = SETUP.queries * classes
    drawn = [validation.tasks.held_out_task(seed, classes, SETUP.shots, queries) for seed in range(SETUP.tasks)]
    scored = [recogniser.scored(task, SETUP.queries)["relative"] for task in drawn]
    unknown = np.concatenate([one.scores[~one.known] for one in scored])
    assert found.thresholds == tuple(threshold_for(unknown, rate, ACCEPT_ALL) for rate in RATES)
    assert found.thresholds != measured(model, weights, SETUP).thresholds


def test_the_command_prints_figures_of_held_out_tasks(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["--task", "digits", "--shots", "5", "--tasks", "12"]
    assert command.main([*arguments, "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    found = said["prototypes_of"]["the inputs"]
    assert [at["wanted"] for at in found["scores"]["relative"]["rates"]] == list(RATES)
    assert found["scores"]["relative"]["accuracy"]["mean"] > 0.5
    assert 0.5 < found["scores"]["relative"]["auroc"]["mean"] < 1
    first, second = found["thresholds"]
    assert 0 < first < second < ACCEPT_ALL
    assert command.main([*arguments, "--scores"]) == 0
    text = capsys.readouterr().out
    assert f"threshold {first} " in text
    assert text.count("AUROC") == 4


def test_fixed_labels_leave_no_class_unknown(capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["--task", "presence"]) != 0
    assert "no classes left to be unknown" in capsys.readouterr().err
