"""Dense layers of the reference (A3 to A5, A8, A11) against the page's formulas, written out for one weight at a time.

`test_engines_agree.py` and others compare the C with the reference, so what holds here holds for every engine.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from formulas import mix32, rshift, sats, satu, w8_dither

from jaragua_compiler import Dense, LearningRate, NativeEngine, Network, ReferenceEngine, pack, plan
from jaragua_compiler.graph.initial_weights import initial_weights
from jaragua_compiler.graph.layers import WeightFormat
from jaragua_compiler.planning.operators import DensePlan
from jaragua_compiler.quantisation.blob import exponents, header, unpack_integers
from jaragua_compiler.quantisation.dither import Dither
from jaragua_compiler.quantisation.exponents import LayerScale, calibrate
from jaragua_compiler.quantisation.rate import loss_factor
from jaragua_compiler.reference.accumulation import StepSums
from jaragua_compiler.reference.arithmetic import Block, squared_error
from jaragua_compiler.reference.dense import ReferenceDense
from jaragua_compiler.reference.dense_w8 import ReferenceDenseW8

SEED = 77
INPUTS, OUTPUTS = 37, 6
Numbers = np.ndarray[tuple[int, ...], np.dtype[np.int64]]


def layer_of(activation: str, weights: WeightFormat) -> DensePlan:
    """The second of three layers, so that it passes errors down to what a ReLU made."""
    layers = (
        Dense(INPUTS, "relu", weights=weights),
        Dense(OUTPUTS, activation, weights=weights),  # type: ignore[arg-type]
        Dense(3),
    )
    found = plan(Network("net", 5, layers)).layers[1]
    assert isinstance(found, DensePlan)
    return found


def numbers(generator: np.random.Generator, layer: DensePlan) -> tuple[Numbers, Numbers, Numbers]:
    """Weights over their whole format, biases, and inputs as a ReLU makes them."""
    limit = 128 if layer.per_channel else 32768
    matrix = generator.integers(-limit, limit, (layer.outputs, layer.inputs))
    bias = generator.integers(-(2**24), 2**24, layer.outputs)
    x = generator.integers(0, 2**layer.input_width, layer.inputs)
    x[generator.random(layer.inputs) < 0.3] = 0
    return matrix, bias, x


@pytest.mark.parametrize("shift", [2, 9, 17, 30])
@pytest.mark.parametrize("activation", ["relu", "linear"])
def test_a3_1_and_a3_2_an_output_is_the_rounded_weighted_sum_and_the_bias(
    activation: str, shift: int, seed: int
) -> None:
    layer = layer_of(activation, "w16")
    matrix, bias, x = numbers(np.random.default_rng(seed), layer)
    if shift == 2:  # few units: all that is rounded counts
        matrix, bias, x = matrix >> 12, bias >> 20, x >> 6
    operator = ReferenceDense(layer, matrix, bias, LayerScale(12, 8, 20 - shift, (12,) * OUTPUTS), Dither())
    for row, found in enumerate(operator.forward([x])):
        accumulator = int(bias[row]) + sum(int(w) * int(v) for w, v in zip(matrix[row], x, strict=True))
        saturate = satu if activation == "relu" else sats
        assert found == saturate(rshift(accumulator, shift), layer.output_width)


def test_a2_3_a_bias_has_the_accumulators_exponent_and_30_bits() -> None:
    compiled = plan(Network("net", 8, (Dense(3),)))
    weights = [(initial_weights(compiled.network, 1)[0][0], np.array([1.0, 1e9, -1e9]))]
    found = calibrate(compiled, initial_weights(compiled.network, 1), np.ones((1, 8)))
    bias = unpack_integers(compiled, pack(compiled, weights, found))[0][1]
    assert bias.tolist() == [2 ** (found.weights[0] + found.inputs[0]), 2**30 - 1, -(2**30)]


@pytest.mark.parametrize("ends", [2**30 - 1, -(2**30)])
def test_a2_3_a_step_leaves_a_bias_within_30_bits(ends: int) -> None:
    layer = layer_of("linear", "w16")
    bias = np.full(OUTPUTS, ends)
    operator = ReferenceDense(layer, np.zeros((OUTPUTS, INPUTS), np.int64), bias, LayerScale(8, 14, 8, ()), Dither())
    error = Block(np.full(OUTPUTS, -1000 if ends > 0 else 1000), 2)
    operator.backward([np.ones(INPUTS, np.int64)], error, LearningRate(32767, 15))
    assert set(operator.bias.tolist()) == {ends}
    error = Block(-error.values, 2)
    operator.backward([np.ones(INPUTS, np.int64)], error, LearningRate(32767, 15))
    assert set(operator.bias.tolist()) != {ends}  # the other way there is room


def test_a4_3_the_error_of_a_regression_is_the_difference_and_no_answer_is_right() -> None:
    """Its gradient is 2/n_out times that, so the rate carries 2/n_out (A5.3)."""
    outputs, target = np.array([100, -32768, 7]), np.array([40, 32767, 7])
    found = squared_error(outputs, target)
    assert found.error.tolist() == [60, -65535, 0]
    assert not found.correct
    assert not squared_error(target, target).correct
    for count in (1, 2, 3, 10, 511):
        factor = loss_factor(count, classifier=False)
        assert factor is not None
        assert 16384 <= factor.mantissa <= 32767
        assert factor.mantissa * 2.0**-factor.exponent == pytest.approx(2 / count, rel=2**-14)


def test_a6_3_an_update_is_the_same_blob_after_training(engine_cache: Path) -> None:
    network = Network("net", 9, (Dense(7, "relu"), Dense(3)))
    compiled = plan(network)
    weights = initial_weights(network, 5)
    start = pack(compiled, weights, calibrate(compiled, weights, np.ones((1, 9))))
    x = np.arange(9, dtype=np.int16) * 20
    for engine in (ReferenceEngine(compiled), NativeEngine(compiled, engine_cache)):
        engine.load(start)
        assert engine.blob() == start
        engine.train_step(x, np.array([1], np.int16), LearningRate.from_float(0.2))
        update = engine.blob()
        assert update != start
        assert exponents(compiled, update) == exponents(compiled, start)
        head = header(compiled, exponents(compiled, start))
        assert (len(update), update[: len(head)]) == (len(start), head)
        engine.load(update)  # every check of A6.1 is passed
        assert engine.blob() == update


def w8_operator(layer: DensePlan, seed: int) -> tuple[ReferenceDenseW8, Numbers, Numbers, Numbers, LayerScale]:
    generator = np.random.default_rng(seed)
    matrix, bias, x = numbers(generator, layer)
    rows = tuple(int(one) for one in generator.integers(3, 12, layer.outputs))
    scale = LayerScale(min(rows), 7, 6, rows)
    dither = Dither()
    dither.restart(SEED)
    return ReferenceDenseW8(layer, matrix, bias, scale, dither), matrix, bias, x, scale


@pytest.mark.parametrize("activation", ["relu", "linear"])
def test_a8_2_each_channel_is_shifted_by_its_own_exponent(activation: str, seed: int) -> None:
    layer = layer_of(activation, "w8")
    operator, matrix, bias, x, scale = w8_operator(layer, seed)
    for row, found in enumerate(operator.forward([x])):
        accumulator = int(bias[row]) + sum(int(w) * int(v) for w, v in zip(matrix[row], x, strict=True))
        shift = scale.rows[row] + scale.inputs - scale.output
        assert found == (satu if activation == "relu" else sats)(rshift(accumulator, shift), layer.output_width)


def test_a8_3_errors_are_brought_to_the_layers_common_exponent(seed: int) -> None:
    """With the weights as they were before the step, and nothing where the ReLU below was shut (A5.7)."""
    layer = layer_of("linear", "w8")
    operator, matrix, _, x, scale = w8_operator(layer, seed)
    error = Block(np.random.default_rng(seed + 1).integers(-(2**20), 2**20, OUTPUTS), 18)
    (below,) = operator.backward([x], error, LearningRate(32767, 16))
    assert not np.array_equal(operator.matrix, matrix)  # the step was large
    assert operator.scaled_error is not None
    common = [rshift(int(e), fw - min(scale.rows)) for e, fw in zip(operator.scaled_error, scale.rows, strict=True)]
    for column in range(INPUTS):
        wanted = sum(e * int(matrix[row, column]) for row, e in enumerate(common))
        assert below.values[column] == (wanted if x[column] else 0)
    shift = int(np.bitwise_or.reduce(error.values ^ (error.values >> 63))).bit_length() - layer.error_width
    assert below.exponent == error.exponent - shift + min(scale.rows)


@pytest.mark.parametrize("exponent", [17, 22, 27, 33, 46])
def test_a8_4_a_weight_of_int8_moves_by_its_step_with_24_bits_behind_the_point(exponent: int, seed: int) -> None:
    layer = layer_of("linear", "w8")
    operator, matrix, bias, x, scale = w8_operator(layer, seed)
    error = Block(np.random.default_rng(seed + 1).integers(-(2**14), 2**14, OUTPUTS), 15)
    rate = LearningRate(23456, exponent)
    operator.backward([x], error, rate)
    assert operator.scaled_error is not None
    after = error.exponent - (
        int(np.bitwise_or.reduce(error.values ^ (error.values >> 63))).bit_length() - layer.error_width
    )
    q = 2 * scale.inputs - layer.input_width - 9
    for row, e in enumerate(operator.scaled_error.tolist()):
        sh = min(max(exponent + after + scale.inputs - scale.rows[row] - layer.input_width - 9, 0), 31)
        d = 0 if sh == 31 else sats(rshift(e * rate.mantissa, sh), 15)
        assert operator.bias[row] == sats(int(bias[row]) - (d << q if q >= 0 else rshift(d, -q)), 30)
        for column in range(INPUTS):
            wide = int(x[column]) * 2 ** (15 - layer.input_width)
            rho = w8_dither(SEED, 0, layer.index, row, column)
            assert operator.matrix[row, column] == sats(int(matrix[row, column]) - ((d * wide + rho) >> 24), 7)


def summed(layer: DensePlan, samples: int, seed: int) -> tuple[StepSums, Numbers, Numbers]:
    """The sums of some samples' steps, and what A11.2 and A11.4 say they are."""
    generator = np.random.default_rng(seed)
    matrix, bias, _ = numbers(generator, layer)
    dither = Dither()
    dither.restart(SEED)
    kind = ReferenceDenseW8 if layer.per_channel else ReferenceDense
    operator = kind(layer, matrix, bias, LayerScale(8, 9, 8, (8,) * layer.outputs), dither)
    operator.sums = StepSums(matrix, bias)
    dither.sum_steps(True)
    weights, biases = np.zeros_like(matrix), np.zeros_like(bias)
    q = 2 * 9 - layer.input_width - (9 if layer.per_channel else 1)
    for _ in range(samples):
        _, _, x = numbers(generator, layer)
        error = Block(generator.integers(-(2**14), 2**14, layer.outputs), 15)
        operator.backward([x], error, LearningRate(30000, 17))
        factors = _factors(operator, layer, error)
        for row, d in enumerate(factors):
            for column in range(layer.inputs):
                product = d * int(x[column])
                step = rshift(product, layer.input_width - 7) if layer.per_channel else product
                weights[row, column] = sats(int(weights[row, column]) - step, 31)
            biases[row] = sats(int(biases[row]) - _bias_step(layer, d, q), 30)
    return operator.sums, weights, biases


