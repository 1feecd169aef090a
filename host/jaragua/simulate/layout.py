"""Where the numbers of a network stand in its blob: a whole round of blobs to vectors in one step (A6)."""

from __future__ import annotations

import math
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from jaragua.strategies import Vector
from jaragua_compiler.blob import exponents
from jaragua_compiler.plan import Plan

Blobs = NDArray[np.uint8]


class _Layer(Protocol):
    """What is needed of a layer with weights: `outputs` rows of `inputs` int16, padded; then the biases, int32."""

    @property
    def inputs(self) -> int: ...
    @property
    def outputs(self) -> int: ...
    @property
    def row_elements(self) -> int: ...
    @property
    def weights_offset(self) -> int: ...
    @property
    def biases_offset(self) -> int: ...


class Layout:
    """The blob of one plan; gives the same numbers as `jaragua_compiler.unpack`, many blobs at a time."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan

    def regions(self) -> list[tuple[int, int, int]]:
        """(offset, count, bytes of a number) of each block of weights and of biases, the rows' padding included."""
        found = []
        for layer in self._plan.layers:
            found.append((layer.weights_offset, layer.outputs * layer.row_elements, 2))
            found.append((layer.biases_offset, layer.outputs, 4))
        return found

    def learned(self, start: bytes, blobs: Blobs) -> Vector:
        """What each blob is away from the start, in real numbers: uint8 [n, blob_bytes] -> float64 [n, parameters].

        All have the start's exponents: training never changes them. Differences of such integers are exact in float64.
        """
        found = exponents(self._plan, start)
        first = np.frombuffer(start, np.uint8)[None]
        parts = []
        for layer in self._plan.layers:
            weight, bias = found.weights[layer.index], found.weights[layer.index] + found.inputs[layer.index]
            parts.append((_weights(layer, blobs) - _weights(layer, first)) * 2.0**-weight)
            parts.append((_biases(layer, blobs) - _biases(layer, first)) * 2.0**-bias)
        return np.concatenate(parts, axis=1)

    def sizes(self) -> list[int]:
        """Numbers of each layer, weights and biases together, in the order of a vector."""
        return [math.prod(weights) + math.prod(biases) for weights, biases in self._plan.shapes]


def _weights(layer: _Layer, blobs: Blobs) -> Vector:
    count = layer.outputs * layer.row_elements
    rows = _numbers(blobs, layer.weights_offset, count, "<i2").reshape(len(blobs), layer.outputs, layer.row_elements)
    return rows[:, :, : layer.inputs].reshape(len(blobs), -1).astype(np.float64)


def _biases(layer: _Layer, blobs: Blobs) -> Vector:
    return _numbers(blobs, layer.biases_offset, layer.outputs, "<i4").astype(np.float64)


def _numbers(blobs: Blobs, offset: int, count: int, kind: str) -> NDArray[np.generic]:
    size = np.dtype(kind).itemsize
    return np.ascontiguousarray(blobs[:, offset : offset + count * size]).view(kind)
