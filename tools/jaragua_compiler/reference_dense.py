"""The dense layer of the reference: A3 forward and A5 backward with update, one NumPy expression per rule."""

from __future__ import annotations

import numpy as np

from jaragua_compiler.arithmetic import Block, rshift, sats, satu, scaled_error
from jaragua_compiler.blob import IntArray
from jaragua_compiler.exponents import LayerScale, bias_shift
from jaragua_compiler.plan_operators import DensePlan
from jaragua_compiler.rate import LearningRate
from jaragua_compiler.reference_sums import StepSums

BIAS_WIDTH = 30  # A2.3
WEIGHT_WIDTH = 15  # A2.1


class ReferenceDense:
    """One dense layer with its weights as the device's integers: int64 arrays W [out, in] and b [out].

    `scaled_error` is e of A5.1 of the last step that came here; `sums` are there while a step takes several samples.
    """

    def __init__(self, layer: DensePlan, matrix: IntArray, bias: IntArray, scale: LayerScale) -> None:
        self.layer = layer
        self.matrix = matrix
        self.bias = bias
        self.scaled_error: IntArray | None = None
        self.sums: StepSums | None = None
        self._scale = scale

    def forward(self, inputs: list[IntArray]) -> IntArray:
        """A3: x [in] -> y [out]."""
        saturate = satu if self.layer.relu else sats
        sums = self.bias + self.matrix @ inputs[0]
        return saturate(rshift(sums, self._scale.forward_shift), self.layer.output_width)

    def backward(self, inputs: list[IntArray], error: Block, rate: LearningRate) -> list[Block]:
        """A5: learn from the error of the outputs; the error of the inputs.

        inputs: those of this step's forward pass; error: of a magnitude that is not 0; rate: with the loss factor in
        it (A5.3).
        """
        (x,) = inputs
        rows = scaled_error(error, self.layer.error_width)
        self.scaled_error = rows.values
        below = self._input_error(x, rows)
        self._update(x, self._row_factors(rows, rate))
        return [below]

    def _row_factors(self, rows: Block, rate: LearningRate) -> IntArray:
        """A5.4."""
        shift = rate.exponent + rows.exponent + self._scale.inputs - self._scale.weights
        shift = max(0, shift - self.layer.input_width - 1)
        if shift >= 31:
            return np.zeros_like(rows.values)
        return sats(rshift(rows.values * rate.mantissa, shift), WEIGHT_WIDTH)

    def _update(self, x: IntArray, factors: IntArray) -> None:
        """A5.6, A11.2."""
        products = np.outer(factors, x)
        bias_steps = row_bias_steps(self.layer, self._scale, factors)
        if self.sums:
            self.sums.take(products, bias_steps)
            return
        self.matrix = sats(self.matrix - rshift(products, self.layer.input_width + 1), WEIGHT_WIDTH)
        self.bias = sats(self.bias - bias_steps, BIAS_WIDTH)

    def apply(self, count: int) -> None:
        """A11.5: a step by the mean of `count` samples; there are sums."""
        assert self.sums
        self.matrix = sats(self.matrix + self.sums.weight_means(count, self.layer.input_width + 1), WEIGHT_WIDTH)
        self.bias = sats(self.bias + self.sums.bias_means(count), BIAS_WIDTH)
        self.sums.clear()

    def _input_error(self, x: IntArray, rows: Block) -> Block:
        """A5.7, with the weights as they were."""
        sums = rows.values @ self.matrix
        if self.layer.input_rectified:
            sums = np.where(x != 0, sums, 0)
        return Block(sums, rows.exponent + self._scale.weights)


def row_bias_steps(layer: DensePlan, scale: LayerScale, factors: IntArray) -> IntArray:
    """A5.6: the steps of the biases, from the row factors d."""
    shift = bias_shift(layer, scale.inputs)
    return factors << shift if shift >= 0 else rshift(factors, -shift)
