"""Convolutions and operators without weights (A7 to A9) against the page's formulas, one number at a time."""

from __future__ import annotations

import itertools
import math
from typing import Literal

import numpy as np
import pytest
from formulas import rshift, sats, satu, w8_dither

from jaragua_compiler import Conv2D, Dense, Flatten, LearningRate, Network, plan
from jaragua_compiler.graph import layers as kinds
from jaragua_compiler.operators.descriptor import Format
from jaragua_compiler.operators.registry import ACTIVATIONS
from jaragua_compiler.planning.operators import AddPlan, ConvPlan, PoolPlan
from jaragua_compiler.quantisation.dither import Dither
from jaragua_compiler.quantisation.exponents import LayerScale
from jaragua_compiler.reference.arithmetic import Block
from jaragua_compiler.reference.conv import ReferenceConvolution
from jaragua_compiler.reference.conv_w8 import ReferenceConvW8
from jaragua_compiler.reference.unweighted import ReferenceAdd, ReferencePool

SEED = 9
RATE = LearningRate(32767, 15)
SHAPE, FILTERS, KERNEL, STRIDE = (6, 5, 3), 4, (3, 2), (2, 1)
HEIGHT, WIDTH, CHANNELS = SHAPE


def conv_layer(weights: kinds.WeightFormat) -> ConvPlan:
    """A convolution over a padded image that a ReLU made."""
    layers = (
        Conv2D(CHANNELS, (1, 1), activation="relu"),
        Conv2D(FILTERS, KERNEL, STRIDE, ((1, 1), (0, 1)), weights=weights),
        Flatten(),
        Dense(2),
    )
    found = plan(Network("net", (HEIGHT, WIDTH, 2), layers)).layers[1]
    assert isinstance(found, ConvPlan)
    return found


def taps(layer: ConvPlan) -> list[tuple[int, int, int, int, int]]:
    """Position, tap and the pixel that lies under it, for all taps inside the image."""
    rows, columns = layer.geometry.positions
    found = []
    for row, column, ky, kx in itertools.product(range(rows), range(columns), range(KERNEL[0]), range(KERNEL[1])):
        y, x = row * STRIDE[0] - 1 + ky, column * STRIDE[1] + kx
        if 0 <= y < HEIGHT and 0 <= x < WIDTH:
            found.append((row * columns + column, ky, kx, y, x))
    return found


def image_of(layer: ConvPlan, generator: np.random.Generator) -> np.ndarray:
    x = generator.integers(0, 2**layer.input_width, SHAPE)
    x[generator.random(SHAPE) < 0.3] = 0
    return x


@pytest.mark.parametrize("weights", ["w16", "w8"])
def test_a7_2_and_a7_6_the_error_below_is_that_of_the_weights_before_the_step(
    weights: kinds.WeightFormat, seed: int
) -> None:
    """A8.3 for int8 weights: the errors are first brought to the layer's common exponent."""
    generator = np.random.default_rng(seed)
    layer = conv_layer(weights)
    limit = 128 if weights == "w8" else 32768
    matrix = generator.integers(-limit, limit, layer.weights_shape)
    exponents = tuple(int(one) for one in generator.integers(5, 12, FILTERS)) if weights == "w8" else (9,) * FILTERS
    scale = LayerScale(min(exponents), 6, 8, exponents)
    kind = ReferenceConvW8 if weights == "w8" else ReferenceConvolution
    operator = kind(layer, matrix, np.zeros(FILTERS, np.int64), scale, Dither())
    x = image_of(layer, generator)
    error = Block(generator.integers(-(2**20), 2**20, layer.positions * FILTERS), 15)
    (below,) = operator.backward([x.reshape(-1)], error, RATE)
    assert not np.array_equal(operator.matrix, matrix)
    assert operator.scaled_error is not None
    wanted = np.zeros(SHAPE, np.int64)
    for position, ky, kx, row, column in taps(layer):
        for out in range(FILTERS):
            e = rshift(int(operator.scaled_error[position, out]), exponents[out] - min(exponents))
            wanted[row, column] += e * matrix[out, ky, kx]
    assert np.array_equal(below.values.reshape(SHAPE), np.where(x != 0, wanted, 0))
    shift = int(np.bitwise_or.reduce(error.values ^ (error.values >> 63))).bit_length() - layer.error_width
    assert below.exponent == error.exponent - shift + min(exponents)


