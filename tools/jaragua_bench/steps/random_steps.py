"""Random training steps for the bit-exactness test: ordinary ones, and ones at the edges of every format."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from jaragua_bench.steps.steps import Step
from jaragua_compiler.errors import CompileError
from jaragua_compiler.graph.initial_weights import initial_weights
from jaragua_compiler.planning.operators import WeightedPlan
from jaragua_compiler.planning.plan import Plan
from jaragua_compiler.quantisation.blob import IntegerWeights, pack, pack_integers
from jaragua_compiler.quantisation.exponents import Channels, Exponents, calibrate, fitted_exponents
from jaragua_compiler.quantisation.rate import EXPONENT_MIN, MANTISSA_MAX, MANTISSA_MIN, LearningRate

STEPS_PER_BLOB = 20
_BIAS_LIMIT = 1 << 30
_MOST_DRAWS = 1000


def random_steps(plan: Plan, seed: int, count: int) -> list[Step]:
    """`count` steps drawn from `seed`; every STEPS_PER_BLOB steps a new blob, in turn ordinary and wild.

    Ordinary: initial weights, calibrated exponents. Wild: any exponents a device accepts, weights, biases, inputs and
    targets over their whole ranges, so that every saturation, shift and skipped row of the arithmetic is met.
    """
    random = np.random.default_rng(seed)
    return [step for _, step in zip(range(count), _endless(plan, random), strict=False)]


def _endless(plan: Plan, random: np.random.Generator) -> Iterator[Step]:
    wild = False
    while True:
        blob = _wild_blob(plan, random) if wild else _ordinary_blob(plan, random)
        for index in range(STEPS_PER_BLOB):
            yield _step(plan, random, blob if index == 0 else None)
        wild = not wild


def _ordinary_blob(plan: Plan, random: np.random.Generator) -> bytes:
    weights = initial_weights(plan.network, int(random.integers(2**32)))
    samples = random.uniform(-1.0, 1.0, (16, plan.network.input_size))
    try:
        return pack(plan, weights, calibrate(plan, weights, samples))
    except CompileError:
        if not plan.frozen:
            raise
        return _wild_blob(plan, random)  # ordinary weights need not fit beside wild frozen ones


def _wild_blob(plan: Plan, random: np.random.Generator) -> bytes:
    weights: IntegerWeights = [_wild_layer(layer, random) for layer in plan.layers]
    return pack_integers(plan, weights, _wild_exponents(plan, random))


def _wild_layer(layer: WeightedPlan, random: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    weight_bits, bias_bits = random.integers(4, 16), random.integers(8, 31)
    weights = random.integers(-1 << weight_bits, 1 << weight_bits, layer.weights_shape)
    biases = random.integers(-1 << bias_bits, 1 << bias_bits, layer.outputs)
    limit = 1 << (7 if layer.per_channel else 15)
    return np.clip(weights, -limit, limit - 1), np.clip(biases, -_BIAS_LIMIT, _BIAS_LIMIT - 1)


def _wild_exponents(plan: Plan, random: np.random.Generator) -> Exponents:
    """Beside the fixed exponents of frozen layers not all others are possible: some have to be drawn again."""
    for _ in range(_MOST_DRAWS):
        weights, channels = random_weight_exponents(plan, random)
        try:
            return fitted_exponents(
                plan, weights, tuple(random.integers(-10, 16, plan.scales.count).tolist()), channels
            )
        except CompileError:
            if not plan.frozen:
                raise
    raise CompileError(f"no exponents were found for {plan.network} in {_MOST_DRAWS} draws.")


def random_weight_exponents(plan: Plan, random: np.random.Generator) -> tuple[tuple[int, ...], Channels]:
    """Any `weights` and `channels` of Exponents (A2.6, A8.1); those of frozen rows as they are (A10.5)."""
    rows = [
        random.integers(0, 8) + random.integers(0, 9, layer.outputs) if layer.per_channel else random.integers(8, 16, 1)
        for layer in plan.layers
    ]
    for own, constants in zip(rows, plan.frozen, strict=False):
        if constants is not None:
            own[len(own) - len(constants.channels) :] = constants.channels
    channels = tuple(
        tuple(own.tolist()) if layer.per_channel else () for layer, own in zip(plan.layers, rows, strict=True)
    )
    return tuple(int(own.min()) for own in rows), channels if plan.per_channel else ()


def _step(plan: Plan, random: np.random.Generator, blob: bytes | None) -> Step:
    rate = LearningRate(
        int(random.integers(MANTISSA_MIN, MANTISSA_MAX + 1)), EXPONENT_MIN + int(random.integers(0, 16))
    )
    return Step(_input(plan, random), _target(plan, random), rate, blob, seed=int(random.integers(2**32)))


def _input(plan: Plan, random: np.random.Generator) -> np.ndarray:
    """Full range, some values 0 as in real images, some at the ends of the range."""
    width = plan.input_width
    x = random.integers(-1 << width, 1 << width, plan.network.input_size)
    kinds = random.integers(0, 8, x.shape)
    x[kinds == 0] = 0
    x[kinds == 1] = (1 << width) - 1
    x[kinds == 2] = -1 << width
    return x.astype(np.int16)


def _target(plan: Plan, random: np.random.Generator) -> np.ndarray:
    if plan.network.classifier:
        return random.integers(0, plan.network.outputs, 1).astype(np.int16)
    return random.integers(-1 << 15, 1 << 15, plan.network.outputs).astype(np.int16)
