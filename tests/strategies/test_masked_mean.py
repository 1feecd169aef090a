"""R14: of each weight the mean over the devices that have anything to say of it."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from jaragua.settings import AggregationSettings
from jaragua.strategies import Settings, create
from jaragua.strategies.aggregation import ClientUpdate, masked_mean, mean, sample_weighted_mean
from jaragua.strategies.robust import aggregation_of

PI = ClientUpdate("pi", np.array([1.5, 2.5, 3.0]), 10)
BOARD = ClientUpdate("board", np.array([1.0, 3.0, 9.0]), 30, np.array([False, True, True]))


def test_r14_3_where_the_board_says_nothing_the_pi_decides() -> None:
    np.testing.assert_array_equal(masked_mean([BOARD, PI]), [1.5, 2.75, 6.0])


def test_r14_3_by_samples() -> None:
    np.testing.assert_array_equal(masked_mean([BOARD, PI], by_samples=True), [1.5, 2.875, 7.5])


def test_r14_3_what_nobody_says_anything_of_stays() -> None:
    silent = [ClientUpdate(name, np.array([5.0]), 1, np.array([False])) for name in ("a", "b")]
    np.testing.assert_array_equal(masked_mean(silent), [5.0])


@given(st.lists(st.floats(-4, 4), min_size=1, max_size=6))
def test_r14_4_of_one_precision_it_is_the_mean_to_the_bit(numbers: list[float]) -> None:
    updates = [ClientUpdate(f"d{place}", np.array([number]), place + 1) for place, number in enumerate(numbers)]
    assert masked_mean(updates).tobytes() == mean(updates).tobytes()
    assert masked_mean(updates, by_samples=True).tobytes() == sample_weighted_mean(updates).tobytes()


def test_r14_4_with_another_combination_no_weight_is_masked() -> None:
    """`strategy.combine` other than `own` sees the updates without their masks."""
    start = np.array([1.0, 2.0, 3.0])
    plain = create(
        "tinyreptile", Settings(4, aggregation=aggregation_of(AggregationSettings(combine="mean")))
    ).aggregate(1, start, [BOARD, PI])
    np.testing.assert_array_equal(plain, [1.25, 2.75, 6.0])


def test_r14_strategies_combine_so() -> None:
    start = np.array([1.0, 2.0, 3.0])
    reptile = create("tinyreptile", Settings(4)).aggregate(1, start, [BOARD, PI])
    np.testing.assert_array_equal(reptile, [1.5, 2.75, 6.0])
    averaged = create("fedavg", Settings(4)).aggregate(1, start, [BOARD, PI])
    np.testing.assert_array_equal(averaged, [1.5, 2.875, 7.5])