@pytest.mark.parametrize("exponent", [15, 20, 26, 36, 46])
def test_a8_4_a_channel_of_a_convolution_moves_by_its_gradient(exponent: int, seed: int) -> None:
    generator = np.random.default_rng(seed)
    layer = conv_layer("w8")
    matrix = generator.integers(-128, 128, layer.weights_shape)
    rows = tuple(int(one) for one in generator.integers(5, 12, FILTERS))
    dither = Dither()
    dither.restart(SEED)
    operator = ReferenceConvW8(layer, matrix, np.zeros(FILTERS, np.int64), LayerScale(min(rows), 6, 8, rows), dither)
    x = image_of(layer, generator)
    error = Block(generator.integers(-(2**14), 2**14, layer.positions * FILTERS), 15)
    operator.backward([x.reshape(-1)], error, LearningRate(30001, exponent))
    assert operator.scaled_error is not None
    bits = int(np.bitwise_or.reduce(error.values ^ (error.values >> 63))).bit_length()
    scaled_exponent = error.exponent - (bits - layer.error_width)
    gradient = np.zeros(layer.weights_shape, np.int64)
    for position, ky, kx, row, column in taps(layer):  # A7.4
        gradient[:, ky, kx] += operator.scaled_error[position][:, None] * x[row, column]
    for out in range(FILTERS):
        s = min(max(exponent + scaled_exponent + 6 - rows[out] - 16, 0), 55)
        for number, g in enumerate(gradient[out].reshape(-1).tolist()):
            t = rshift(g * 30001, 16)
            t = 0 if s == 55 else sats(t, 6 + s) * 2 ** (24 - s) if s <= 24 else sats(rshift(t, s - 24), 30)
            step = (t + w8_dither(SEED, 0, layer.index, out, number)) >> 24
            before = int(matrix[out].reshape(-1)[number])
            assert operator.matrix[out].reshape(-1)[number] == sats(before - step, 7)


X = [*range(-40, 41), -32768, -20001, -8192, -8191, -129, 127, 6143, 6144, 6145, 8191, 8192, 20001, 32767]
ERRORS = (-(2**27) + 3, -12345, -1, 0, 1, 7777, 2**27 - 5)


def check(name: str, form: Format, forward: dict[int, int], backward: dict[tuple[int, int], int]) -> None:
    """An activation gives what is expected for each x, and for each error and x."""
    function = ACTIVATIONS[name]
    found = function.forward(np.array(list(forward)), form)
    assert dict(zip(forward, found.tolist(), strict=True)) == forward
    errors, x = (np.array(column) for column in zip(*backward, strict=True))
    below = function.backward(errors, x, form)
    assert dict(zip(backward, below.tolist(), strict=True)) == backward


def test_a9_1_relu_leaves_scale_and_error_as_they_are() -> None:
    """What closes the way back where x is not above 0 is the mask of the reader (A5.7)."""
    function = ACTIVATIONS["relu"]
    assert function.properties.keeps_scale
    assert function.forward(np.array(X), Format(5, 5, 15, 0)).tolist() == [max(x, 0) for x in X]
    x = np.array([one for one in X if one > 0])
    for error in ERRORS:
        assert set(function.backward(np.full(len(x), error), x, Format(5, 5, 15, 0)).tolist()) == {error}


