"""Confidence intervals against tabulated values."""

from __future__ import annotations

import math

import pytest

from jaragua.report.intervals import mean_interval, paired_interval, student_quantile


@pytest.mark.parametrize(
    ("freedom", "tabulated", "tolerance"),
    [(4, 2.7764, 1e-2), (9, 2.2622, 1e-3), (15, 2.1314, 1e-4), (23, 2.0687, 1e-4), (99, 1.9842, 1e-4)],
)
def test_student_quantile_is_the_tabulated_one(freedom: int, tabulated: float, tolerance: float) -> None:
    assert student_quantile(0.975, freedom) == pytest.approx(tabulated, abs=tolerance)


def test_mean_interval_is_students() -> None:
    interval = mean_interval([float(value) for value in range(24)])
    half = 2.0687 * math.sqrt(50.0) / math.sqrt(24)  # the variance of 0..23 with n - 1 is 50
    assert (interval.mean, interval.count) == (11.5, 24)
    assert interval.low == pytest.approx(11.5 - half, abs=1e-3)
    assert interval.high == pytest.approx(11.5 + half, abs=1e-3)


def test_paired_interval_sees_a_difference_that_the_spread_between_tasks_hides() -> None:
    before = [0.1 * task for task in range(20)]
    after = [value + 0.01 + 0.001 * (task % 2) for task, value in enumerate(before)]
    assert paired_interval(after, before).low > 0.01


def test_an_interval_of_one_value_is_refused() -> None:
    with pytest.raises(ValueError, match="at least two values"):
        mean_interval([1.0])
