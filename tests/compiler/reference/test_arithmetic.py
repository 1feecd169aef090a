"""A1, A4 and A5.1 against exact arithmetic and against the functions they approximate."""

from __future__ import annotations

from fractions import Fraction
from math import exp, floor, log

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jaragua_compiler.reference.arithmetic import block_error, rshift, sats, satu, softmax_error, squared_error


@given(st.integers(-(2**40), 2**40), st.integers(0, 31))
def test_a1_1_rounds_half_up(value: int, shift: int) -> None:
    assert rshift(np.array([value]), shift)[0] == floor(Fraction(value, 2**shift) + Fraction(1, 2))


@given(st.integers(-(2**40), 2**40), st.integers(0, 30))
def test_a1_2_saturates(value: int, bits: int) -> None:
    assert sats(np.array([value]), bits)[0] == min(max(value, -(2**bits)), 2**bits - 1)
    assert satu(np.array([value]), bits)[0] == min(max(value, 0), 2**bits - 1)


@given(st.lists(st.integers(-32768, 32766), min_size=2, max_size=40), st.data())
def test_a4_1_softmax_is_right_to_a_thousandth(logits: list[int], data: st.DataObject) -> None:
    label = data.draw(st.integers(0, len(logits) - 1))
    found = softmax_error(np.array(logits), label)
    powers = [exp((z - max(logits)) / 2048) for z in logits]
    expected = [power / sum(powers) - (j == label) for j, power in enumerate(powers)]
    assert np.allclose(found.error / 32768, expected, atol=1e-3)
    assert found.correct == (label == logits.index(max(logits)))


@given(st.lists(st.integers(-32768, 32767), min_size=2, max_size=40), st.data())
def test_a4_4_cross_entropy_is_right_to_a_hundredth(logits: list[int], data: st.DataObject) -> None:
    label = data.draw(st.integers(0, len(logits) - 1))
    total = sum(exp((z - max(logits)) / 2048) for z in logits)
    expected = (max(logits) - logits[label]) / 2048 + log(total)
    assert softmax_error(np.array(logits), label).loss / 2048 == pytest.approx(expected, abs=1e-2)


@pytest.mark.parametrize("label", [-32768, -1, 3, 32767])
def test_a4_2_a_label_that_is_no_class_teaches_nothing(label: int) -> None:
    error, correct, loss = softmax_error(np.array([5, 9, 2]), label)
    assert (error.any(), correct, loss) == (False, False, 2**31 - 1)


def test_a4_2_a_label_at_the_top_of_the_format_teaches_nothing() -> None:
    error, correct, loss = softmax_error(np.array([32767, 32767, 5]), 1)
    assert (error.any(), correct) == (False, False)
    assert loss / 2048 == pytest.approx(log(2), abs=1e-2)
    assert np.allclose(softmax_error(np.array([32767, 32766, 5]), 1).error, [16384, -16384, 0], atol=16)


def test_a4_4_squared_errors_saturate() -> None:
    assert squared_error(np.array([3, -4]), np.array([1, 1])).loss == 4 + 25
    assert squared_error(np.full(3, 32767), np.full(3, -32768)).loss == 2**31 - 1


@given(st.lists(st.integers(-(2**31), 2**31 - 1), min_size=1, max_size=20), st.integers(7, 15))
def test_a5_1_a_block_keeps_its_values_to_half_a_unit(values: list[int], width: int) -> None:
    block = block_error(np.array(values), 20, width)
    if block is None:
        assert set(values) <= {0, -1}
        return
    assert np.abs(block.values).max() <= 2**width
    unit = Fraction(2) ** (20 - block.exponent)
    for before, after in zip(values, block.values.tolist(), strict=True):
        assert abs(after * unit - before) <= max(unit / 2, 0) or after == 2**width - 1
