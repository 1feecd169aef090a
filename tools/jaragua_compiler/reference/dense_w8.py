"""The dense layer with int8 weights of the reference: A8, one NumPy expression per rule."""

from __future__ import annotations

import numpy as np

from jaragua_compiler.planning.operators import DensePlan, WeightedPlan
from jaragua_compiler.quantisation.blob import IntArray
from jaragua_compiler.quantisation.dither import FRACTION_BITS, Dither, dithers
from jaragua_compiler.quantisation.exponents import LayerScale, bias_shift
from jaragua_compiler.quantisation.rate import LearningRate
from jaragua_compiler.reference.arithmetic import Block, rshift, sats, satu
from jaragua_compiler.reference.dense import BIAS_WIDTH, ReferenceDense

FACTOR_WIDTH = 15  # A8.4
WEIGHT_WIDTH = 7  # A8.1
ACTIVATION_WIDTH = 15
SUM_GUARD = 7  # A11.2: a product of bx + 15 bits is summed with 22


class ReferenceDenseW8(ReferenceDense):
    """One dense layer with int8 weights; otherwise as ReferenceDense."""

    def __init__(self, layer: DensePlan, matrix: IntArray, bias: IntArray, scale: LayerScale, dither: Dither) -> None:
        super().__init__(layer, matrix, bias, scale, dither)
        self._rows = np.array(scale.rows, dtype=np.int64)

    def forward(self, inputs: list[IntArray]) -> IntArray:
        """A8.2: x [in] -> y [out]."""
        sums = self.bias + self.matrix @ inputs[0]
        saturate = satu if self.layer.relu else sats
        return saturate(rounded(sums, self._rows + self._scale.inputs - self._scale.output), self.layer.output_width)

    def _input_error(self, x: IntArray, rows: Block) -> Block:
        """A8.3, with the weights as they were."""
        sums = rounded(rows.values, self._rows - self._scale.weights) @ self.matrix
        if self.layer.input_rectified:
            sums = np.where(x != 0, sums, 0)
        return Block(sums, rows.exponent + self._scale.weights)

    def _row_factors(self, rows: Block, rate: LearningRate) -> IntArray:
        """A8.4: d."""
        common = rate.exponent + rows.exponent + self._scale.inputs - self.layer.input_width - 9
        shifts = np.clip(common - self._rows, 0, 31)
        factors = np.where(shifts == 31, 0, rounded(rows.values * rate.mantissa, shifts))
        return sats(factors, FACTOR_WIDTH)

    def _update(self, x: IntArray, factors: IntArray) -> None:
        """A8.4, A11.2."""
        bias_steps = row_bias_steps(self.layer, self._scale, factors)
        if self.sums:
            self.sums.take(rshift(np.outer(factors, x), self.layer.input_width - SUM_GUARD), bias_steps)
            return
        products = np.outer(factors, x << (ACTIVATION_WIDTH - self.layer.input_width))
        keys = self._dither.keys(self.layer.index, self.layer.outputs)
        steps = (products + dithers(keys, len(x))) >> FRACTION_BITS
        self._learn(self.matrix - steps, self.bias - bias_steps)

    def apply(self, count: int) -> None:
        """A11.5: a step by the mean of `count` samples; there are sums."""
        assert self.sums
        rho = dithers(self._dither.keys(self.layer.index, self.layer.outputs), self.layer.inputs)
        steps = (self.sums.fine_weight_means(count) + rho) >> FRACTION_BITS
        self._learn(self.matrix + steps, self.bias + self.sums.bias_means(count))
        self.sums.clear()

    def _learn(self, matrix: IntArray, bias: IntArray) -> None:
        self.matrix = with_frozen_rows(self.layer, sats(matrix, WEIGHT_WIDTH), self.matrix)
        self.bias = with_frozen_rows(self.layer, sats(bias, BIAS_WIDTH), self.bias)


def row_bias_steps(layer: DensePlan, scale: LayerScale, factors: IntArray) -> IntArray:
    """A8.4: the steps of the biases, from the row factors d."""
    shift = bias_shift(layer, scale.inputs)
    return factors << shift if shift >= 0 else rshift(factors, -shift)


def with_frozen_rows(layer: WeightedPlan, learned: IntArray, before: IntArray) -> IntArray:
    """A10.3: the rows that learn as they are now, the frozen ones as they were."""
    return np.concatenate([learned[: layer.trained_rows], before[layer.trained_rows :]])


def rounded(values: IntArray, shifts: IntArray) -> IntArray:
    """A1.1 with a shift for each value."""
    return np.where(shifts == 0, values, (values + (1 << np.maximum(shifts - 1, 0))) >> shifts)
