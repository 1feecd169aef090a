"""Convolutions (A7): the NumPy reference against plain loops, and against the native C over random geometries."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from image_networks import CNN, DEPTHWISE, ONE_CHANNEL, random_conv_network
from random_cases import random_blob, random_sample

from jaragua_bench.steps.random_steps import random_steps
from jaragua_bench.steps.steps import mismatches, run
from jaragua_compiler import (
    CompileError,
    Conv2D,
    Dense,
    Exponents,
    Flatten,
    NativeEngine,
    Network,
    ReferenceEngine,
    plan,
)
from jaragua_compiler.planning.operators import ConvPlan
from jaragua_compiler.planning.plan import Plan
from jaragua_compiler.quantisation.blob import exponents, pack_integers, unpack_integers
from jaragua_compiler.quantisation.dither import PAIR, ROW, Dither, plane_dithers
from jaragua_compiler.quantisation.exponents import LayerScale, layer_scale
from jaragua_compiler.quantisation.rate import LearningRate
from jaragua_compiler.reference.arithmetic import Block
from jaragua_compiler.reference.conv import ReferenceConvolution


def _compare(compiled: Plan, seed: int, steps: int, cache: Path) -> None:
    drawn = random_steps(compiled, seed, steps)
    found = mismatches(compiled, run(ReferenceEngine(compiled), drawn), run(NativeEngine(compiled, cache), drawn))
    assert not found, f"seed {seed}, network {compiled.network}: {found[0]}"


def test_a7_1_an_output_is_the_weighted_sum_of_the_patch_under_it() -> None:
    network = Network("net", (5, 4, 2), (Conv2D(2, (3, 2), (2, 1), "same"), Flatten(), Dense(2)))
    compiled = plan(network)
    generator = np.random.default_rng(3)
    blob = random_blob(generator, compiled)
    engine = ReferenceEngine(compiled)
    engine.load(blob)
    x = generator.integers(-500, 500, 40).astype(np.int64)
    weights, biases = unpack_integers(compiled, blob)[0]
    layer = compiled.layers[0]
    scale = layer_scale(compiled, exponents(compiled, blob), layer)
    image = np.zeros((7, 5, 2), dtype=np.int64)  # padding: one row before and one after, one column after
    image[1:6, :4] = x.reshape(5, 4, 2)
    expected = np.zeros((3, 4, 2), dtype=np.int64)
    for row in range(3):
        for column in range(4):
            patch = image[2 * row : 2 * row + 3, column : column + 2]
            sums = biases + (weights * patch).sum(axis=(1, 2, 3))
            expected[row, column] = (sums + (1 << (scale.forward_shift - 1))) >> scale.forward_shift
    limit = 1 << layer.output_width
    got = engine.layers[0].forward([x])
    assert np.array_equal(got, np.clip(expected, -limit, limit - 1).reshape(-1))


def _wide_network(channels: int, layer: Conv2D | Dense) -> Network:
    layers = (layer, Flatten()) if isinstance(layer, Conv2D) else (Flatten(), layer)
    return Network("net", (3, 3, channels), layers, "mean_squared_error")


@pytest.mark.parametrize(
    "network",
    [
        *(_wide_network(channels, Conv2D(4, (3, 3))) for channels in (15, 16, 17, 29, 43)),  # whole parts, and rests
        *(_wide_network(channels, Dense(4)) for channels in (15, 16, 28)),
    ],
)
def test_a3_4_and_a7_1_wide_sums_may_leave_32_bits(network: Network, engine_cache: Path) -> None:
    compiled = plan(network)
    terms = compiled.layers[0].inputs
    generator = np.random.default_rng(terms)
    signs = np.array([[1], [-1], [1], [-1]]) * np.ones(terms)
    signs[2:, generator.random(terms) < 0.3] *= -1
    rows = np.where(signs > 0, 32767, -32768).astype(np.int64)
    biases = np.array([2**30 - 1, -(2**30), 12345, -1])
    found = Exponents((15,), (13,), 0)  # a shift of 28
    blob = pack_integers(compiled, [(rows.reshape(compiled.layers[0].weights_shape), biases)], found)
    x = np.where(generator.random(terms) < 0.1, 4095, 4094).astype(np.int16)
    sums = biases + rows @ x.astype(np.int64)
    assert np.abs(sums[:2]).min() > 2**33
    for engine in (ReferenceEngine(compiled), NativeEngine(compiled, engine_cache)):
        engine.load(blob)
        assert list(engine.forward(x)) == list((sums + 2**27) >> 28)


@pytest.mark.parametrize("shift", [2, 3, 14, 29, 30])
def test_a3_3_a_wide_sum_is_cut_to_the_output_at_any_shift(shift: int, engine_cache: Path) -> None:
    compiled = plan(_wide_network(43, Conv2D(4, (3, 3))))
    terms = compiled.layers[0].inputs
    rows = np.array([[32767], [-32768], [0], [0]]) * np.ones(terms, dtype=np.int64)
    rows[2:, 0] = 1, -1
    half = 1 << (shift - 1)
    blob = pack_integers(
        compiled,
        [(rows.reshape(compiled.layers[0].weights_shape), np.array([0, 0, half - 2, 1 - half]))],
        Exponents((15,), (15,), 30 - shift),
    )
    for x in (4095, 2, 1):
        inputs = np.full(terms, x, dtype=np.int16)
        sums = rows @ inputs.astype(np.int64) + [0, 0, half - 2, 1 - half]
        for engine in (ReferenceEngine(compiled), NativeEngine(compiled, engine_cache)):
            engine.load(blob)
            assert list(engine.forward(inputs)) == list(np.clip((sums + half) >> shift, -(2**15), 2**15 - 1))


PIXEL = Network("net", (2, 2, 3), (Conv2D(2, (1, 1)), Flatten(), Dense(2)))  # rows of 3 weights, padded to 4


def _learned(error: int, shift: int, seed: int, bias: int = 0) -> tuple[ReferenceConvolution, np.ndarray]:
    """A convolution after a step whose gradient is `error` for every weight, under s of A7.5; and what it was."""
    layer = plan(PIXEL).layers[0]
    assert isinstance(layer, ConvPlan)
    dither = Dither()
    dither.restart(seed)
    before = np.arange(6).reshape(2, 1, 1, 3) * 100 - 250
    window = ReferenceConvolution(layer, before, np.full(2, bias), LayerScale(0, 0, 0, 8), dither)
    errors = np.zeros((4, 2), dtype=np.int64)
    errors[0] = error
    rate = LearningRate(24576, shift + 16)  # weights and inputs at exponent 0: s is le' - 16
    window._update(np.ones(12, dtype=np.int64), Block(errors, 0), rate)
    return window, before


@pytest.mark.parametrize(("error", "shift"), [(1, 3), (-7, 5), (100, 16), (127, 21), (-127, 30), (127, 31)])
def test_a7_5_a_weight_moves_by_the_step_and_its_dither_rounded_down(error: int, shift: int) -> None:
    window, before = _learned(error, shift, seed=11)
    factor = (24576 * 2**16 + 2 ** (shift - 1)) // 2**shift
    dither = Dither()
    dither.restart(11)
    draws = plane_dithers(int(dither.keys(0, 1)[0]), 2, 3)
    for row in range(2):
        for column in range(3):
            fine = int(before[row, 0, 0, column]) * 2**32 - error * factor + int(draws[row, column])
            assert window.matrix[row, 0, 0, column] == fine // 2**32


def test_a7_5_a_step_beyond_32_bits_leaves_weights_as_they_are() -> None:
    window, before = _learned(127, 32, seed=3)
    assert np.array_equal(window.matrix, before)


def test_a7_7_the_mean_of_many_steps_below_half_a_unit_is_the_step(seed: int) -> None:
    step = 24576 * 2**-16 / 2**3  # 0.047 of a weight's unit
    runs = 400
    moved = [before - window.matrix for window, before in (_learned(1, 3, seed + run) for run in range(runs))]
    deviation = (step * (1 - step) / runs) ** 0.5  # of one weight's mean; draws are shared in pairs
    assert np.abs(np.mean(moved, axis=0) - step).max() < 5 * deviation


def test_a7_7_neighbours_draw_half_a_turn_apart_and_pairs_and_rows_follow_the_plastic_number() -> None:
    draws = plane_dithers(7, 2, 4)
    assert list(draws[0]) == [7, 7 + 2**31, 7 + 0xC13FA9A9, (7 + 0xC13FA9A9 + 2**31) % 2**32]
    assert list((draws[1] - draws[0]) % 2**32) == [0x91E10DA5] * 4
    plastic = 1.324717957244746
    assert [int(2**32 / plastic), int(2**32 / plastic**2)] == [PAIR, ROW]


def test_a7_7_no_two_of_32_rows_draw_nearly_the_same() -> None:
    starts = np.sort(plane_dithers(0, 32, 1)[:, 0])
    assert np.diff(starts).min() > 2**32 / 32 / 4  # of even spacing, a quarter


def test_a7_3_widths_leave_room_for_the_sums_of_all_three_passes() -> None:
    for layer in plan(CNN).layers[:2]:
        assert layer.inputs * 2 ** (15 + layer.input_width) <= 2**30
        assert layer.positions * 2 ** (layer.input_width + layer.error_width) <= 2**30  # type: ignore[attr-defined]
    assert plan(CNN).layers[1].error_width == 15 - 6  # 2·2 positions · 16 channels


def test_a7_3_an_error_that_does_not_fit_32_bits_is_refused() -> None:
    network = Network("net", (8, 8, 4), (Conv2D(4), Conv2D(64, (3, 3)), Flatten(), Dense(2)))
    with pytest.raises(CompileError, match="a sum of 576 products"):
        plan(network)


def test_a7_hundreds_of_random_steps_of_the_cnn_give_the_same_bits(engine_cache: Path) -> None:
    _compare(plan(CNN), seed=20, steps=300, cache=engine_cache)


def test_a7_the_kernels_for_one_channel_give_the_same_bits(engine_cache: Path) -> None:
    _compare(plan(ONE_CHANNEL), seed=21, steps=200, cache=engine_cache)


def test_a9_8_depthwise_kernels_of_any_size_give_the_same_bits(engine_cache: Path) -> None:
    _compare(plan(DEPTHWISE), seed=22, steps=100, cache=engine_cache)


@settings(max_examples=6, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 2**32 - 1))
def test_a7_random_convolutions_give_the_same_bits(seed: int, engine_cache: Path) -> None:
    generator = np.random.default_rng(seed)
    compiled = plan(random_conv_network(generator))
    _compare(compiled, seed, 24, engine_cache)


def test_a3_0_samples_outside_the_input_width_are_clamped(engine_cache: Path) -> None:
    compiled = plan(CNN)
    generator = np.random.default_rng(5)
    engines = ReferenceEngine(compiled), NativeEngine(compiled, engine_cache)
    blob = random_blob(generator, compiled)
    for engine in engines:
        engine.load(blob)
    x = random_sample(generator, compiled).x
    assert np.array_equal(engines[0].forward(x), engines[1].forward(x))
