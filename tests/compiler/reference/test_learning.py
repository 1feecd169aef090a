"""The integer engine learns what float64 SGD learns from the same start, samples and rate (A3 to A5 as a whole)."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from random_cases import SINE

from jaragua_compiler import (
    Dense,
    LearningRate,
    NativeEngine,
    Network,
    calibrate,
    initial_weights,
    pack,
    plan,
    quantise_inputs,
    quantise_targets,
)
from jaragua_compiler.graph.initial_weights import FloatArray, Weights
from jaragua_compiler.quantisation.blob import Int16Array
from jaragua_compiler.quantisation.exponents import Exponents

CLASSES = Network("blobs", 8, (Dense(16, "relu"), Dense(3)))
SEED = 11


def _forward(weights: Weights, x: FloatArray, network: Network) -> list[FloatArray]:
    values = [x]
    for (matrix, bias), layer in zip(weights, network.layers, strict=True):
        y = matrix @ values[-1] + bias
        values.append(np.maximum(y, 0.0) if layer.activation == "relu" else y)
    return values


def _float_step(weights: Weights, x: FloatArray, target: FloatArray, rate: float, network: Network) -> None:
    values = _forward(weights, x, network)
    if network.classifier:
        powers = np.exp(values[-1] - values[-1].max())
        error = powers / powers.sum() - target
    else:
        error = 2.0 / network.outputs * (values[-1] - target)
    for index in reversed(range(len(weights))):
        matrix, bias = weights[index]
        below = (matrix.T @ error) * ((values[index] > 0) | (index == 0))
        matrix -= rate * np.outer(error, values[index])
        bias -= rate * error
        error = below


def _copy(weights: Weights) -> Weights:
    return [(matrix.copy(), bias.copy()) for matrix, bias in weights]


class _Taught(NamedTuple):
    """An integer engine and float weights after the same samples; x and targets are those of all samples."""

    engine: NativeEngine
    weights: Weights
    found: Exponents
    x: Int16Array
    targets: Int16Array


def _taught(
    network: Network, samples: FloatArray, answers: NDArray[Any], floats: FloatArray, rate: float, cache: Path
) -> _Taught:
    """Both learn from the first samples, one for each row of `floats`: the answers as float SGD wants them."""
    start = initial_weights(network, SEED)
    compiled = plan(network)
    found = calibrate(compiled, start, samples)
    x, targets = quantise_inputs(compiled, found, samples), quantise_targets(compiled, found, answers)
    engine, weights = NativeEngine(compiled, cache), _copy(start)
    engine.load(pack(compiled, start, found))
    for n, answer in enumerate(floats):
        engine.train_step(x[n], targets[n], LearningRate.from_float(rate))
        _float_step(weights, samples[n], answer, rate, network)
    return _Taught(engine, weights, found, x, targets)


def test_three_clusters_are_told_apart_as_well_as_by_float_sgd(engine_cache: Path) -> None:
    generator = np.random.default_rng(SEED)
    centres = generator.normal(size=(3, 8))
    labels = generator.integers(0, 3, 400)
    samples = 0.5 * centres[labels] + 0.35 * generator.normal(size=(400, 8))
    engine, weights, _, x, targets = _taught(CLASSES, samples, labels, np.eye(3)[labels[:300]], 0.05, engine_cache)
    rest = range(300, 400)
    integer_right = sum(engine.evaluate(x[n], targets[n]).correct for n in rest)
    float_right = sum(int(np.argmax(_forward(weights, samples[n], CLASSES)[-1])) == labels[n] for n in rest)
    assert float_right >= 85, f"seed {SEED}: the problem should be easy for float SGD"
    assert abs(integer_right - float_right) <= 3, f"seed {SEED}: {integer_right} against {float_right} of 100"


def test_a_sine_is_fitted_as_well_as_by_float_sgd(engine_cache: Path) -> None:
    generator = np.random.default_rng(SEED)
    samples = generator.uniform(-1, 1, (3000, 1))
    waves = 2.0 * np.sin(3.0 * samples + 0.5)
    engine, weights, found, x, targets = _taught(SINE, samples, waves, waves[:2900], 0.01, engine_cache)
    rest = range(2900, 3000)
    unit = 2.0 ** (-2 * found.output)
    integer_loss = float(np.mean([engine.evaluate(x[n], targets[n]).loss * unit for n in rest]))
    float_loss = float(np.mean([(_forward(weights, samples[n], SINE)[-1] - waves[n]) ** 2 for n in rest]))
    assert float_loss < 0.05, f"seed {SEED}: the problem should be easy for float SGD"
    assert integer_loss < 1.25 * float_loss + 0.002, f"seed {SEED}: {integer_loss} against {float_loss}"
