"""Weights that do not train become constants of the image (A10.1)."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from jaragua_compiler.graph.initial_weights import FloatArray, Weights
from jaragua_compiler.planning.frozen import FrozenRows
from jaragua_compiler.planning.operators import WeightedPlan
from jaragua_compiler.planning.plan import Plan
from jaragua_compiler.quantisation.blob import IntegerWeights, quantise_weights, stored_rows
from jaragua_compiler.quantisation.exponents import (
    CHANNEL_EXPONENT_MIN,
    Channels,
    Exponents,
    calibrate_channels,
    channel_exponents,
)
from jaragua_compiler.quantisation.ranges import Ranges

BIAS_BITS = 30  # A2.3


def freeze(
    plan: Plan, weights: Weights, samples: ArrayLike, targets: ArrayLike | None = None, ranges: Ranges | None = None
) -> Plan:
    """The plan with the constants of its frozen rows, from real weights and typical inputs as `calibrate` takes them.

    A plan without frozen rows, or one that has its constants, comes back as it is.
    """
    if plan.frozen or not any(layer.frozen_rows for layer in plan.layers):
        return plan
    channels = channel_exponents(plan, weights)
    while True:
        exponents = calibrate_channels(plan, weights, channels, samples, targets, ranges)
        lowered = _room_for_biases(plan, weights, exponents)
        if lowered == channels:
            return freeze_integers(plan, quantise_weights(plan, weights, exponents), exponents)
        channels = lowered


def freeze_integers(plan: Plan, weights: IntegerWeights, exponents: Exponents) -> Plan:
    """The plan with the constants of its frozen rows, given as the device's integers and their exponents."""
    rows = [
        _frozen_rows(layer, matrix, bias, exponents) if layer.frozen_rows else None
        for layer, (matrix, bias) in zip(plan.layers, weights, strict=True)
    ]
    return replace(plan, frozen=tuple(rows))


def _frozen_rows(
    layer: WeightedPlan, matrix: NDArray[np.int64], bias: NDArray[np.int64], exponents: Exponents
) -> FrozenRows:
    first = layer.trained_rows
    return FrozenRows(
        weights=stored_rows(layer, np.asarray(matrix)[first:]),
        biases=tuple(np.asarray(bias)[first:].tolist()),
        channels=exponents.channels[layer.index][first:],
        input_exponent=exponents.inputs[layer.index],
    )


def _room_for_biases(plan: Plan, weights: Weights, exponents: Exponents) -> Channels:
    """A10.1: the channels' exponents, those of frozen rows lowered to where their biases fit A2.3."""
    return tuple(
        _lowered(layer, bias, exponents) if layer.frozen_rows else own
        for layer, own, (_, bias) in zip(plan.layers, exponents.channels, weights, strict=True)
    )


def _lowered(layer: WeightedPlan, bias: FloatArray, exponents: Exponents) -> tuple[int, ...]:
    own = exponents.channels[layer.index]
    most = [BIAS_BITS - exponents.inputs[layer.index] - _bits(float(value)) for value in bias]
    frozen = [max(CHANNEL_EXPONENT_MIN, min(pair)) for pair in zip(own, most, strict=True)]
    return (*own[: layer.trained_rows], *frozen[layer.trained_rows :])


def _bits(value: float) -> int:
    """The least k with |value| < 2^k."""
    return math.frexp(value)[1]
