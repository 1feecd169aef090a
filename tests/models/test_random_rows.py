"""Many generators at once draw what NumPy's own draw one by one."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from jaragua_models.random_rows import unit_rows

NUMBERS = st.integers(0, 2**128 - 1)


@given(st.lists(NUMBERS, min_size=1, max_size=20), st.integers(0, 70), st.integers(1, 70))
def test_rows_are_what_numpy_draws(numbers: list[int], skipped: int, count: int) -> None:
    rows = unit_rows(numbers, skipped, count)
    for number, row in zip(numbers, rows, strict=True):
        drawn = np.random.Generator(np.random.PCG64(number)).random(skipped + count)[skipped:]
        np.testing.assert_array_equal(row, drawn)


@given(NUMBERS)
def test_a_row_scaled_is_what_uniform_draws(number: int) -> None:
    drawn = np.random.Generator(np.random.PCG64(number)).uniform(-5.0, 3.0, 9)
    np.testing.assert_array_equal(-5.0 + 8.0 * unit_rows([number], 0, 9)[0], drawn)