def _factors(operator: ReferenceDense, layer: DensePlan, error: Block) -> list[int]:
    """d of A5.4 (its H begins with mix32 of mix32 while steps are summed, A11.2), or of A8.4."""
    assert operator.scaled_error is not None
    bits = int(np.bitwise_or.reduce(error.values ^ (error.values >> 63))).bit_length()
    exponent = error.exponent - (bits - layer.error_width)
    sh = 17 + exponent + 9 - 8 - layer.input_width - (9 if layer.per_channel else 1)
    if layer.per_channel:
        sh = min(max(sh, 0), 31)
        return [0 if sh == 31 else sats(rshift(e * 30000, sh), 15) for e in operator.scaled_error.tolist()]
    key, sh = _summing_key(layer), min(max(sh, 0), 45)
    s = min(sh, 30)
    found = []
    for row, e in enumerate(operator.scaled_error.tolist()):
        rho = (key + 2**28 * row) % 2**32
        found.append(sats((e * (30000 >> (sh - s)) + (rho >> (32 - s))) >> s, 15) if e else 0)
    return found


def _summing_key(layer: DensePlan) -> int:
    return (mix32(mix32(SEED)) + 0x85EBCA6B * layer.index) % 2**32


def _bias_step(layer: DensePlan, d: int, q: int) -> int:
    """A5.6 and A8.4."""
    if q >= 0:
        return d << q
    if layer.per_channel:
        return rshift(d, -q)
    rho = _summing_key(layer) * 2**16 % 2**32
    return -(((rho >> (32 + q)) - d) >> -q) if d and q >= -16 else 0


