"""Where the numbers of a network stand in its blob (A6, A8.6), as the table that integer_clients.c reads."""

from __future__ import annotations

import ctypes
from typing import Final

import numpy as np
from numpy.typing import NDArray

from jaragua_compiler.planning.plan import Plan, WeightedPlan
from jaragua_compiler.quantisation.exponents import Exponents

_FIELDS: Final = ("offset_bytes", "rows", "row_numbers", "row_used", "width_bytes", "quads")


class Region(ctypes.Structure):
    """jrg_integer_region: rows of numbers, of which the first `row_used` count; the others are padding."""

    _fields_ = tuple((name, ctypes.c_uint32) for name in _FIELDS)


def regions(plan: Plan) -> ctypes.Array[Region]:
    """The weights and then the biases of each layer: the order of a vector."""
    found = [region for layer in plan.layers for region in (_weights(layer), _biases(layer))]
    return (Region * len(found))(*found)


def units(plan: Plan, found: Exponents) -> NDArray[np.float64]:
    """What one unit of a number stands for, one for each row of each region."""
    parts = []
    for layer in plan.layers:
        rows = 2.0 ** -np.array(found.rows(layer.index, layer.outputs))
        parts += [rows, rows * 2.0 ** -found.inputs[layer.index]]
    return np.concatenate(parts)


def _weights(layer: WeightedPlan) -> Region:
    width = 1 if layer.per_channel else 2
    return Region(layer.weights_offset, layer.outputs, layer.row_elements, layer.inputs, width, layer.per_channel)


def _biases(layer: WeightedPlan) -> Region:
    return Region(layer.biases_offset, layer.outputs, 1, 1, 4, False)
