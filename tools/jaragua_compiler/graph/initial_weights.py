"""Seeded initial weights, in float64, as the coordinator keeps them."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from jaragua_compiler.graph import layers
from jaragua_compiler.graph.network import Network, Shape

FloatArray = npt.NDArray[np.float64]
Weights = list[tuple[FloatArray, FloatArray]]


def first_weights(network: Network, seed: int) -> Weights:
    """What a run or a board begins with: `initial_weights` but for two kinds of layers.

    A classifier without hidden layers begins at 0 (A2.7). A hidden linear square layer begins as the identity, and
    logits right behind it at 0 (A2.8).
    """
    weights = initial_weights(network, seed)
    last = len(weights) - 1
    hidden = zip(network.weighted[:last], weights[:last], strict=True)
    metrics = {
        place for place, (index, (rows, _)) in enumerate(hidden) if _is_linear_square(network.layers[index], rows)
    }
    for place in metrics:
        rows, biases = weights[place]
        weights[place] = np.eye(len(rows)), biases
    if _gives_logits(network) and (last == 0 or last - 1 in metrics):
        rows, biases = weights[last]
        weights[last] = np.zeros_like(rows), biases
    return weights


def _is_linear_square(layer: layers.Layer, rows: FloatArray) -> bool:
    return isinstance(layer, layers.Dense) and layer.kind == "linear" and rows.shape == (len(rows), len(rows))


def initial_weights(network: Network, seed: int) -> Weights:
    """Per layer with weights (W, b) (layers.py): He normal before any ReLU, Glorot normal else; biases zero.

    Of logits nothing is common to all classes (A2.7).
    """
    generator = np.random.default_rng(seed)
    weights: Weights = []
    for index in network.weighted:
        shape, bias_shape = network.weight_shapes(index)
        deviation = _deviation(network.layers[index], shape)
        weights.append((generator.normal(0.0, deviation, size=shape), np.zeros(bias_shape)))
    if _gives_logits(network):
        rows, biases = weights[-1]
        weights[-1] = (rows - rows.mean(axis=0), biases)
    return weights


def _gives_logits(network: Network) -> bool:
    """True if the last layer computes logits."""
    return network.classifier and isinstance(network.layers[-1], layers.Dense)


def _deviation(layer: layers.Layer, shape: Shape) -> float:
    """Fan in and fan out count the window's pixels; of a depthwise layer each channel sees only itself."""
    inputs = math.prod(shape[1:])
    outputs = math.prod(shape[1:] if isinstance(layer, layers.DepthwiseConv2D) else (shape[0], *shape[1:-1]))
    relu = isinstance(layer, layers.WeightedLayer) and layer.kind in ("relu", "relu6", "leaky_relu")
    return math.sqrt(2.0 / inputs if relu else 2.0 / (inputs + outputs))
