"""Prototypes in the reference (A12): sums of features, distances, logits, and the error of the features."""

from __future__ import annotations

import numpy as np

from jaragua_compiler.engine_protocol import ACCEPT_ALL, NO_RUNNER_UP, Match
from jaragua_compiler.errors import CompileError
from jaragua_compiler.quantisation.blob import Int16Array, IntArray
from jaragua_compiler.quantisation.rate import LearningRate
from jaragua_compiler.reference.arithmetic import Block, rshift, sats

MOST_ENROLLED = 65535  # A12.1
NO_CLASS_LOGIT = -(1 << 15)  # A12.4
LARGEST_LOGIT_GAP = 32767  # A12.4
LARGEST_KEPT = (1 << 31) - 1  # A12.4
WIDEST = 15
MOST_BITS = 48  # of the divisor of A12.7


def relative_distance(nearest: int, others: int, count: int) -> int:
    """A12.7: Q15. others: the sum of the distances of `count` classes."""
    if not count:
        return 0
    if not others:
        return ACCEPT_ALL
    shift = max(0, others.bit_length() - MOST_BITS)
    return (((nearest * count) >> shift) << 15) // (others >> shift)


def checked_threshold(threshold: int) -> int:
    """The threshold itself (A12.8). Raises CompileError if it is none."""
    if not 0 <= threshold <= ACCEPT_ALL:
        raise CompileError(f"{threshold} is no threshold of rejection.", f"Give one from 0 to {ACCEPT_ALL}.")
    return threshold


class Prototypes:
    """The prototypes of one engine: sums int64 [classes, features], counts int64 [classes]. width: bx."""

    def __init__(self, classes: int, features: int, width: int) -> None:
        self.sums = np.zeros((classes, features), np.int64)
        self.counts = np.zeros(classes, np.int64)
        self.threshold = ACCEPT_ALL  # A12.8
        self._width = width

    def enrol(self, label: int, x: IntArray) -> None:
        """A12.1. x: the features."""
        if self.counts[self.checked(label)] == MOST_ENROLLED:
            raise CompileError(f"class {label} has {MOST_ENROLLED} samples, the most there can be.", "Forget it first.")
        self.sums[label] += x
        self.counts[label] += 1

    def forget(self, label: int) -> None:
        """A12.1."""
        self.sums[self.checked(label)] = 0
        self.counts[label] = 0

    def checked(self, label: int) -> int:
        """The label itself. Raises CompileError for a class there is no room for."""
        if not 0 <= label < len(self.counts):
            raise CompileError(
                f"there is no room for class {label}.", f"Give a class from 0 to {len(self.counts) - 1}."
            )
        return label

    def means(self) -> IntArray:
        """A12.2: P of all classes; 0 where a class has no samples."""
        counts = np.maximum(self.counts, 1)
        factors = ((1 << 30) + counts // 2) // counts
        return sats(rshift(self.sums * factors[:, None], 15 + self._width), WIDEST)

    def prototype(self, label: int) -> Int16Array:
        """A12.2: P of one class."""
        if not self.counts[self.checked(label)]:
            raise CompileError(f"class {label} has no samples.", "Enrol one first.")
        means: Int16Array = self.means()[label].astype(np.int16)
        return means

    def match(self, x: IntArray) -> Match:
        """A12.3, A12.8."""
        distances = self._distances(x)
        known = np.flatnonzero(self.counts)
        nearest = int(known[distances[known].argmin()])
        distance, others = int(distances[nearest]), [int(one) for one in distances[known[known != nearest]]]
        relative = relative_distance(distance, sum(others), len(others))
        return Match(nearest, distance, min(others, default=NO_RUNNER_UP), relative, relative <= self.threshold)

    def logits(self, x: IntArray, temperature: LearningRate, fx: int) -> IntArray:
        """A12.4: Q11. fx: the exponent of the features."""
        distances = self._distances(x)
        beyond = distances - distances[self.counts > 0].min()
        shift = max(0, temperature.exponent + 2 * (fx + WIDEST - self._width) - 11)
        first = max(0, shift - 30)
        kept = np.minimum(beyond >> min(first, 63), LARGEST_KEPT) * temperature.mantissa
        logits = -np.minimum(kept >> (shift - first), LARGEST_LOGIT_GAP)
        return np.where(self.counts > 0, logits, NO_CLASS_LOGIT)

    def input_error(self, error: IntArray, temperature: LearningRate, fx: int) -> Block:
        """A12.5, not masked. error: e of all classes."""
        values = rshift((error @ self.means()) * temperature.mantissa, WIDEST)
        return Block(values, 14 + fx - self._width + temperature.exponent)

    def _distances(self, x: IntArray) -> IntArray:
        """A12.3. Raises CompileError if no class has samples."""
        if not self.counts.any():
            raise CompileError("no class has a prototype.", "Enrol a sample first.")
        differences = (x << (WIDEST - self._width)) - self.means()
        distances: IntArray = np.square(differences).sum(axis=1)
        return distances
