"""Which rows of a network have a zero gradient in a training step (A5.6, A7.2), and steps in which none is."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from jaragua_bench.steps.steps import Step
from jaragua_compiler.errors import CompileError
from jaragua_compiler.floating.engine import FloatEngine
from jaragua_compiler.graph.initial_weights import Weights, initial_weights
from jaragua_compiler.planning.operators import ConvolutionPlan
from jaragua_compiler.planning.plan import Plan
from jaragua_compiler.quantisation.blob import IntArray, exponents, pack, quantise_inputs, quantise_targets
from jaragua_compiler.quantisation.exponents import calibrate
from jaragua_compiler.quantisation.rate import LearningRate
from jaragua_compiler.reference.engine import ReferenceEngine

TOLERATED_PART = 0.03
_SEEDS = 20
_MARGIN = 0.2  # how far above zero a bias lifts its unit's lowest sum, as a part of the range of the sums


def rows(plan: Plan) -> int:
    """Errors of all layers together: one a row of a dense layer, one a channel and position of a convolution."""
    return sum(plan.graph.tensors[layer.output_tensor].size for layer in plan.layers)


def zero_gradient_row_counts(plan: Plan, steps: Sequence[Step]) -> list[int]:
    """For each step the number of rows whose error is zero, all layers together. The first step must bring a blob."""
    engine = ReferenceEngine(plan)
    counts = []
    for step in steps:
        if step.blob is not None:
            engine.load(step.blob)
        engine.train_step(step.x, step.target, step.rate)
        counts.append(rows(plan) - sum(_active(layer.scaled_error) for layer in engine.layers))
    return counts


def fully_active_steps(plan: Plan, x: npt.ArrayLike, y: npt.ArrayLike, rate: LearningRate) -> list[Step]:
    """Steps on samples (x [n, inputs]; y labels [n] or [n, outputs]) in none of which any row has a zero gradient.

    Every step starts from the same weights: random ones, with the biases of the hidden layers so large that no ReLU
    cuts off. Samples with an error that happens to round to zero are left out (of a convolution's hundreds of errors
    a few always do: up to TOLERATED_PART of all); raises CompileError if most are.
    """
    for seed in range(_SEEDS):
        steps = _steps(plan, _fully_active_blob(plan, x, seed), x, y, rate)
        counts = zero_gradient_row_counts(plan, steps)
        active = [step for step, zeros in zip(steps, counts, strict=True) if zeros <= _tolerance(plan)]
        if 2 * len(active) > len(steps):
            return active
    raise CompileError(
        f"network {plan.network.name!r}: no weights without a zero-gradient row found in {_SEEDS} tries."
    )


def _tolerance(plan: Plan) -> int:
    images = any(isinstance(layer, ConvolutionPlan) for layer in plan.layers)
    return int(TOLERATED_PART * rows(plan)) if images else 0


def _steps(plan: Plan, blob: bytes, x: npt.ArrayLike, y: npt.ArrayLike, rate: LearningRate) -> list[Step]:
    found = exponents(plan, blob)
    pairs = zip(quantise_inputs(plan, found, x), quantise_targets(plan, found, y), strict=True)
    return [Step(inputs, target, rate, blob) for inputs, target in pairs]


def _active(error: IntArray | None) -> int:
    return 0 if error is None else int(np.count_nonzero(error))


def _fully_active_blob(plan: Plan, x: npt.ArrayLike, seed: int) -> bytes:
    network = plan.network
    weights: Weights = initial_weights(network, seed)
    values = np.asarray(x, dtype=np.float64)
    for number, index in enumerate(network.weighted):
        matrix, bias = weights[number]
        sums = FloatEngine(network, weights, np.float64).trace(values).before_activation[index]
        if plan.layers[number].relu:
            each = tuple(range(sums.ndim - 1))
            bias = _MARGIN * (np.ptp(sums, axis=each) + 1.0) - sums.min(axis=each)
        else:  # small outputs: a softmax that is sure of itself has errors of zero
            matrix = matrix / np.abs(sums).max()
        weights[number] = (matrix, bias)
    return pack(plan, weights, calibrate(plan, weights, x))
