"""Weights in float32 as they travel to and from a device that computes in it (protocol M9). Pure."""

from __future__ import annotations

import math

import numpy as np

from jaragua_compiler.errors import CompileError
from jaragua_compiler.graph.initial_weights import Weights
from jaragua_compiler.planning.plan import Plan

_ITEM = np.dtype("<f4")


def float_bytes(plan: Plan) -> int:
    """Length of the float32 form of the network's weights."""
    return _ITEM.itemsize * _parameters(plan)


def pack_floats(plan: Plan, weights: Weights) -> bytes:
    """Weights as real numbers, per layer (W, outputs first; b [out]) -> their float32 form.

    Raises CompileError if a shape is not the plan's or a number is not finite in float32.
    """
    found = [(np.shape(matrix), np.shape(bias)) for matrix, bias in weights]
    if found != plan.shapes:
        raise CompileError(f"weights of the shapes {found}; network {plan.network.name!r} has {plan.shapes}.")
    with np.errstate(over="ignore"):  # what overflows is infinite, and refused
        packed = b"".join(part.astype(_ITEM).tobytes() for pair in weights for part in map(np.asarray, pair))
    _numbers(plan, packed)
    return packed


def unpack_floats(plan: Plan, packed: bytes) -> Weights:
    """The float32 form -> weights in float64, per layer (W, outputs first; b [out]).

    Raises CompileError if the length is wrong or a number is not finite.
    """
    numbers = _numbers(plan, packed).astype(np.float64)
    weights: Weights = []
    start = 0
    for shape, (biases,) in plan.shapes:
        end = start + math.prod(shape)
        weights.append((numbers[start:end].reshape(shape), numbers[end : end + biases]))
        start = end + biases
    return weights


def _numbers(plan: Plan, packed: bytes) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
    if len(packed) != float_bytes(plan):
        raise CompileError(
            f"weights in float32: {len(packed)} bytes, network {plan.network.name!r} has {float_bytes(plan)}."
        )
    numbers = np.frombuffer(packed, _ITEM)
    if not np.isfinite(numbers).all():
        raise CompileError("weights in float32: one is not a finite number.", "Lower the learning rate.")
    return numbers


def _parameters(plan: Plan) -> int:
    return sum(math.prod(shape) + biases for shape, (biases,) in plan.shapes)
