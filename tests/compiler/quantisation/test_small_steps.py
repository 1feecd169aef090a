"""Small steps are not lost (A5.9): what a slow training ends with, and the mean of many roundings of one step."""

from __future__ import annotations

import numpy as np
import pytest

from jaragua_bench.small_steps import FORMATS, learned, learned_in_float, slow_task
from jaragua_compiler import Dense, LearningRate, Network, calibrate, initial_weights, pack, plan, quantise_inputs
from jaragua_compiler.graph.layers import WeightFormat
from jaragua_compiler.quantisation.blob import exponents, unpack
from jaragua_compiler.reference.engine import ReferenceEngine

RATE = 0.0003
SMALL_RATE = 2e-8
SEEDS = (1, 2)


@pytest.mark.parametrize("weight_format", FORMATS)
def test_a5_9_a_slow_training_ends_where_float32_does(weight_format: WeightFormat) -> None:
    """Rounded to the nearest, w16 was 14 and 22 points below."""
    tasks = [slow_task(seed) for seed in SEEDS]
    differences = [learned(task, RATE, weight_format) - learned_in_float(task, RATE) for task in tasks]
    assert np.mean(differences) > -0.04, (SEEDS, differences)


@pytest.mark.parametrize("samples", [1, 4])
def test_a5_9_the_mean_of_many_roundings_of_a_step_is_the_exact_one(samples: int) -> None:
    """Weights and biases; the inputs are so large that a bias's step is rounded too (q of A5.6 is below 0)."""
    network = Network("mean-step", 6, (Dense(4, "linear"),), loss="softmax_cross_entropy")
    compiled = plan(network, accumulate=True)
    start = initial_weights(network, 3)
    x = (100 * np.random.default_rng(3).normal(size=(1, 6))).astype(np.float32)
    start = [(matrix / 100, bias) for matrix, bias in start]
    blob = pack(compiled, start, calibrate(compiled, start, x))
    inputs, rate = quantise_inputs(compiled, exponents(compiled, blob), x), LearningRate.from_float(SMALL_RATE)
    label = np.array([1], np.int16)
    before = unpack(compiled, blob)
    engine = ReferenceEngine(compiled)
    engine.set_accumulation(samples)
    moved, count = [np.zeros_like(before[0][0]), np.zeros_like(before[0][1])], 1000
    for seed in range(count):
        engine.load(blob)
        engine.set_seed(seed)
        for _ in range(samples):
            engine.train_step(inputs[0], label, rate)
        (matrix, bias) = unpack(compiled, engine.blob())[0]
        moved[0] += (matrix - before[0][0]) / count
        moved[1] += (bias - before[0][1]) / count
    logits = before[0][0] @ x[0].astype(np.float64) + before[0][1]
    error = np.exp(logits - logits.max())
    error = error / error.sum() - (np.arange(4) == 1)
    unit = 2.0 ** -exponents(compiled, blob).weights[0]
    exact = -SMALL_RATE * np.outer(error, x[0])
    assert np.abs(exact).max() < unit / 4  # to the nearest, no weight would move
    np.testing.assert_allclose(moved[0] / unit, exact / unit, atol=0.06)
    bias_unit = 2.0 ** -(exponents(compiled, blob).weights[0] + exponents(compiled, blob).inputs[0])
    np.testing.assert_allclose(moved[1] / bias_unit, -SMALL_RATE * error / bias_unit, atol=0.06)
