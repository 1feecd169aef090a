"""Figures of answers, against small cases counted by hand and scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest

from jaragua.report.classification import (
    NO_CLASS,
    Answered,
    accuracy,
    balanced_accuracy,
    by_device,
    confusion,
    macro_f1,
)
from jaragua.report.intervals import clustered_interval, mean_interval

ONE = Answered(np.array([0, 0, 0, 1]), np.array([0, 0, 1, 1]), ("cat", "dog"), "anna")
OTHER = Answered(np.array([0, 2]), np.array([1, 2]), ("dog", "", "cat"), "ben")


def test_figures_of_one_task() -> None:
    assert accuracy(ONE) == 0.75
    assert balanced_accuracy(ONE) == pytest.approx((2 / 3 + 1) / 2)
    assert macro_f1(ONE) == pytest.approx((0.8 + 2 / 3) / 2)


def test_confusions_are_counted_by_name_over_tasks_that_name_their_classes_differently() -> None:
    """The second task answers a label that is none of its classes."""
    found = confusion([ONE, OTHER])
    assert found is not None
    assert found.classes == ("cat", "dog")
    assert found.counts == ((3, 1, 0), (0, 1, 1))
    assert found.recall() == {"cat": 0.75, "dog": 0.5}
    assert found.f1() == pytest.approx({"cat": 6 / 7, "dog": 0.5})
    assert by_device([ONE, OTHER]) == {"anna": 0.75, "ben": 0.5}
    assert NO_CLASS not in found.classes


def test_classes_without_names_have_no_confusions() -> None:
    nameless = Answered(ONE.truth, ONE.answers)
    assert confusion([nameless]) is None
    assert by_device([nameless]) == {}


def test_figures_are_those_of_scikit_learn() -> None:
    metrics = pytest.importorskip("sklearn.metrics")
    random = np.random.default_rng(5)
    truth, answers = random.integers(0, 4, 200), random.integers(0, 4, 200)
    task = Answered(truth, answers)
    assert balanced_accuracy(task) == pytest.approx(metrics.balanced_accuracy_score(truth, answers))
    assert macro_f1(task) == pytest.approx(metrics.f1_score(truth, answers, average="macro"))


def test_an_interval_over_clusters_counts_each_cluster_once() -> None:
    """Repeating each device's tasks makes no interval narrower; without clusters it would."""
    values, devices = [0.5, 0.7, 0.9], ["a", "b", "c"]
    alone, repeated = clustered_interval(values, devices), clustered_interval(values * 20, devices * 20)
    assert alone is not None
    assert repeated is not None
    plain = mean_interval(values)
    assert (alone.low, alone.high) == pytest.approx((plain.low, plain.high))
    assert (repeated.low, repeated.high) == pytest.approx((plain.low, plain.high))
    assert clustered_interval(values, ["a"] * 3) is None
