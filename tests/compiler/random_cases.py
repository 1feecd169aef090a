"""Random networks, weights, exponents, samples and rates over the whole range the formats allow, from one seed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from jaragua_bench.steps.random_steps import random_weight_exponents
from jaragua_bench.steps.steps import Step
from jaragua_compiler import Dense, Exponents, LearningRate, Network, Plan, initial_weights, plan
from jaragua_compiler.graph.layers import DepthwiseConv2D, Layer, WeightedLayer
from jaragua_compiler.quantisation.blob import Int16Array, IntegerWeights, pack_integers
from jaragua_compiler.quantisation.exponents import fitted_exponents
from jaragua_compiler.quantisation.freeze import freeze, freeze_integers

SINE = Network("sine", 1, (Dense(32, "relu"), Dense(32, "relu"), Dense(1)), "mean_squared_error")
MLP = Network("mlp", 64, (Dense(32, "relu"), Dense(10)))


class Sample(NamedTuple):
    """One training step's input."""

    x: Int16Array
    target: Int16Array
    rate: LearningRate


def random_network(generator: np.random.Generator, most: int) -> Network:
    """1 to 4 dense layers of 1 to `most` units."""
    depth = int(generator.integers(1, 5))
    widths = [_random_width(generator, most) for _ in range(depth + 1)]
    loss = "softmax_cross_entropy" if generator.random() < 0.5 and widths[-1] > 1 else "mean_squared_error"
    hidden = [Dense(width, "relu" if generator.random() < 0.7 else "linear") for width in widths[1:-1]]
    return Network("random", widths[0], (*hidden, Dense(widths[-1])), loss)


def random_frozen(generator: np.random.Generator, network: Network) -> Plan:
    """The network with layers and channels frozen (A10), though not all: their weights are ordinary or wild ones."""
    last = int(generator.choice(network.weighted))
    layers = [
        _partly_frozen(generator, network, index, always_trains=index == last) for index in range(len(network.layers))
    ]
    layout = plan(replace(network, layers=tuple(layers)))
    if generator.random() < 0.5:
        samples = generator.uniform(-1.0, 1.0, (16, network.input_size))
        return freeze(layout, initial_weights(network, int(generator.integers(2**32))), samples)
    return freeze_integers(layout, _wild_weights(generator, layout), random_exponents(generator, layout))


def _partly_frozen(generator: np.random.Generator, network: Network, index: int, *, always_trains: bool) -> Layer:
    layer = network.layers[index]
    if not isinstance(layer, WeightedLayer) or generator.random() < 0.3:
        return layer
    if not always_trains and (isinstance(layer, DepthwiseConv2D) or generator.random() < 0.5):
        return replace(layer, trainable=False)
    if isinstance(layer, DepthwiseConv2D):
        return layer
    channels = network.weight_shapes(index)[1][0]
    return replace(layer, trained_channels=int(generator.integers(1, channels + 1)))


def random_exponents(generator: np.random.Generator, plan: Plan) -> Exponents:
    """Exponents a device accepts, as near to random ones as they fit together."""
    weights, channels = random_weight_exponents(plan, generator)
    wanted = [int(generator.integers(-8, 16)) for _ in range(plan.scales.count)]
    return fitted_exponents(plan, weights, tuple(wanted), channels)


def random_blob(generator: np.random.Generator, plan: Plan) -> bytes:
    """Weights of one of four kinds (small, wide, full range, all extreme) under random exponents."""
    weights = _wild_weights(generator, plan)
    return pack_integers(plan, weights, random_exponents(generator, plan))


def _wild_weights(generator: np.random.Generator, plan: Plan) -> IntegerWeights:
    kind = int(generator.integers(4))
    return [
        (
            _weights(generator, kind, layer.weights_shape, 7 if layer.per_channel else 15),
            _weights(generator, kind, (layer.outputs,), 30),
        )
        for layer in plan.layers
    ]


def random_sample(generator: np.random.Generator, plan: Plan) -> Sample:
    """A sample of any int16 values (also beyond the input's width, A3.0) with a random rate."""
    scale = int(generator.choice([1, 40, 600, 9000, 32768]))
    x = generator.integers(-scale, scale, plan.network.input_size)
    if generator.random() < 0.2:
        x = generator.choice([-32768, 0, 32767], plan.network.input_size)
    x[generator.random(len(x)) < generator.choice([0.0, 0.5])] = 0
    rate = LearningRate(int(generator.integers(16384, 32768)), int(generator.integers(15, 47)))
    if generator.random() < 0.7:
        rate = LearningRate(rate.mantissa, int(generator.integers(15, 26)))
    return Sample(x.astype(np.int16), _random_target(generator, plan), rate)


def with_sums(generator: np.random.Generator, steps: Sequence[Step]) -> list[Step]:
    """The same steps, several samples each (A11.1) from every blob on, clipped (A11.7), some rests applied (A11.5).

    Of some a loss threshold is asked for (A11.8).
    """
    batch, drawn = 1, []
    for step in steps:
        batch = int(generator.choice([1, 2, 3, 5, 9])) if step.blob else batch
        clip = int(generator.choice([0, 0, 1, 300, 9000, 40000]))
        least = int(generator.choice([0, 0, 0, 200, 4000, 1 << 20]))
        flush = bool(generator.random() < 0.1)
        drawn.append(replace(step, batch=batch, clip=clip, loss_threshold=least, flush=flush))
    return drawn


def _random_width(generator: np.random.Generator, most: int) -> int:
    return int(generator.integers(1, most + 1 if generator.random() < 0.3 else min(most, 40) + 1))


def _random_target(generator: np.random.Generator, plan: Plan) -> Int16Array:
    if plan.network.classifier:
        return generator.integers(0, plan.network.outputs, 1).astype(np.int16)
    scale = int(generator.choice([3, 500, 32768]))
    return generator.integers(-scale, scale, plan.network.outputs).astype(np.int16)


def _weights(
    generator: np.random.Generator, kind: int, shape: tuple[int, ...], bits: int
) -> np.ndarray[tuple[int, ...], np.dtype[np.int64]]:
    limit = 1 << bits
    if kind == 3:
        return generator.choice([-limit, limit - 1], shape).astype(np.int64)
    spread = (max(1, limit >> 8), limit >> 3, limit)[kind]
    return generator.integers(-spread, spread, shape)
