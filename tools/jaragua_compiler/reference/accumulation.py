"""The sums of steps of the reference (A11): one object for each layer that learns, if a step takes several samples."""

from __future__ import annotations

import numpy as np

from jaragua_compiler.quantisation.blob import IntArray
from jaragua_compiler.quantisation.dither import FRACTION_BITS
from jaragua_compiler.reference.arithmetic import rshift, sats

LARGEST_BATCH = 65535  # A11.1
SUM_WIDTH, BIAS_SUM_WIDTH = 31, 30  # A11.2 to A11.4
MEAN_BITS = 30  # A11.5
WINDOW_UNIT = 16  # A11.3: u
STEP_WIDTH = 15  # A11.5
FINE_WIDTH = 30  # A11.5: v
SHIFT_MAX = WINDOW_UNIT + 31  # A11.3: nothing is left of a step


class StepSums:
    """What is to be added to a layer's weights (of any shape) and biases [out]: int64 arrays of the device's int32."""

    def __init__(self, matrix: IntArray, bias: IntArray) -> None:
        self.weights = np.zeros_like(matrix)
        self.biases = np.zeros_like(bias)

    def take(self, weight_steps: IntArray, bias_steps: IntArray) -> None:
        """A11.2 to A11.4: the steps of one sample."""
        self.weights = sats(self.weights - weight_steps, SUM_WIDTH)
        self.biases = sats(self.biases - bias_steps, BIAS_SUM_WIDTH)

    def weight_means(self, count: int, unit: int, dithers: IntArray) -> IntArray:
        """A11.5: of `count` samples, in whole weights of 16 bits; 2^-unit is what one of the sums stands for.

        dithers: of dither.sum_dithers.
        """
        shift = MEAN_BITS + unit
        fine = (dithers >> (64 - shift) << 32) + dithers
        return sats((self.weights * mean_factor(count) + fine) >> shift, STEP_WIDTH)

    def window_means(self, count: int) -> IntArray:
        """A11.5: of sums of unit 16, with 32 bits behind the point."""
        return (self.weights * mean_factor(count)) >> (MEAN_BITS + WINDOW_UNIT - 32)

    def fine_weight_means(self, count: int) -> IntArray:
        """A11.5: v, the means of sums of unit 16 with 24 bits behind the point."""
        return sats(rshift(self.weights * mean_factor(count), MEAN_BITS + WINDOW_UNIT - FRACTION_BITS), FINE_WIDTH)

    def bias_means(self, count: int) -> IntArray:
        """A11.5."""
        return rshift(self.biases * mean_factor(count), MEAN_BITS)

    def clear(self) -> None:
        """Nothing is summed any more."""
        self.weights[...] = 0
        self.biases[...] = 0


def mean_factor(count: int) -> int:
    """A11.5: F."""
    return ((1 << MEAN_BITS) + count // 2) // count


def summed_convolution_steps(products: IntArray, shift: int) -> IntArray:
    """A11.3: t of the products T under one shift s."""
    if shift >= SHIFT_MAX:
        return np.zeros_like(products)
    if shift > WINDOW_UNIT:
        return rshift(products, shift - WINDOW_UNIT)
    left = WINDOW_UNIT - max(shift, 0)
    return sats(products, SUM_WIDTH - left) << left
