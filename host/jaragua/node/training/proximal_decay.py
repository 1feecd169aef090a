"""FedProx: the host moves the weights back towards the start between two passes; the board computes no more. Pure."""

from __future__ import annotations

from jaragua.strategies.base import NO_DECAY as NO_DECAY
from jaragua_compiler.floating.form import pack_floats, unpack_floats
from jaragua_compiler.planning.plan import Plan
from jaragua_compiler.quantisation.blob import IntegerWeights, exponents, pack_integers, unpack_integers


def decayed(plan: Plan, start: bytes, trained: bytes, kept: int) -> bytes:
    """start + rshift((trained - start) · kept, 15) for every weight and bias (A1.1); kept: 0..2^15.

    Both blobs have the same exponents: training never changes them.
    """
    layers: IntegerWeights = []
    for old, new in zip(unpack_integers(plan, start), unpack_integers(plan, trained), strict=True):
        weights, biases = (a + (((b - a) * kept + (1 << 14)) >> 15) for a, b in zip(old, new, strict=True))
        layers.append((weights, biases))
    return pack_integers(plan, layers, exponents(plan, start))


def decayed_floats(plan: Plan, start: bytes, trained: bytes, kept: int) -> bytes:
    """start + (trained - start) · kept / 2^15 for every weight and bias of two float32 forms (M9); kept: 0..2^15."""
    kept_fraction = kept / NO_DECAY
    layers = zip(unpack_floats(plan, start), unpack_floats(plan, trained), strict=True)
    return pack_floats(plan, [(w + (v - w) * kept_fraction, b + (c - b) * kept_fraction) for (w, b), (v, c) in layers])
