"""Where the numbers of a network stand in its blob: a whole round of blobs to vectors in one step (A6)."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from jaragua.strategies import Vector
from jaragua_compiler.blob import QUAD_ORDER
from jaragua_compiler.exponents import Exponents
from jaragua_compiler.plan import Plan, WeightedPlan

Blobs = NDArray[np.uint8]


class Layout:
    """The blob of one plan; gives the same numbers as `jaragua_compiler.unpack`, many blobs at a time."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan

    def regions(self) -> list[tuple[int, int, int]]:
        """(offset, count, bytes of a number) of each block of weights and of biases, the rows' padding included."""
        found = []
        for layer in self._plan.layers:
            found.append((layer.weights_offset, layer.outputs * layer.row_elements, 1 if layer.per_channel else 2))
            found.append((layer.biases_offset, layer.outputs, 4))
        return found

    def learned(self, start: bytes, found: Exponents, blobs: Blobs) -> Vector:
        """What each blob is away from the start, in real numbers: uint8 [n, blob_bytes] -> float64 [n, parameters].

        All have the start's exponents, `found`: training never changes them. Differences of such integers are exact.
        """
        first = np.frombuffer(start, np.uint8)[None]
        parts = []
        for layer in self._plan.layers:
            units = 2.0 ** -np.array(found.rows(layer.index, layer.outputs))
            weights = (_weights(layer, blobs) - _weights(layer, first)) * units[:, None]
            parts.append(weights.reshape(len(blobs), -1))
            parts.append((_biases(layer, blobs) - _biases(layer, first)) * (units * 2.0 ** -found.inputs[layer.index]))
        return np.concatenate(parts, axis=1)

    def sizes(self) -> list[int]:
        """Numbers of each layer, weights and biases together, in the order of a vector."""
        return [math.prod(weights) + math.prod(biases) for weights, biases in self._plan.shapes]


def _weights(layer: WeightedPlan, blobs: Blobs) -> Vector:
    """float64 [blobs, outputs, inputs]."""
    count = layer.outputs * layer.row_elements
    rows = _numbers(blobs, layer.weights_offset, count, "i1" if layer.per_channel else "<i2")
    if layer.per_channel:
        rows = rows.reshape(len(blobs), -1, 4)[:, :, QUAD_ORDER]
    rows = rows.reshape(len(blobs), layer.outputs, layer.row_elements)
    return rows[:, :, : layer.inputs].astype(np.float64)


def _biases(layer: WeightedPlan, blobs: Blobs) -> Vector:
    return _numbers(blobs, layer.biases_offset, layer.outputs, "<i4").astype(np.float64)


def _numbers(blobs: Blobs, offset: int, count: int, kind: str) -> NDArray[np.generic]:
    size = np.dtype(kind).itemsize
    return np.ascontiguousarray(blobs[:, offset : offset + count * size]).view(kind)
