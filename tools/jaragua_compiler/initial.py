"""Seeded initial weights, in float64, as the coordinator keeps them."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from jaragua_compiler.network import Dense, Network

FloatArray = npt.NDArray[np.float64]
Weights = list[tuple[FloatArray, FloatArray]]


def initial_weights(network: Network, seed: int) -> Weights:
    """Per layer (W [out, in], b [out]): He normal before a ReLU, Glorot normal else; biases zero."""
    generator = np.random.default_rng(seed)
    weights: Weights = []
    inputs = network.inputs
    for layer in network.layers:
        deviation = _deviation(inputs, layer)
        matrix = generator.normal(0.0, deviation, size=(layer.units, inputs))
        weights.append((matrix, np.zeros(layer.units)))
        inputs = layer.units
    return weights


def _deviation(inputs: int, layer: Dense) -> float:
    return math.sqrt(2.0 / inputs if layer.activation == "relu" else 2.0 / (inputs + layer.units))
