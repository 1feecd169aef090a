"""TinyReptile's outer step and its annealing."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jaragua import strategies
from jaragua.errors import ConfigurationError
from jaragua.strategies import ClientUpdate, TinyReptile, Vector


def updates(*rows: list[float]) -> list[ClientUpdate]:
    return [ClientUpdate(f"board-{number}", np.array(row), 10) for number, row in enumerate(rows)]


def test_one_client_is_the_serial_form_of_the_paper() -> None:
    """φ ← φ + α (φ̂ - φ)."""
    start = np.array([1.0, -2.0, 0.5])
    moved = TinyReptile(0.25, 0.25, 10).aggregate(1, start, updates([2.0, 0.0, 0.5]))
    np.testing.assert_array_equal(moved, [1.25, -1.5, 0.5])


def test_several_clients_move_towards_their_mean() -> None:
    moved = TinyReptile(0.5, 0.5, 10).aggregate(1, np.zeros(2), updates([1.0, 0.0], [3.0, 8.0]))
    np.testing.assert_array_equal(moved, [1.0, 2.0])


def test_alpha_falls_linearly_over_the_rounds() -> None:
    steps = [TinyReptile(1.0, 0.0, 4).step_size(number) for number in (1, 2, 3, 4, 5)]
    assert steps == [1.0, 0.75, 0.5, 0.25, 0.0]


def test_alpha_can_stay() -> None:
    assert {TinyReptile(0.3, 0.3, 7).step_size(number) for number in range(1, 8)} == {0.3}


@given(st.lists(st.floats(-8, 8), min_size=3, max_size=3), st.integers(1, 9))
def test_the_initialisation_itself_is_not_touched(row: list[float], number: int) -> None:
    start: Vector = np.array([1.0, 2.0, 3.0])
    TinyReptile(1.0, 0.0, 9).aggregate(number, start, updates(row))
    np.testing.assert_array_equal(start, [1.0, 2.0, 3.0])


def test_float64_is_kept() -> None:
    tiny = 2.0**-50
    moved = TinyReptile(tiny, tiny, 1).aggregate(1, np.ones(1), updates([2.0]))
    assert moved.dtype == np.float64
    assert moved[0] == 1.0 + tiny


def test_a_strategy_is_made_by_its_name() -> None:
    assert strategies.create("tinyreptile", 1.0, 0.0, 5) == TinyReptile(1.0, 0.0, 5)
    assert strategies.names() == ["tinyreptile"]


def test_an_unknown_strategy_has_a_nearest_one() -> None:
    with pytest.raises(ConfigurationError) as caught:
        strategies.create("TinyReptil", 1.0, 0.0, 5)
    assert "did you mean 'tinyreptile'?" in caught.value.hint
