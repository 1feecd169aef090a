"""Which rows of a network are dead in a training step (A5.6), and steps in which none is."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from jaragua_compiler.arithmetic import Block, block_error, softmax_error, squared_error
from jaragua_compiler.bench.steps import Step
from jaragua_compiler.blob import IntArray, exponents, pack, quantise_inputs, quantise_targets, unpack_integers
from jaragua_compiler.errors import CompileError
from jaragua_compiler.exponents import Exponents, calibrate
from jaragua_compiler.initial import Weights, initial_weights
from jaragua_compiler.plan import Plan
from jaragua_compiler.rate import LearningRate, effective_rate, loss_factor
from jaragua_compiler.reference import PROBABILITY_EXPONENT
from jaragua_compiler.reference_dense import ReferenceDense

_SEEDS = 20
_MARGIN = 0.2  # how far above zero a bias lifts its unit's lowest sum, as a part of the range of the sums

Layers = list[ReferenceDense]


def rows(plan: Plan) -> int:
    """Rows of all layers together."""
    return sum(layer.outputs for layer in plan.layers)


def dead_row_counts(plan: Plan, steps: Sequence[Step]) -> list[int]:
    """For each step the number of rows whose error is zero, all layers together. The first step must bring a blob."""
    counts = []
    for step in steps:
        if step.blob is not None:
            found = exponents(plan, step.blob)
            layers = _layers(plan, step.blob, found)
        counts.append(_dead_rows(plan, layers, found.output, step))
    return counts


def lively_steps(plan: Plan, x: npt.ArrayLike, y: npt.ArrayLike, rate: LearningRate) -> list[Step]:
    """Steps on samples (x [n, inputs]; y labels [n] or [n, outputs]) in none of which any row is dead.

    Every step starts from the same weights: random ones, with the biases of the hidden layers so large that no ReLU
    cuts off. Samples with an error that happens to round to zero are left out; raises CompileError if most do.
    """
    for seed in range(_SEEDS):
        steps = _steps(plan, _lively_blob(plan, x, seed), x, y, rate)
        lively = [step for step, dead in zip(steps, dead_row_counts(plan, steps), strict=True) if dead == 0]
        if 2 * len(lively) > len(steps):
            return lively
    raise CompileError(f"network {plan.network.name!r}: no weights without a dead row found in {_SEEDS} tries.")


def _steps(plan: Plan, blob: bytes, x: npt.ArrayLike, y: npt.ArrayLike, rate: LearningRate) -> list[Step]:
    found = exponents(plan, blob)
    pairs = zip(quantise_inputs(plan, found, x), quantise_targets(plan, found, y), strict=True)
    return [Step(inputs, target, rate, blob) for inputs, target in pairs]


def _layers(plan: Plan, blob: bytes, found: Exponents) -> Layers:
    pairs = zip(plan.layers, unpack_integers(plan, blob), strict=True)
    return [ReferenceDense(layer, matrix, bias, found) for layer, (matrix, bias) in pairs]


def _dead_rows(plan: Plan, layers: Layers, output_exponent: int, step: Step) -> int:
    """Train the layers on one step as the reference does, looking at each layer's error on the way."""
    activations: list[IntArray] = [step.x.astype(np.int64)]
    for layer in layers:
        activations.append(layer.forward(activations[-1]))
    rate = effective_rate(step.rate, loss_factor(plan.network.outputs, plan.network.classifier))
    error: Block | None = _output_error(plan, activations[-1], output_exponent, step)
    dead = 0
    for layer, inputs in zip(reversed(layers), reversed(activations[:-1]), strict=True):
        dead += layer.layer.outputs if error is None else _zero_errors(layer, error)
        error = layer.backward(inputs, error, rate) if error is not None else None
    return dead


def _output_error(plan: Plan, outputs: IntArray, output_exponent: int, step: Step) -> Block:
    if plan.network.classifier:
        return Block(softmax_error(outputs, int(step.target[0])).error, PROBABILITY_EXPONENT)
    return Block(squared_error(outputs, step.target.astype(np.int64)).error, output_exponent)


def _zero_errors(layer: ReferenceDense, error: Block) -> int:
    block = block_error(error.values, error.exponent, layer.layer.error_width)
    return layer.layer.outputs if block is None else int(np.count_nonzero(block.values == 0))


def _lively_blob(plan: Plan, x: npt.ArrayLike, seed: int) -> bytes:
    weights: Weights = []
    values = np.asarray(x, dtype=np.float64)
    for layer, (matrix, bias) in zip(plan.layers, initial_weights(plan.network, seed), strict=True):
        sums = values @ matrix.T
        if layer.relu:
            bias = _MARGIN * (np.ptp(sums, axis=0) + 1.0) - sums.min(axis=0)
        else:  # small outputs: a softmax that is sure of itself has errors of zero
            matrix, sums = matrix / np.abs(sums).max(), sums / np.abs(sums).max()
        weights.append((matrix, bias))
        values = sums + bias
    return pack(plan, weights, calibrate(plan, weights, x))
