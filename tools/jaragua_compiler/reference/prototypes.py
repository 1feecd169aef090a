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
GRADIENT_SHIFT = 8  # A12.9
FACTOR_BITS = 30  # of F (A12.2)
GRADIENT_BITS = 31  # A12.9


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
    """The prototypes of one engine: sums and gradients int64 [classes, features], counts int64 [classes]. width: bx."""

    def __init__(self, classes: int, features: int, width: int) -> None:
        self.sums = np.zeros((classes, features), np.int64)
        self.counts = np.zeros(classes, np.int64)
        self.gradients = np.zeros((classes, features), np.int64)
        self.threshold = ACCEPT_ALL  # A12.8
        self._width = width

    def enrol(self, label: int, x: IntArray) -> None:
        """A12.1. x: the features."""
        if self.counts[self.checked(label)] == MOST_ENROLLED:
            raise CompileError(f"class {label} has {MOST_ENROLLED} samples, the most there can be.", "Forget it first.")
        self.sums[label] += x
        self.counts[label] += 1
        self.gradients[label] = 0

    def forget(self, label: int) -> None:
        """A12.1."""
        self.sums[self.checked(label)] = 0
        self.counts[label] = 0
        self.gradients[label] = 0

    def checked(self, label: int) -> int:
        """The label itself. Raises CompileError for a class there is no room for."""
        if not 0 <= label < len(self.counts):
            raise CompileError(
                f"there is no room for class {label}.", f"Give a class from 0 to {len(self.counts) - 1}."
            )
        return label

    def means(self) -> IntArray:
        """A12.2: P of all classes; 0 where a class has no samples."""
        return sats(rshift(self.sums * self._factors()[:, None], 15 + self._width), WIDEST)

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

    def add_to_gradients(self, error: IntArray, x: IntArray) -> None:
        """A12.9. error: e of all classes. x: the features."""
        known = self.counts > 0
        added = rshift(error[known, None] * self._differences(x)[known], GRADIENT_SHIFT)
        self.gradients[known] = sats(self.gradients[known] + added, GRADIENT_BITS)

    def enrolled_error(self, label: int, temperature: LearningRate, fx: int) -> Block:
        """A12.10, not masked: the error of the features of an enrolled sample. Raises CompileError without any."""
        self.prototype(label)
        share = rshift(self.gradients[label] * int(self._factors()[label]), FACTOR_BITS)
        return Block(rshift(share * temperature.mantissa, WIDEST), 6 + fx - self._width + temperature.exponent)

    def _factors(self) -> IntArray:
        """A12.2: F of all classes, with 1 sample where a class has none."""
        counts = np.maximum(self.counts, 1)
        factors: IntArray = ((1 << FACTOR_BITS) + counts // 2) // counts
        return factors

    def _differences(self, x: IntArray) -> IntArray:
        """Features less prototypes, in the prototypes' unit: int64 [classes, features]."""
        differences: IntArray = (x << (WIDEST - self._width)) - self.means()
        return differences

    def _distances(self, x: IntArray) -> IntArray:
        """A12.3. Raises CompileError if no class has samples."""
        if not self.counts.any():
            raise CompileError("no class has a prototype.", "Enrol a sample first.")
        distances: IntArray = np.square(self._differences(x)).sum(axis=1)
        return distances
