"""Updates as rows of one matrix (a simulation's) are what updates one by one are (a fleet's)."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest

from jaragua.settings import AggregationSettings
from jaragua.strategies.aggregation import (
    Aggregation,
    ClientUpdate,
    Combine,
    UpdateRows,
    Vector,
    masked_mean,
    mean,
    row_lengths,
    sample_weighted_mean,
)
from jaragua.strategies.robust import (
    LONGEST,
    Finite,
    MedianNormClip,
    OutlierFilter,
    aggregation_of,
    median,
    spectral_mean,
    start_length,
    trimmed_mean,
)

#: What every run checks (R17).
R17 = aggregation_of(AggregationSettings())


@pytest.mark.parametrize("is_masked", [False, True])
def test_rows_of_one_matrix_combine_like_updates_one_by_one(is_masked: bool, seed: int) -> None:
    """To the bit, whatever combines them."""
    draw = np.random.default_rng(seed)
    weights, update_mask = draw.normal(size=(9, 50)), draw.random((9, 50)) < 0.5 if is_masked else None
    weights[4] *= 3  # far from the others
    devices, samples = [f"board-{number}" for number in range(9)], draw.integers(1, 40, 9).tolist()
    rows = UpdateRows(devices, weights, samples, update_mask)
    singly = [
        ClientUpdate(*one)
        for one in zip(devices, weights, samples, [None] * 9 if update_mask is None else update_mask, strict=True)
    ]
    combiners: list[Combine] = [
        mean,
        sample_weighted_mean,
        median,
        trimmed_mean(0.2),
        spectral_mean(0.2),
        masked_mean,
        partial(masked_mean, by_samples=True),
    ]
    for combine in combiners:
        np.testing.assert_array_equal(combine(rows), combine(singly))
    checks = Aggregation((Finite(), OutlierFilter(1.5), MedianNormClip(0.9)))
    for found, wanted in zip(*(checks.checked(weights[0], updates)[0] for updates in (rows, singly)), strict=True):
        assert found.device == wanted.device
        np.testing.assert_array_equal(found.weights, wanted.weights)
    assert checks.checked(weights[0], rows)[1] == checks.checked(weights[0], singly)[1] != {}
    assert [update.samples for update in rows[2:5]] == samples[2:5]


def test_a_row_that_is_not_finite_is_excluded() -> None:
    weights = np.ones((3, 4))
    weights[1, 2] = np.inf
    kept, excluded = Aggregation((Finite(),)).checked(np.zeros(4), UpdateRows(["a", "b", "c"], weights, [1, 1, 1]))
    assert [update.device for update in kept] == ["a", "c"]
    assert list(excluded) == ["b"]


class Lazy:
    """Rows that say what they were asked for."""

    def __init__(self, rows: Vector, slack: float = 1.0) -> None:
        """slack: how many times as large as the length the bound of it is."""
        self._rows, self._slack, self.asked = rows, slack, list[str]()

    @property
    def matrix(self) -> Vector:
        self.asked.append("matrix")
        return self._rows

    @property
    def mean(self) -> Vector:
        self.asked.append("mean")
        return mean([ClientUpdate("", row, 1) for row in self._rows])

    def weighted_mean(self, samples: Vector) -> Vector:
        self.asked.append("weighted mean")
        result: Vector = np.average(self._rows, axis=0, weights=samples)
        return result

    def lengths_at_most(self, origin: Vector) -> Vector:
        return np.maximum(row_lengths(self._rows, origin), 1e-300) * self._slack


def test_who_only_wants_a_mean_makes_no_matrix(seed: int) -> None:
    """Nor do the checks of R17; who wants more gets the rows themselves."""
    weights = np.random.default_rng(seed).normal(size=50) + np.random.default_rng(seed + 1).normal(0, 0.1, (9, 50))
    devices = [f"board-{number}" for number in range(9)]
    lazy = Lazy(weights)
    updates = UpdateRows(devices, lazy, [1] * 9)
    kept, excluded = R17.checked(weights[0], updates)
    np.testing.assert_array_equal(masked_mean(kept), np.mean(weights, axis=0))
    assert lazy.asked == ["mean"]
    assert not excluded
    np.testing.assert_array_equal(median(kept), np.median(weights, axis=0))
    np.testing.assert_array_equal(updates[3].weights, weights[3])
    assert lazy.asked == ["mean", "matrix", "matrix"]


@pytest.mark.parametrize("slack", [1.0, 1 + 1e-12, np.inf, np.nan])
@pytest.mark.parametrize("above", [False, True])
def test_r17_leaves_out_the_same_rows_with_and_without_a_matrix(slack: float, above: bool) -> None:
    """At the limit itself, too, where a bound of the length cannot tell."""
    start = np.append(np.ones(49), 0.0)
    limit = LONGEST * start_length(start)
    rows = np.array([start, start])
    rows[1, 49] = np.nextafter(limit, np.inf) if above else limit  # its length to the bit
    plain, lazy = (R17.checked(start, UpdateRows(["a", "b"], given, [1, 1])) for given in (rows, Lazy(rows, slack)))
    assert [one.device for one in lazy[0]] == [one.device for one in plain[0]] == ["a", "b"][: 1 if above else 2]
    assert lazy[1] == plain[1]


def test_r17_lazy_rows_that_are_far_are_excluded(seed: int) -> None:
    rows = np.random.default_rng(seed).normal(0, 0.01, (9, 50))
    rows[5] += 3
    lazy = Lazy(rows)
    kept, excluded = R17.checked(
        np.full(50, 1.0), UpdateRows([f"board-{number}" for number in range(9)], lazy, [1] * 9)
    )
    assert len(kept) == 8
    assert list(excluded) == ["board-5"]
    assert "matrix" in lazy.asked


def test_lazy_rows_that_are_not_finite_are_excluded() -> None:
    weights = np.ones((3, 4))
    weights[2, 1] = np.nan
    kept, excluded = Aggregation((Finite(),)).checked(
        np.zeros(4), UpdateRows(["a", "b", "c"], Lazy(weights), [1, 1, 1])
    )
    assert [update.device for update in kept] == ["a", "b"]
    assert list(excluded) == ["c"]


def test_large_weights_are_finite_though_their_sum_is_not() -> None:
    weights = np.full((4, 2), 1.5e308)
    updates = UpdateRows(["a", "b", "c", "d"], weights, [1] * 4)
    assert Finite()(np.zeros(2), updates) is updates
