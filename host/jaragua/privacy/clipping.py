"""Clipping by the L2 norm in integers (U9), so that no rounding makes an update longer than it may be. Pure."""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

from jaragua.errors import ConfigurationError
from jaragua.privacy.words import Integers

#: U9.1: of the sum of a round with its noise; a signed word of 32 bits.
LARGEST_SUM: Final = 2**31 - 1
#: Standard deviations of the noise of a sum that have room in it: more come with a probability below 1e-340.
_DEVIATIONS: Final = 40
_FINEST_GRID: Final = 30
#: So that a number of 33 bits stays within 62; beyond, a weight is so large that clipping leaves only its direction.
_MOST_SHIFT: Final = 29
#: U10.3: the least variance of a device's noise.
LEAST_VARIANCE: Final = 16


def on_grid(numbers: Integers, exponents: NDArray[np.int64], grid: int) -> Integers:
    """Numbers times 2^-exponent as numbers times 2^-grid, cut off towards 0; int64 of the same shape."""
    shift = grid - exponents
    finer = numbers << np.clip(shift, 0, _MOST_SHIFT)
    coarser = np.sign(numbers) * (np.abs(numbers) >> np.minimum(np.maximum(-shift, 0), 63))
    found: Integers = np.where(shift >= 0, finer, coarser)
    return found


def clipped(numbers: Integers, limit: int) -> Integers:
    """The numbers, drawn towards 0 until their L2 norm is at most `limit`. limit: below 2^31."""
    squares = sum_of_squares(numbers)
    if squares <= limit * limit:
        return numbers
    norm = math.isqrt(squares - 1) + 1
    sizes = np.abs(numbers)
    if max(int(sizes.max()) * limit, norm) < 2**63:
        shorter: Integers = np.sign(numbers) * (sizes * limit // norm)
        return shorter
    return np.array([_towards_zero(int(number) * limit, norm) for number in numbers], np.int64)


def sum_of_squares(numbers: Integers) -> int:
    """Exact, of any int64. Squares of halves of 32 bits are added in pieces of 16 bits."""
    sizes = np.abs(numbers).view(np.uint64)
    pieces = [((sizes >> np.uint64(shift)) & np.uint64(0xFFFF)).astype(np.int64) for shift in (0, 16, 32, 48)]
    return sum(
        int((left * right).sum()) << 16 * (first + second)
        for first, left in enumerate(pieces)
        for second, right in enumerate(pieces)
    )


def grid_of(exponents: NDArray[np.int64], clip_norm: float, noise: float, devices: int) -> int:
    """U9.1: the grid of a round. noise: variance of the noise of all devices together, in units of clip_norm²

    Raises: ConfigurationError if no grid has room for both a sum and a unit of it.
    """
    reach = devices * clip_norm + _DEVIATIONS * math.sqrt(noise) * clip_norm
    grid = min(int(exponents.max()), _FINEST_GRID, math.floor(math.log2(LARGEST_SUM / reach)))
    if grid < 0 or clip_norm * 2.0**grid < 1:
        raise ConfigurationError(
            f"privacy.clip = {clip_norm:g} is no number of the sum of {devices} devices",
            "a smaller noise_multiplier, fewer devices in a round",
        )
    return grid


def limit_of(clip_norm: float, grid: int) -> int:
    """clip_norm · 2^grid, rounded down."""
    return math.floor(math.ldexp(clip_norm, grid))


def variance_of(clip_norm: float, grid: int, multiplier: float, shared_by: int = 1) -> int:
    """(multiplier · clip_norm · 2^grid)² / shared_by, rounded up, of noise that so many devices add (U10)."""
    return math.ceil((multiplier * math.ldexp(clip_norm, grid)) ** 2 / shared_by)


def _towards_zero(numerator: int, denominator: int) -> int:
    return numerator // denominator if numerator >= 0 else -(-numerator // denominator)
