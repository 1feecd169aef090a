"""Semi-asynchronous rounds: the older the start of an update, the less it counts."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jaragua.strategies.stale import AgedDifference, StaleBuffer, staleness_weight


def test_the_weight_of_an_age() -> None:
    assert [staleness_weight(age) for age in (0, 3, 8)] == [1.0, 0.5, 1 / 3]
    assert staleness_weight(3, power=1.0) == 0.25
    assert staleness_weight(99, power=0.0) == 1.0


@given(st.integers(0, 1000), st.floats(0.01, 3))
def test_the_weight_falls_with_age(age: int, power: float) -> None:
    assert 0 < staleness_weight(age + 1, power) < staleness_weight(age, power) <= 1


def test_a_start_from_the_future_is_refused() -> None:
    with pytest.raises(ValueError, match="to come"):
        staleness_weight(-1)


def test_a_full_buffer_makes_one_step() -> None:
    """φ + α (1 · [4, 0] + 1/2 · [0, 8]) / 2, of ages 0 and 3."""
    buffer = StaleBuffer(size=2)
    assert buffer.take(AgedDifference("b", np.array([4.0, 0.0]), version=7), 7)
    assert not buffer.is_full
    assert buffer.take(AgedDifference("a", np.array([0.0, 8.0]), version=4), 7)
    assert buffer.is_full
    np.testing.assert_array_equal(buffer.step(np.array([1.0, 1.0]), version=7, alpha=0.5), [2.0, 2.0])
    assert not buffer.is_full


def test_too_old_a_difference_is_not_taken() -> None:
    buffer = StaleBuffer(size=1, most_age=2)
    assert not buffer.take(AgedDifference("a", np.ones(1), version=4), 7)
    assert buffer.take(AgedDifference("a", np.ones(1), version=5), 7)


def test_a_device_has_one_place() -> None:
    buffer = StaleBuffer(size=2)
    for value in (1.0, 2.0):
        buffer.take(AgedDifference("a", np.array([value]), version=0), 0)
    assert not buffer.is_full
    buffer.take(AgedDifference("b", np.array([4.0]), version=0), 0)
    np.testing.assert_array_equal(buffer.step(np.zeros(1), 0, 1.0), [3.0])


@given(st.permutations(range(5)))
def test_the_order_of_arrival_does_not_matter(order: list[int]) -> None:
    buffer = StaleBuffer(size=5)
    for number in order:
        buffer.take(AgedDifference(f"device-{number}", np.array([0.1 * number, 1 / (number + 3)]), version=number), 9)
    moved = buffer.step(np.array([0.3, 0.7]), 9, 0.9)
    again = StaleBuffer(size=5)
    for number in range(5):
        again.take(AgedDifference(f"device-{number}", np.array([0.1 * number, 1 / (number + 3)]), version=number), 9)
    np.testing.assert_array_equal(moved, again.step(np.array([0.3, 0.7]), 9, 0.9))
