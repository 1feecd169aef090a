"""All trainable numbers of a network in one row, and the same as layers. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from jaragua.strategies.aggregation import Vector

#: Of each layer the shapes of its weights and its biases, as `Plan.shapes` has them.
Shapes: TypeAlias = Sequence[tuple[tuple[int, ...], tuple[int, ...]]]
Layers: TypeAlias = list[tuple[NDArray[np.float64], NDArray[np.float64]]]


def flat(layers: Layers) -> Vector:
    """Layer by layer the weights row by row, then the biases: float64 [parameters]."""
    return np.concatenate([part.ravel() for layer in layers for part in layer])


def layers_of(vector: Vector, shapes: Shapes) -> Layers:
    """The reverse of `flat`; views into the vector."""
    layers: Layers = []
    offset = 0
    for shape, (biases,) in shapes:
        end = offset + math.prod(shape)
        layers.append((vector[offset:end].reshape(shape), vector[end : end + biases]))
        offset = end + biases
    return layers


def shared_blocks(shapes: Shapes, local_layers: int) -> list[int]:
    """Numbers of each tensor that is sent: all but those of the last `local_layers`."""
    sent = shapes[: len(shapes) - local_layers]
    return [math.prod(shape) for pair in sent for shape in pair]
