"""A5.2, A5.3: learning rates."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jaragua_compiler import CompileError, LearningRate
from jaragua_compiler.quantisation.rate import effective_rate, loss_factor


@given(st.floats(2.0**-32, 1.0, exclude_max=True))
def test_a5_2_a_rate_is_kept_to_15_bits(rate: float) -> None:
    found = LearningRate.from_float(rate)
    found.check()
    assert abs(found.to_float() - rate) <= rate * 2.0**-14


@pytest.mark.parametrize("rate", [0.0, -0.1, 1.0, 2.0**-33, float("nan"), float("inf")])
def test_a5_2_a_rate_out_of_range_is_refused(rate: float) -> None:
    with pytest.raises(CompileError, match="out of range"):
        LearningRate.from_float(rate)


@pytest.mark.parametrize("rate", [(16383, 20), (32768, 20), (20000, 14), (20000, 47)])
def test_a5_2_numbers_that_are_no_rate_are_refused(rate: tuple[int, int]) -> None:
    with pytest.raises(CompileError, match="not a learning rate"):
        LearningRate(*rate).check()


@given(st.floats(2.0**-20, 0.9), st.integers(1, 511))
def test_a5_3_the_loss_factor_is_in_the_effective_rate(rate: float, outputs: int) -> None:
    found = effective_rate(LearningRate.from_float(rate), loss_factor(outputs, classifier=False))
    assert 16384 <= found.mantissa <= 32767
    assert found.to_float() == pytest.approx(rate * 2 / outputs, rel=2.0**-12)


def test_a5_3_cross_entropy_has_a_factor_of_one() -> None:
    rate = LearningRate.from_float(0.1)
    assert effective_rate(rate, loss_factor(10, classifier=True)) == rate
