"""A8.7: a depthwise convolution with int8 weights, the reference against the rule written out as loops."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from jaragua_bench.steps.random_steps import random_steps
from jaragua_compiler import Dense, DepthwiseConv2D, Flatten, LearningRate, Network, Plan, ReferenceEngine, plan
from jaragua_compiler.engines.native import NativeEngine
from jaragua_compiler.quantisation.blob import IntArray, pack_integers, unpack_integers
from jaragua_compiler.quantisation.dither import dithers, row_keys
from jaragua_compiler.quantisation.exponents import Exponents, LayerScale, layer_scale
from jaragua_compiler.reference.arithmetic import Block
from jaragua_compiler.reference.engine import ReferenceLayer

HEIGHT, WIDTH, CHANNELS = 5, 4, 3
KERNEL_Y, KERNEL_X, STRIDE_Y, PAD_TOP, PAD_LEFT = 3, 2, 2, 1, 1
ROWS, COLUMNS = 3, 4
POSITIONS = ROWS * COLUMNS
RATE = LearningRate(20000, 16)
ERROR_EXPONENT = 12
SEED = 77


@dataclass(frozen=True)
class Case:
    """A layer, and what it is fed: x int [inputs], the error of its outputs int [positions * channels]."""

    layer: ReferenceLayer
    scale: LayerScale
    x: IntArray
    error: IntArray


def _compiled() -> Plan:
    pads = ((PAD_TOP, 1), (PAD_LEFT, 0))
    layers = (DepthwiseConv2D((KERNEL_Y, KERNEL_X), (STRIDE_Y, 1), pads), Flatten(), Dense(2))
    return plan(Network("net", (HEIGHT, WIDTH, CHANNELS), layers, weights="w8"))


def _case(seed: int) -> Case:
    compiled = _compiled()
    generator = np.random.default_rng(seed)
    exponents = Exponents((5, 10), (9, 8), 11, (), ((7, 5, 9), ()))
    integers = [
        (
            generator.integers(-128 if layer.per_channel else -3000, 128, layer.weights_shape),
            generator.integers(-30000, 30000, layer.outputs),
        )
        for layer in compiled.layers
    ]
    engine = ReferenceEngine(compiled)
    engine.load(pack_integers(compiled, integers, exponents))
    engine.set_seed(SEED)
    x = generator.integers(-3000, 3000, HEIGHT * WIDTH * CHANNELS)
    # As wide as be: so A5.1 leaves the error as it is.
    limit = 1 << compiled.layers[0].error_width
    error = generator.integers(-limit, limit, POSITIONS * CHANNELS)
    error[0] = limit - 1
    return Case(engine.layers[0], layer_scale(compiled, exponents, compiled.layers[0]), x, error)


def _meetings() -> Iterator[tuple[int, int, int, int]]:
    """Every position, and the tap and pixel that meet at it."""
    for position in range(POSITIONS):
        for ky in range(KERNEL_Y):
            for kx in range(KERNEL_X):
                y = position // COLUMNS * STRIDE_Y + ky - PAD_TOP
                x = position % COLUMNS + kx - PAD_LEFT
                if 0 <= y < HEIGHT and 0 <= x < WIDTH:
                    yield position, ky * KERNEL_X + kx, y, x


def _rounded(value: int, shift: int) -> int:
    return value if shift == 0 else (value + (1 << (shift - 1))) >> shift


def _weights(layer: ReferenceLayer) -> IntArray:
    return layer.matrix.reshape(CHANNELS, KERNEL_Y * KERNEL_X)


def test_a8_7_an_output_is_shifted_by_its_channels_exponent() -> None:
    case = _case(1)
    image = case.x.reshape(HEIGHT, WIDTH, CHANNELS)
    sums = np.tile(case.layer.bias, (POSITIONS, 1))
    for position, tap, y, x in _meetings():
        sums[position] += _weights(case.layer)[:, tap] * image[y, x]
    limit = 1 << case.layer.layer.output_width
    for channel, own in enumerate(case.scale.rows):
        shift = own + case.scale.inputs - case.scale.output
        expected = [max(-limit, min(limit - 1, _rounded(int(value), shift))) for value in sums[:, channel]]
        assert case.layer.forward([case.x]).reshape(POSITIONS, CHANNELS)[:, channel].tolist() == expected


def test_a8_7_the_error_below_is_that_of_the_channels_common_exponent() -> None:
    case = _case(2)
    weights, errors = _weights(case.layer).copy(), case.error.reshape(POSITIONS, CHANNELS)
    expected = np.zeros((HEIGHT, WIDTH, CHANNELS), dtype=np.int64)
    for position, tap, y, x in _meetings():
        for channel, own in enumerate(case.scale.rows):
            share = _rounded(int(errors[position, channel]), own - min(case.scale.rows))
            expected[y, x, channel] += weights[channel, tap] * share
    (below,) = case.layer.backward([case.x], Block(case.error, ERROR_EXPONENT), RATE)
    assert below.exponent == ERROR_EXPONENT + min(case.scale.rows)
    assert np.array_equal(below.values, expected.reshape(-1))


@pytest.mark.parametrize("seed", range(4))
def test_a8_7_a_channel_moves_by_its_own_gradient_exponent_and_dither(seed: int) -> None:
    case = _case(seed)
    weights, errors = _weights(case.layer).copy(), case.error.reshape(POSITIONS, CHANNELS)
    image = case.x.reshape(HEIGHT, WIDTH, CHANNELS)
    gradients = np.zeros_like(weights)
    for position, tap, y, x in _meetings():
        gradients[:, tap] += errors[position] * image[y, x]
    rho = dithers(row_keys(SEED, 0, 0, CHANNELS), KERNEL_Y * KERNEL_X)
    expected = np.zeros_like(weights)
    for channel, own in enumerate(case.scale.rows):
        shift = RATE.exponent + ERROR_EXPONENT + case.scale.inputs - own - 16
        assert 0 < shift < 24
        for tap in range(KERNEL_Y * KERNEL_X):
            product = _rounded(int(gradients[channel, tap]) * RATE.mantissa, 16)
            largest = 1 << (6 + shift)
            step = max(-largest, min(largest - 1, product)) << (24 - shift)
            moved = int(weights[channel, tap]) - ((step + int(rho[channel, tap])) >> 24)
            expected[channel, tap] = max(-128, min(127, moved))
    case.layer.backward([case.x], Block(case.error, ERROR_EXPONENT), RATE)
    assert np.array_equal(_weights(case.layer), expected)
    assert not np.array_equal(expected, weights)


def test_a8_7_the_blob_has_a_row_of_quads_a_bias_and_an_exponent_for_each_channel() -> None:
    compiled = _compiled()
    layer = compiled.layers[0]
    assert (layer.inputs, layer.outputs, layer.row_elements) == (KERNEL_Y * KERNEL_X, CHANNELS, 8)
    assert layer.end_offset - layer.weights_offset == CHANNELS * 8 + 4 * CHANNELS + 4
    blob = random_steps(compiled, 3, 1)[0].blob or b""
    weights = unpack_integers(compiled, blob)[0][0]
    stored = np.frombuffer(blob, "i1", 8, layer.weights_offset + 8)
    assert stored.tolist() == [*weights[1].reshape(-1)[[0, 2, 1, 3]], weights[1, 2, 0], 0, weights[1, 2, 1], 0]


def test_a8_7_the_widths_leave_room_for_the_sums_of_all_three_passes() -> None:
    layer = _compiled().layers[0]
    covering = 2 * KERNEL_X  # positions over a pixel: ceil(3 / 2) rows, 2 columns
    assert layer.inputs * 2 ** (7 + layer.input_width) <= 2**30
    assert covering * 2 ** (7 + layer.error_width) <= 2**30
    assert POSITIONS * 2 ** (layer.input_width + layer.error_width) <= 2**30


def test_a8_7_no_list_of_active_rows_is_kept_for_it() -> None:
    assert _compiled().active_elements("w8") == 0  # the dense layer is int16


def test_a8_5_the_seed_decides_the_dither_of_a_depthwise_layer(engine_cache: Path) -> None:
    compiled = _compiled()
    blobs = []
    for seed in (1, 2, 1):
        engine = NativeEngine(compiled, engine_cache)
        first, *others = random_steps(compiled, 4, 20)
        engine.load(first.blob or b"")
        engine.set_seed(seed)
        for step in (first, *others):
            engine.train_step(step.x, step.target, step.rate)
        blobs.append(engine.blob())
    assert blobs[0] == blobs[2] != blobs[1]
