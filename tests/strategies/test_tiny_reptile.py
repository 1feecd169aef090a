"""TinyReptile's outer step and its annealing."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from updates import updates

from jaragua.settings import TrainingSettings
from jaragua.strategies import ClientWork, Settings, TinyReptile, Vector


def tiny_reptile(alpha: float, alpha_final: float, rounds: int) -> TinyReptile:
    return TinyReptile(Settings(rounds, alpha, alpha_final))


def test_one_client_is_the_serial_form_of_the_paper() -> None:
    """φ ← φ + α (φ̂ - φ)."""
    start = np.array([1.0, -2.0, 0.5])
    moved = tiny_reptile(0.25, 0.25, 10).aggregate(1, start, updates([2.0, 0.0, 0.5]))
    np.testing.assert_array_equal(moved, [1.25, -1.5, 0.5])


def test_several_clients_move_towards_their_mean() -> None:
    moved = tiny_reptile(0.5, 0.5, 10).aggregate(1, np.zeros(2), updates([1.0, 0.0], [3.0, 8.0]))
    np.testing.assert_array_equal(moved, [1.0, 2.0])


def test_the_number_of_samples_does_not_matter() -> None:
    moved = tiny_reptile(1.0, 1.0, 1).aggregate(1, np.zeros(1), updates([1.0], [3.0], samples=(1, 99)))
    np.testing.assert_array_equal(moved, [2.0])


def test_alpha_falls_linearly_over_the_rounds() -> None:
    steps = [tiny_reptile(1.0, 0.0, 4).step_size(number) for number in (1, 2, 3, 4, 5)]
    assert steps == [1.0, 0.75, 0.5, 0.25, 0.0]


def test_alpha_can_stay() -> None:
    assert {tiny_reptile(0.3, 0.3, 7).step_size(number) for number in range(1, 8)} == {0.3}


@given(st.lists(st.floats(-8, 8), min_size=3, max_size=3), st.integers(1, 9))
def test_the_initialisation_itself_is_not_touched(row: list[float], number: int) -> None:
    start: Vector = np.array([1.0, 2.0, 3.0])
    tiny_reptile(1.0, 0.0, 9).aggregate(number, start, updates(row))
    np.testing.assert_array_equal(start, [1.0, 2.0, 3.0])


def test_float64_is_kept() -> None:
    tiny = 2.0**-50
    moved = tiny_reptile(tiny, tiny, 1).aggregate(1, np.ones(1), updates([2.0]))
    assert moved.dtype == np.float64
    assert moved[0] == 1.0 + tiny


def test_a_device_takes_one_step_a_sample_and_goes_through_its_stream_once() -> None:
    strategy = TinyReptile(Settings(1, training=TrainingSettings(0.05)))
    assert strategy.client_work(1) == ClientWork(0.05, passes=1, batch=1)
