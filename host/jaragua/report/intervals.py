"""Means with confidence intervals. Pure."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import NormalDist, fmean, stdev


@dataclass(frozen=True)
class Interval:
    """A mean and its two-sided confidence interval."""

    mean: float
    low: float
    high: float
    count: int


def mean_interval(values: Sequence[float], confidence: float = 0.95) -> Interval:
    """Student's interval of the mean of independent values. ValueError for fewer than two."""
    if len(values) < 2:
        raise ValueError(f"an interval needs at least two values, not {len(values)}")
    mean = fmean(values)
    half = student_quantile(0.5 + confidence / 2, len(values) - 1) * stdev(values) / math.sqrt(len(values))
    return Interval(mean, mean - half, mean + half, len(values))


def paired_interval(after: Sequence[float], before: Sequence[float], confidence: float = 0.95) -> Interval:
    """The interval of the mean difference after - before of paired values."""
    return mean_interval([a - b for a, b in zip(after, before, strict=True)], confidence)


def clustered_interval(values: Sequence[float], clusters: Sequence[str], confidence: float = 0.95) -> Interval | None:
    """The interval of the mean of values that are alike within a cluster (tasks of one device); None for one cluster.

    The variance is that of the clusters' sums of deviations, times G / (G - 1) for G clusters, and Student's quantile
    has G - 1 degrees of freedom. With one value in each cluster it is `mean_interval`.
    """
    mean, sums = fmean(values), dict.fromkeys(clusters, 0.0)
    if len(sums) < 2:
        return None
    for value, cluster in zip(values, clusters, strict=True):
        sums[cluster] += value - mean
    variance = len(sums) / (len(sums) - 1) * sum(one * one for one in sums.values()) / len(values) ** 2
    half = student_quantile(0.5 + confidence / 2, len(sums) - 1) * math.sqrt(variance)
    return Interval(mean, mean - half, mean + half, len(sums))


def student_quantile(probability: float, freedom: int) -> float:
    """Quantile of Student's t for a probability of 0.5 or more.

    Below 15 degrees of freedom from the finite series of Abramowitz & Stegun 26.7.3 and 26.7.4, else by their expansion
    26.7.5, which is within 1e-4 there for 0.975.
    """
    if freedom < 15:
        return _bisected(lambda t: _student_cdf(t, freedom) - probability)
    z = NormalDist().inv_cdf(probability)
    terms = (
        (z**3 + z) / 4,
        (5 * z**5 + 16 * z**3 + 3 * z) / 96,
        (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384,
        (79 * z**9 + 776 * z**7 + 1482 * z**5 - 1920 * z**3 - 945 * z) / 92160,
    )
    return float(z + sum(term / freedom ** (power + 1) for power, term in enumerate(terms)))


def _student_cdf(t: float, freedom: int) -> float:
    """P(T <= t) for t >= 0, from the probability of |T| <= t as a sum of powers of cos(atan(t / sqrt(freedom)))."""
    angle = math.atan(t / math.sqrt(freedom))
    sine, cosine = math.sin(angle), math.cos(angle)
    is_odd = freedom % 2 == 1
    term, total = (cosine, 0.0) if is_odd else (1.0, 0.0)
    for k in range(3 if is_odd else 2, freedom + 1, 2):
        total += term
        term *= cosine * cosine * (k - 1) / k
    inside = 2 / math.pi * (angle + sine * total) if is_odd else sine * total
    return 0.5 + inside / 2


def _bisected(difference: Callable[[float], float]) -> float:
    """Where a rising function from 0 up is zero."""
    low, high = 0.0, 1.0
    while difference(high) < 0:
        low, high = high, 2 * high
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if difference(middle) < 0 else (low, middle)
    return high
