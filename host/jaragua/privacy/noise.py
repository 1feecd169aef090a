"""Exact samples of the discrete Gaussian (U10), in integers only. Pure.

"The Discrete Gaussian for Differential Privacy" (Canonne, Kamath and Steinke, 2020), algorithms 1 to 3.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from jaragua.privacy.streams import Stream


def discrete_gaussian(stream: Stream, variance: int, count: int) -> NDArray[np.int64]:
    """So many samples with P(x) proportional to exp(-x² / (2 variance)), int64 [count]. variance: 0 gives zeros."""
    if not variance:
        return np.zeros(count, np.int64)
    scale = math.isqrt(variance) + 1
    return np.array([_gaussian(stream, variance, scale) for _ in range(count)], np.int64)


def _gaussian(stream: Stream, variance: int, scale: int) -> int:
    """Algorithm 3. γ = (|Y| - σ²/t)² / (2σ²) = (|Y| t - σ²)² / (2 σ² t²)."""
    while True:
        found = _laplace(stream, scale)
        if _happens_exp(stream, (abs(found) * scale - variance) ** 2, 2 * variance * scale * scale):
            return found


def _laplace(stream: Stream, scale: int) -> int:
    """Algorithm 2 with s = 1: P(x) proportional to exp(-|x| / scale)."""
    while True:
        rest = stream.below(scale)
        if not _happens_exp_below_1(stream, rest, scale):
            continue
        whole = 0
        while _happens_exp_below_1(stream, 1, 1):
            whole += 1
        size = rest + scale * whole
        is_negative = stream.below(2) == 1
        if size or not is_negative:  # else 0 would be twice as likely
            return -size if is_negative else size


def _happens_exp(stream: Stream, numerator: int, denominator: int) -> bool:
    """Algorithm 1: true with probability exp(-numerator / denominator), both at least 0."""
    while numerator > denominator:
        if not _happens_exp_below_1(stream, 1, 1):
            return False
        numerator -= denominator
    return _happens_exp_below_1(stream, numerator, denominator)


def _happens_exp_below_1(stream: Stream, numerator: int, denominator: int) -> bool:
    """The same for a fraction of 0 to 1."""
    rounds = 1
    while stream.below(denominator * rounds) < numerator:
        rounds += 1
    return rounds % 2 == 1