def test_a9_1_a_group_has_the_smallest_width_its_readers_ask_for_and_one_exponent() -> None:
    """A pool and a ReLU6 between a convolution and a dense layer of 200 inputs (A2.4): three tensors, one slot.

    What neither a layer reads nor the network gives has a slot behind fy.
    """
    layers = (kinds.Conv2D(8, (3, 3), padding="same"), kinds.MaxPool2D(), kinds.Activation("relu6"), Flatten())
    compiled = plan(Network("net", (10, 10, 1), (*layers, Dense(20, "relu"), Dense(3))))
    conv, dense, last = compiled.layers
    width = max(7, 15 - math.ceil(math.log2(200)))
    group = [conv.output_tensor, *(step.output_tensor for step in compiled.steps if isinstance(step, PoolPlan))]
    assert {compiled.scales.widths[tensor] for tensor in [*group, dense.input_tensor]} == {width}
    assert {compiled.scales.slots[tensor] for tensor in [*group, dense.input_tensor]} == {dense.index}
    assert (compiled.scales.slots[compiled.graph.output], compiled.scales.extra) == (3, ())
    squeezed = plan(Network("net", 9, (Dense(8, "tanh"), kinds.Activation("sigmoid"), Dense(3))))
    assert len(squeezed.scales.extra) == 2  # between dense and tanh, and between the two curves
    slots = [squeezed.scales.slots[tensor] for tensor in squeezed.scales.extra]
    assert slots == [3, 4]
    assert last.index == 2


def test_a9_1_of_two_readers_the_one_that_asks_for_the_smaller_width_decides() -> None:
    """A convolution of 72 products, and an add behind it that asks for none."""
    layers = (kinds.Conv2D(8, (3, 3), padding="same"), kinds.Activation("relu6"), kinds.MaxPool2D((1, 1), (1, 1)))
    more = (kinds.Conv2D(8, (3, 3), padding="same"), kinds.Add(2), Flatten(), Dense(3))
    compiled = plan(Network("net", (4, 4, 1), (*layers, *more)))
    reader = compiled.layers[1]
    assert reader.input_width == max(7, min(15 - math.ceil(math.log2(72)), 23 - math.ceil(math.log2(16))))
    shared = {tensor for step in compiled.steps for tensor in (*step.input_tensors, step.output_tensor)}
    slot = compiled.scales.slots[reader.input_tensor]
    group = [tensor for tensor in shared if compiled.scales.slots[tensor] == slot]
    assert len(group) >= 3
    assert {compiled.scales.widths[tensor] for tensor in group} == {reader.input_width}


@pytest.mark.parametrize("fx", [-4, -1, 0, 3, 10, 14])
def test_a9_2_relu6_clamps_to_6_and_lets_errors_pass_between(fx: int) -> None:
    bx = 15
    c = min(6 * 2**fx, 2**bx - 1) if fx >= 0 else rshift(6, -fx)
    forward = {x: min(max(x, 0), c) for x in [*X, c - 1, c, c + 1]}
    backward = {(g, x): g if 0 < x < c else 0 for g in ERRORS for x in forward}
    check("relu6", Format(fx, fx, bx, 0), forward, backward)


@pytest.mark.parametrize("slope", [1, 328, 3277, 32767])
def test_a9_3_leaky_relu_multiplies_what_is_below_0(slope: int) -> None:
    forward = {x: x if x >= 0 else rshift(x * slope, 15) for x in X}
    backward = {(g, x): g if x >= 0 else rshift(g * slope, 15) for g in ERRORS for x in X}
    check("leaky_relu", Format(9, 9, 15, slope), forward, backward)


def tanh_q15(x: int, fx: int) -> int:
    """v of A9.4, with the sign of t."""
    t = rshift(x, fx - 11) if fx > 11 else x << (11 - fx)
    u = min(abs(t), 8191)
    k, m = u >> 7, u & 127
    table = [round(2**15 * math.tanh(one / 16)) for one in (k, k + 1)]
    v = table[0] + (((table[1] - table[0]) * m) >> 7)
    return -v if t < 0 else v


