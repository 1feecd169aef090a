"""Semi-asynchronous rounds: the older the start of an update, the less it counts."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jaragua.strategies.stale import staleness_weight


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
