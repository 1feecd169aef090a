"""The dense layer of the reference: A3 forward and A5 backward with update, one NumPy expression per rule."""

from __future__ import annotations

import numpy as np

from jaragua_compiler.arithmetic import Block, block_error, rshift, sats, satu
from jaragua_compiler.blob import IntArray
from jaragua_compiler.exponents import Exponents, bias_shift
from jaragua_compiler.plan import DensePlan
from jaragua_compiler.rate import LearningRate

BIAS_WIDTH = 30  # A2.3
WEIGHT_WIDTH = 15  # A2.1


class ReferenceDense:
    """One dense layer with its weights as the device's integers: int64 arrays W [out, in] and b [out]."""

    def __init__(self, layer: DensePlan, matrix: IntArray, bias: IntArray, exponents: Exponents) -> None:
        self.layer = layer
        self.matrix = matrix
        self.bias = bias
        self._weight_exponent = exponents.weights[layer.index]
        self._input_exponent = exponents.tensor(layer.index)
        self._shift = self._weight_exponent + self._input_exponent - exponents.tensor(layer.index + 1)

    def forward(self, x: IntArray) -> IntArray:
        """A3: x [in] -> y [out]."""
        saturate = satu if self.layer.relu else sats
        return saturate(rshift(self.bias + self.matrix @ x, self._shift), self.layer.output_width)

    def backward(self, x: IntArray, error: Block, rate: LearningRate) -> Block | None:
        """A5: learn from the error of the outputs; the error of the inputs, or None if nothing is left to teach.

        x: the inputs of this step's forward pass; rate: with the loss factor in it (A5.3).
        """
        rows = block_error(error.values, error.exponent, self.layer.error_width)
        if rows is None:
            return None
        below = self._input_error(x, rows)
        self._update(x, self._row_factors(rows, rate))
        return below

    def _row_factors(self, rows: Block, rate: LearningRate) -> IntArray:
        """A5.4."""
        shift = rate.exponent + rows.exponent + self._input_exponent - self._weight_exponent
        shift = max(0, shift - self.layer.input_width - 1)
        if shift >= 31:
            return np.zeros_like(rows.values)
        return sats(rshift(rows.values * rate.mantissa, shift), WEIGHT_WIDTH)

    def _update(self, x: IntArray, factors: IntArray) -> None:
        """A5.6."""
        width = self.layer.input_width
        steps = (np.outer(factors, x) + (1 << width)) >> (width + 1)
        self.matrix = sats(self.matrix - steps, WEIGHT_WIDTH)
        shift = bias_shift(self.layer, self._input_exponent)
        bias_steps = factors << shift if shift >= 0 else rshift(factors, -shift)
        self.bias = sats(self.bias - bias_steps, BIAS_WIDTH)

    def _input_error(self, x: IntArray, rows: Block) -> Block:
        """A5.7, with the weights as they were."""
        sums = rows.values @ self.matrix
        if self.layer.input_rectified:
            sums = np.where(x != 0, sums, 0)
        return Block(sums, rows.exponent + self._weight_exponent)
