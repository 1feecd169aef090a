"""A2.6: which exponents are chosen, and that a device takes what is chosen (A6.1)."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from random_cases import MLP, SINE, random_network

from jaragua_compiler import CompileError, Dense, Network, Plan, calibrate, initial_weights, pack, plan
from jaragua_compiler.graph.initial_weights import Weights
from jaragua_compiler.quantisation.exponents import Exponents, check_exponents

FloatArray = npt.NDArray[np.float64]


def test_a2_6_weights_get_the_largest_exponent_with_room_for_eight_times_the_largest() -> None:
    network = Network("net", 4, (Dense(2),), "mean_squared_error")
    for largest, exponent in [(0.125, 15), (0.126, 14), (1.0, 12), (1.01, 11), (100.0, 8), (0.0, 15)]:
        weights = [(np.full((2, 4), largest), np.zeros(2))]
        assert calibrate(plan(network), weights, np.ones((1, 4))).weights == (exponent,)


def test_a2_6_logits_of_small_weights_get_room_to_grow_to_eight_over_the_root_of_their_inputs() -> None:
    network = Network("net", 16, (Dense(2),))
    for largest, exponent in [(0.0, 14), (0.01, 14), (0.25, 14), (0.26, 13)]:
        weights = [(np.full((2, 16), largest), np.zeros(2))]
        assert calibrate(plan(network), weights, np.ones((1, 16))).weights == (exponent,)


def test_a8_1_int8_rows_get_the_largest_exponent_with_room_for_twice_the_largest() -> None:
    """Of a row whose weights are smaller, for twice the inverse root of its number of weights."""
    network = Network("net", 16, (Dense(2, weights="w8"),), "mean_squared_error")
    for largest, exponent in [(0.25, 8), (0.3, 7), (0.5, 7), (0.51, 6), (4.0, 4), (0.01, 8), (0.0, 8)]:
        rows = np.array([[largest] * 16, [1.0] * 16])
        found = calibrate(plan(network), [(rows, np.zeros(2))], np.ones((1, 16)))
        assert found.channels == ((exponent, 6),)
        assert found.weights == (min(exponent, 6),)


def test_a2_6_inputs_get_the_largest_exponent_that_holds_them() -> None:
    compiled, weights = plan(MLP), initial_weights(MLP, 1)
    for largest, exponent in [(1.0, 9), (1.01, 8), (16.0, 5)]:
        assert calibrate(compiled, weights, np.full((1, 64), largest)).inputs[0] == exponent


def test_a2_6_hidden_activations_get_room_to_double() -> None:
    network = Network("net", 1, (Dense(2, "relu"), Dense(2)))
    weights = [(np.array([[1.0], [-1.0]]), np.zeros(2)), (np.full((2, 2), 0.1), np.zeros(2))]
    assert calibrate(plan(network), weights, np.array([[4.0]])).inputs[1] == 14 - 3
    assert calibrate(plan(network), weights, np.array([[4.1]])).inputs[1] == 14 - 4


def test_a2_6_a_regressions_range_is_stated_and_widened_by_targets() -> None:
    compiled, weights = plan(SINE), initial_weights(SINE, 1)
    assert calibrate(compiled, weights, [[1.0]]).output == 12
    assert calibrate(compiled, weights, [[1.0]], targets=[[-9.0]]).output == 11


@settings(max_examples=60)
@given(seed=st.integers(0, 2**32 - 1), weight_scale=st.integers(-12, 5), input_scale=st.integers(-12, 3))
def test_a6_1_what_is_chosen_is_taken(seed: int, weight_scale: int, input_scale: int) -> None:
    generator = np.random.default_rng(seed)
    network = random_network(generator, 40)
    weights = [(matrix * 2.0**weight_scale, bias) for matrix, bias in initial_weights(network, 1)]
    compiled = plan(network)
    samples = generator.normal(size=(3, network.input_size)) * 2.0**input_scale
    chosen = _chosen_unless_huge(compiled, weights, samples, weight_scale)
    if chosen is not None:
        check_exponents(compiled, chosen)
        pack(compiled, weights, chosen)


def _chosen_unless_huge(compiled: Plan, weights: Weights, samples: FloatArray, weight_scale: int) -> Exponents | None:
    """Weights of 8 times their usual size and more multiply layer by layer to what no format holds: those may fail."""
    try:
        return calibrate(compiled, weights, samples)
    except CompileError as refused:
        if weight_scale < 3 or "inputs are too large" not in str(refused):
            raise
        return None


def test_inputs_that_no_format_holds_are_refused() -> None:
    with pytest.raises(CompileError, match="inputs are too large") as caught:
        calibrate(plan(MLP), initial_weights(MLP, 1), np.full((1, 64), 1e8))
    assert "Scale" in caught.value.hint


@pytest.mark.parametrize("samples", [np.zeros((0, 64)), np.zeros(64), np.zeros((2, 63))])
def test_samples_of_another_shape_are_refused(samples: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> None:
    with pytest.raises(CompileError, match=r"shape \[n, 64\]"):
        calibrate(plan(MLP), initial_weights(MLP, 1), samples)


def test_samples_that_are_not_finite_are_refused() -> None:
    with pytest.raises(CompileError, match="not finite"):
        calibrate(plan(MLP), initial_weights(MLP, 1), np.full((1, 64), np.inf))
