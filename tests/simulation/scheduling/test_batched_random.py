"""What is drawn in C for many devices at once is what is drawn one by one (R2, and the generators of tasks)."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jaragua.coordinator.rounds import rules
from jaragua.simulation.scheduling.batched_random import BatchedRandom
from jaragua.simulation.settings import default_cache
from jaragua_models.random_rows import Named, unit_rows_of
from jaragua_models.randomness import generator_for

#: What the processor can do, and products of 128 bits from those of 32.
ROWS = [BatchedRandom(default_cache(), flags) for flags in ((), ("-DJRG_ROWS_PORTABLE",))]
#: Long and odd ones as well: their texts take several blocks of SHA-256.
NAMES = st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=150), min_size=1, max_size=40)


@pytest.mark.parametrize("rows", ROWS)
@given(names=NAMES, run_seed=st.integers(-5, 2**64), round_number=st.integers(1, 10**6))
def test_seeds_of_devices_are_those_of_r2(
    rows: BatchedRandom, names: list[str], run_seed: int, round_number: int
) -> None:
    found = rows.train_seeds(run_seed, round_number, names)
    assert found.tolist() == [rules.train_seed(run_seed, round_number, name) for name in names]


@pytest.mark.parametrize("rows", ROWS)
@given(names=NAMES, first=st.integers(0, 2**62), skipped=st.integers(0, 70), count=st.integers(1, 70))
def test_rows_are_what_numpy_draws(rows: BatchedRandom, names: list[str], first: int, skipped: int, count: int) -> None:
    named = Named(("sine", 7), names, [first * (row % 2) + row for row in range(len(names))], (32, "it's"))
    found = rows.unit_rows(named, skipped, count)
    np.testing.assert_array_equal(found, unit_rows_of(named, skipped, count))
    drawn = generator_for("sine", 7, names[-1], int(named.seeds[-1]), 32, "it's").random(skipped + count)
    np.testing.assert_array_equal(found[-1], drawn[skipped:])


@pytest.mark.parametrize("rows", ROWS)
def test_texts_of_any_length_are_hashed(rows: BatchedRandom) -> None:
    names = ["x" * length for length in range(200)]
    assert rows.train_seeds(1, 1, names).tolist() == [rules.train_seed(1, 1, name) for name in names]


def test_nobody_draws_nothing() -> None:
    for rows in ROWS:
        assert len(rows.train_seeds(1, 1, [])) == 0
        assert rows.unit_rows(Named(("sine",), [], [], ()), 3, 2).shape == (0, 2)