@pytest.mark.parametrize(("fx", "fy"), [(-4, 0), (4, 7), (11, 15), (12, 15), (15, 9), (30, 14)])
@pytest.mark.parametrize("by", [7, 12, 15])
def test_a9_4_tanh_is_its_table(fx: int, fy: int, by: int) -> None:
    forward = {x: sats(rshift(tanh_q15(x, fx), 15 - fy), by) for x in X}
    backward = {}
    for x, y in forward.items():
        z = sats(y * 2 ** (15 - fy), 15)
        backward |= {(g, x): rshift(g * (2**15 - ((z * z) >> 15)), 15) for g in ERRORS}
    check("tanh", Format(fx, fy, by, 0), forward, backward)


@pytest.mark.parametrize(("fx", "fy"), [(-5, 0), (4, 7), (10, 15), (11, 15), (15, 9), (29, 14)])
@pytest.mark.parametrize("by", [7, 12, 15])
def test_a9_9_sigmoid_is_half_of_1_and_the_tanh_of_half_of_x(fx: int, fy: int, by: int) -> None:
    forward = {x: sats(rshift(rshift(2**15 + tanh_q15(x, fx + 1), 1), 15 - fy), by) for x in X}
    backward = {}
    for x, y in forward.items():
        z = sats(y * 2 ** (15 - fy), 15)
        backward |= {(g, x): rshift(g * ((z * (2**15 - z)) >> 15), 15) for g in ERRORS}
    check("sigmoid", Format(fx, fy, by, 0), forward, backward)


def test_a9_4_and_a9_9_exponents_outside_the_rule_are_limited() -> None:
    limits = {name: ACTIVATIONS[name].properties.limits for name in ("tanh", "sigmoid")}
    found = {name: [(one.of, one.least, one.most) for one in ones] for name, ones in limits.items()}
    assert found == {
        "tanh": [("input", -4, 30), ("output", 0, 15)],
        "sigmoid": [("input", -5, 29), ("output", 0, 15)],
    }


def pool(kind: Literal["max", "average"]) -> PoolPlan:
    """A pool of 3 x 2 pixels that overlap, with padding, over an image that a ReLU made."""
    layer = kinds.MaxPool2D if kind == "max" else kinds.AveragePool2D
    first = kinds.Conv2D(CHANNELS, (1, 1), activation="relu")
    network = Network("net", (HEIGHT, WIDTH, 2), (first, layer(KERNEL, STRIDE, "same"), Flatten(), Dense(2)))
    found = next(step for step in plan(network).steps if isinstance(step, PoolPlan))
    assert isinstance(found, PoolPlan)
    return found


def windows(step: PoolPlan) -> list[list[tuple[int, int]]]:
    """The pixels of each position inside the image, in the order of rows, then columns."""
    (top, left), found = ((step.geometry.pads[0][0], step.geometry.pads[1][0]), [])
    for row, column in itertools.product(*(range(count) for count in step.geometry.positions)):
        rows = [row * STRIDE[0] - top + tap for tap in range(KERNEL[0])]
        columns = [column * STRIDE[1] - left + tap for tap in range(KERNEL[1])]
        found.append([(y, x) for y in rows for x in columns if 0 <= y < HEIGHT and 0 <= x < WIDTH])
    return found