@pytest.mark.parametrize("weights", ["w16", "w8"])
def test_a11_2_and_a11_4_the_sums_of_a_dense_layer_are_those_of_its_samples_steps(
    weights: WeightFormat, seed: int
) -> None:
    sums, by_hand, biases = summed(layer_of("linear", weights), 3, seed)
    assert np.array_equal(sums.weights, by_hand)
    assert np.array_equal(sums.biases, biases)
    assert sums.biases.any()


def test_a11_2_and_a11_4_sums_are_cut_off_at_their_width() -> None:
    sums = StepSums(np.zeros((1, 1), np.int64), np.zeros(1, np.int64))
    for _ in range(3):
        sums.take(np.full((1, 1), 2**30), np.full(1, 2**29))
    assert (sums.weights.item(), sums.biases.item()) == (-(2**31), -(2**30))


def test_a5_7_the_error_of_the_inputs_is_that_of_the_weights_before_the_step() -> None:
    layer = layer_of("linear", "w16")
    matrix, bias, x = numbers(np.random.default_rng(4), layer)
    operator = ReferenceDense(layer, matrix, bias, LayerScale(8, 7, 8, ()), Dither())
    error = Block(np.full(OUTPUTS, 3000), 12)
    (below,) = operator.backward([x], error, LearningRate(32767, 15))
    assert operator.scaled_error is not None
    wanted = np.where(x != 0, operator.scaled_error @ matrix, 0)
    assert np.array_equal(below.values, wanted)
    assert not np.array_equal(operator.matrix, matrix)
