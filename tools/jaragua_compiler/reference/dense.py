"""The dense layer of the reference: A3 forward and A5 backward with update, one NumPy expression per rule."""

from __future__ import annotations

import numpy as np

from jaragua_compiler.planning.operators import DensePlan
from jaragua_compiler.quantisation.blob import IntArray
from jaragua_compiler.quantisation.dither import Dither, bias_dither, column_dithers, factor_dithers, sum_dithers
from jaragua_compiler.quantisation.exponents import LayerScale, bias_shift
from jaragua_compiler.quantisation.rate import LearningRate
from jaragua_compiler.reference.arithmetic import Block, rshift, sats, satu, scaled_error
from jaragua_compiler.reference.weighted import ReferenceWeighted

BIAS_WIDTH = 30  # A2.3
WEIGHT_WIDTH = 15  # A2.1
WHOLE_SHIFT, LARGEST_SHIFT = 30, 45  # A5.4
LEAST_BIAS_SHIFT = -16  # A5.6


class ReferenceDense(ReferenceWeighted[DensePlan]):
    """One dense layer: W [out, in] and b [out]."""

    def __init__(self, layer: DensePlan, matrix: IntArray, bias: IntArray, scale: LayerScale, dither: Dither) -> None:
        super().__init__(layer, matrix, bias, scale, dither)
        self.dither_layer = layer.index

    def forward(self, inputs: list[IntArray]) -> IntArray:
        """A3: x [in] -> y [out]."""
        saturate = satu if self.layer.relu else sats
        sums = self.bias + self.matrix @ inputs[0]
        return saturate(rshift(sums, self._scale.forward_shift), self.layer.output_width)

    def backward(self, inputs: list[IntArray], error: Block, rate: LearningRate) -> list[Block]:
        """A5, A8: learn from the error of the outputs; the error of the inputs.

        inputs: those of this step's forward pass; error: of a magnitude that is not 0; rate: with the loss factor in
        it (A5.3).
        """
        (x,) = inputs
        rows = scaled_error(error, self.layer.error_width)
        self.scaled_error = rows.values
        below = self._input_error(x, rows)
        self._update(x, self._row_factors(rows, rate))
        return [below]

    @property
    def _key(self) -> int:
        """H of A5.9."""
        return self._dither.layer_key(self.dither_layer)

    def _row_factors(self, rows: Block, rate: LearningRate) -> IntArray:
        """A5.4."""
        shift = rate.exponent + rows.exponent + self._scale.inputs - self._scale.weights
        shift = min(max(0, shift - self.layer.input_width - 1), LARGEST_SHIFT)
        whole = min(shift, WHOLE_SHIFT)
        rho = factor_dithers(self._key, self.layer.outputs) >> (32 - whole)
        factors = (rows.values * (rate.mantissa >> (shift - whole)) + rho) >> whole
        return np.where(rows.values == 0, 0, sats(factors, WEIGHT_WIDTH))  # A5.6: a zero-gradient row is skipped

    def _update(self, x: IntArray, factors: IntArray) -> None:
        """A5.6, A11.2."""
        products = np.outer(factors, x)
        bias_steps = self._bias_steps(factors)
        if self.sums:
            self.sums.take(products, bias_steps)
            return
        rho = column_dithers(self._key, self.layer.inputs) >> (15 - self.layer.input_width)
        self.matrix = sats(self.matrix - ((products + rho) >> (self.layer.input_width + 1)), WEIGHT_WIDTH)
        self.bias = sats(self.bias - bias_steps, BIAS_WIDTH)

    def _bias_steps(self, factors: IntArray) -> IntArray:
        """A5.6."""
        shift = bias_shift(self.layer, self._scale.inputs)
        if shift >= 0:
            return factors << shift
        if shift < LEAST_BIAS_SHIFT:
            return np.zeros_like(factors)
        rho = bias_dither(self._key) >> (32 + shift)
        return np.where(factors == 0, 0, -((rho - factors) >> -shift))

    def apply(self, count: int) -> None:
        """A11.5: a step by the mean of `count` samples; there are sums."""
        assert self.sums
        rho = sum_dithers(self._key, self.layer.outputs, self.layer.inputs)
        means = self.sums.weight_means(count, self.layer.input_width + 1, rho)
        self.matrix = sats(self.matrix + means, WEIGHT_WIDTH)
        self.bias = sats(self.bias + self.sums.bias_means(count), BIAS_WIDTH)
        self.sums.clear()

    def _input_error(self, x: IntArray, rows: Block) -> Block:
        """A5.7, with the weights as they were."""
        sums = rows.values @ self.matrix
        if self.layer.input_rectified:
            sums = np.where(x != 0, sums, 0)
        return Block(sums, rows.exponent + self._scale.weights)