@pytest.mark.parametrize("kind", ["max", "average"])
def test_a9_5_pools_and_the_shares_of_their_errors(kind: Literal["max", "average"], seed: int) -> None:
    generator = np.random.default_rng(seed)
    step, width = pool(kind), 9
    places = windows(step)
    counts = np.zeros((HEIGHT, WIDTH))
    for pixels in places:
        for place in pixels:
            counts[place] += 1 if kind == "max" else 1 / len(pixels)
    covering = [math.ceil(size / stride) for size, stride in zip(KERNEL, STRIDE, strict=True)]
    most = math.prod(covering) if kind == "max" else math.ceil(counts.max() - 1e-9)
    h = math.ceil(math.log2(most))
    x = generator.integers(0, 2**width, SHAPE)
    x[generator.random(SHAPE) < 0.4] = 0
    x[1, 1:4] = 2**width - 1  # equals: the first one gets the error
    errors = generator.integers(-(2**26), 2**26, (len(places), CHANNELS))
    below = np.zeros(SHAPE, np.int64)
    outputs = np.zeros((len(places), CHANNELS), np.int64)
    for number, pixels in enumerate(places):
        f = (2**15 + len(pixels) // 2) // len(pixels)
        for channel in range(CHANNELS):
            values, g = [int(x[place][channel]) for place in pixels], int(errors[number, channel])
            if kind == "max":
                outputs[number, channel] = max(values)
                below[pixels[values.index(max(values))]][channel] += rshift(g, h)
            else:
                outputs[number, channel] = sats(rshift(f * sum(values), 15), width)
                for place in pixels:
                    below[place][channel] += rshift(g * f, 15 + h)
    operator = ReferencePool(step, width)
    assert np.array_equal(operator.forward([x.reshape(-1)]).reshape(outputs.shape), outputs)
    (found,) = operator.backward([x.reshape(-1)], Block(errors.reshape(-1), 20), RATE)
    assert np.array_equal(found.values.reshape(SHAPE), np.where(x != 0, below, 0))
    assert found.exponent == 20 - h


@pytest.mark.parametrize("activation", ["linear", "relu"])
@pytest.mark.parametrize("shifts", [(0, 0), (3, 0), (1, 11), (30, 2)])
def test_a9_6_an_add_shifts_both_operands_to_its_exponent(
    activation: Literal["linear", "relu"], shifts: tuple[int, int], seed: int
) -> None:
    """Both get the whole error; it is masked where a ReLU made the operand."""
    layers = (Dense(8, "relu"), Dense(8), kinds.Add(0, activation), Dense(3))
    compiled = plan(Network("net", 8, layers))
    step = next(one for one in compiled.steps if isinstance(one, AddPlan))
    exponents = [0] * len(compiled.graph.tensors)
    for tensor, shift in zip(step.input_tensors, shifts, strict=True):
        exponents[tensor] = 5 + shift
    exponents[step.output_tensor] = 5
    generator = np.random.default_rng(seed)
    a, b = (generator.integers(-(2**15), 2**15, 8) * generator.integers(0, 2, 8) for _ in range(2))
    operator = ReferenceAdd(step, tuple(exponents))
    saturate = satu if activation == "relu" and step.relu else sats
    wanted = [rshift(int(v), shifts[0]) + rshift(int(w), shifts[1]) for v, w in zip(a, b, strict=True)]
    assert operator.forward([a, b]).tolist() == [saturate(one, step.output_width) for one in wanted]
    error = Block(generator.integers(1, 2**20, 8), 13)
    for found, x, rectified in zip(operator.backward([a, b], error, RATE), (a, b), step.rectified, strict=True):
        assert np.array_equal(found.values, np.where(x != 0, error.values, 0) if rectified else error.values)
        assert found.exponent == 13
    assert sorted(step.rectified) == [False, True]
    assert step.relu == (activation == "relu")


@pytest.mark.parametrize(("inputs", "outputs"), [(3, 4), (64, 10), (300, 511), (5000, 20)])
def test_a10_2_a_frozen_layer_has_the_widths_of_int8_weights(inputs: int, outputs: int) -> None:
    """Nothing of A7.1 and A8.1 that makes room for gradients: the same for a frozen convolution."""
    frozen = Dense(outputs, "relu", trainable=False)
    layer = plan(Network("net", inputs, (Dense(inputs, "relu"), frozen, Dense(2)))).layers[1]
    assert layer.input_width == max(7, min(15, 23 - math.ceil(math.log2(inputs))))
    assert layer.error_width == max(7, min(15, 23 - math.ceil(math.log2(outputs))))


def test_a10_2_the_positions_of_a_frozen_convolution_cost_no_width() -> None:
    shape = (40, 40, 2)
    widths = []
    for trainable in (True, False):
        conv = Conv2D(3, (3, 3), (1, 1), "same", weights="w8", trainable=trainable)
        layer = plan(Network("net", shape, (conv, Flatten(), Dense(2)))).layers[0]
        widths.append(layer.input_width)
    assert widths == [(30 - 11) // 2, 15]  # 1,600 positions, 18 weights a row
