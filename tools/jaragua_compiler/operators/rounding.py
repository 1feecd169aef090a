"""A1: the one rounding rule and the two saturations, on int64 arrays."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

IntArray = npt.NDArray[np.int64]


def rshift(values: IntArray, shift: int) -> IntArray:
    """A1.1: divide by 2^shift, round half up."""
    return values if shift == 0 else (values + (1 << (shift - 1))) >> shift


def sats(values: IntArray, bits: int) -> IntArray:
    """A1.2: clamp to [-2^bits, 2^bits - 1]."""
    return np.clip(values, -(1 << bits), (1 << bits) - 1)


def satu(values: IntArray, bits: int) -> IntArray:
    """A1.2: clamp to [0, 2^bits - 1]."""
    return np.clip(values, 0, (1 << bits) - 1)
