"""Updates as rows of one matrix (a simulation's) are what updates one by one are (a fleet's)."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest

from jaragua.strategies.aggregation import (
    Aggregation,
    ClientUpdate,
    Combine,
    UpdateRows,
    Vector,
    mean,
    sample_weighted_mean,
    told_mean,
)
from jaragua.strategies.robust import ClippedToTheMedianNorm, Finite, NearTheFleet, median, trimmed_mean


@pytest.mark.parametrize("is_told", [False, True])
def test_rows_of_one_matrix_combine_like_updates_one_by_one(is_told: bool, seed: int) -> None:
    """To the bit, whatever combines them."""
    draw = np.random.default_rng(seed)
    weights, told = draw.normal(size=(9, 50)), draw.random((9, 50)) < 0.5 if is_told else None
    weights[4] *= 3  # far from the others
    devices, samples = [f"board-{number}" for number in range(9)], draw.integers(1, 40, 9).tolist()
    rows = UpdateRows(devices, weights, samples, told)
    singly = [
        ClientUpdate(*one) for one in zip(devices, weights, samples, [None] * 9 if told is None else told, strict=True)
    ]
    combiners: list[Combine] = [
        mean,
        sample_weighted_mean,
        median,
        trimmed_mean(0.2),
        told_mean,
        partial(told_mean, by_samples=True),
    ]
    for combine in combiners:
        np.testing.assert_array_equal(combine(rows), combine(singly))
    checks = Aggregation((Finite(), NearTheFleet(1.5), ClippedToTheMedianNorm(0.9)))
    for found, wanted in zip(*(checks.checked(weights[0], updates)[0] for updates in (rows, singly)), strict=True):
        assert found.device == wanted.device
        np.testing.assert_array_equal(found.weights, wanted.weights)
    assert checks.checked(weights[0], rows)[1] == checks.checked(weights[0], singly)[1] != {}
    assert [update.samples for update in rows[2:5]] == samples[2:5]


def test_a_row_that_is_not_finite_is_left_out() -> None:
    weights = np.ones((3, 4))
    weights[1, 2] = np.inf
    kept, left_out = Aggregation((Finite(),)).checked(np.zeros(4), UpdateRows(["a", "b", "c"], weights, [1, 1, 1]))
    assert [update.device for update in kept] == ["a", "c"]
    assert list(left_out) == ["b"]


class Lazy:
    """Rows that say what they were asked for."""

    def __init__(self, rows: Vector) -> None:
        self._rows, self.asked = rows, list[str]()

    @property
    def matrix(self) -> Vector:
        self.asked.append("matrix")
        return self._rows

    @property
    def mean(self) -> Vector:
        self.asked.append("mean")
        return mean([ClientUpdate("", row, 1) for row in self._rows])


def test_who_only_wants_a_mean_makes_no_matrix(seed: int) -> None:
    """Nor does the check that all weights are finite; who wants more gets the rows themselves."""
    weights = np.random.default_rng(seed).normal(size=(9, 50))
    devices = [f"board-{number}" for number in range(9)]
    lazy = Lazy(weights)
    updates = UpdateRows(devices, lazy, [1] * 9)
    kept, left_out = Aggregation((Finite(),)).checked(weights[0], updates)
    np.testing.assert_array_equal(told_mean(kept), np.mean(weights, axis=0))
    assert lazy.asked == ["mean"]
    assert not left_out
    np.testing.assert_array_equal(median(kept), np.median(weights, axis=0))
    np.testing.assert_array_equal(updates[3].weights, weights[3])
    assert lazy.asked == ["mean", "matrix", "matrix"]


def test_lazy_rows_that_are_not_finite_are_left_out() -> None:
    weights = np.ones((3, 4))
    weights[2, 1] = np.nan
    kept, left_out = Aggregation((Finite(),)).checked(
        np.zeros(4), UpdateRows(["a", "b", "c"], Lazy(weights), [1, 1, 1])
    )
    assert [update.device for update in kept] == ["a", "b"]
    assert list(left_out) == ["c"]


def test_large_weights_are_finite_though_their_sum_is_not() -> None:
    weights = np.full((4, 2), 1.5e308)
    updates = UpdateRows(["a", "b", "c", "d"], weights, [1] * 4)
    assert Finite()(np.zeros(2), updates) is updates
