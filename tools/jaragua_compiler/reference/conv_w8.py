"""The convolution with int8 weights of the reference (A8 with A7): what it does unlike the one with int16 weights."""

from __future__ import annotations

import numpy as np

from jaragua_compiler.planning.operators import ConvolutionPlan
from jaragua_compiler.quantisation.blob import IntArray
from jaragua_compiler.quantisation.dither import FRACTION_BITS, Dither, dithers
from jaragua_compiler.quantisation.exponents import LayerScale
from jaragua_compiler.quantisation.rate import LearningRate
from jaragua_compiler.reference.accumulation import summed_convolution_steps
from jaragua_compiler.reference.arithmetic import Block, rshift, sats, satu
from jaragua_compiler.reference.conv import STEP_SHIFT_MAX, ReferenceConvolution
from jaragua_compiler.reference.dense import BIAS_WIDTH
from jaragua_compiler.reference.dense_w8 import WEIGHT_WIDTH, rounded, with_frozen_rows

FINE_WIDTH = 30  # A8.4: t
SHIFT_MAX = 55  # A8.4: nothing is left of a step


class ReferenceConvW8(ReferenceConvolution):
    """A convolution with int8 weights; otherwise as ReferenceConvolution."""

    def __init__(
        self, layer: ConvolutionPlan, matrix: IntArray, bias: IntArray, scale: LayerScale, dither: Dither
    ) -> None:
        super().__init__(layer, matrix, bias, scale, dither)
        self._rows = np.array(scale.rows, dtype=np.int64)

    def forward(self, inputs: list[IntArray]) -> IntArray:
        """A8.2: x [h·w·c] -> y [positions · out]."""
        saturate = satu if self.layer.relu else sats
        sums = self.bias + np.einsum(self._forward, self._patches(inputs[0]), self.matrix)
        shifts = self._rows + self._scale.inputs - self._scale.output
        return saturate(rounded(sums, shifts), self.layer.output_width).reshape(-1)

    def _input_error(self, x: IntArray, errors: IntArray) -> IntArray:
        """A8.3, with the weights as they were."""
        return super()._input_error(x, rounded(errors, self._rows - self._scale.weights))

    def _update(self, x: IntArray, errors: Block, rate: LearningRate) -> None:
        """A7.4, A8.4, A11.3."""
        gradient = np.einsum(self._gradient, errors.values, self._patches(x)).reshape(self.layer.outputs, -1)
        shifts = np.clip(rate.exponent + errors.exponent + self._scale.inputs - self._rows - 16, 0, SHIFT_MAX)
        rule = summed_convolution_steps if self.sums else _fine_step
        rows = zip(rshift(gradient * rate.mantissa, 16), shifts, strict=True)
        steps = np.array([rule(row, int(shift)) for row, shift in rows])
        bias_steps = self._bias_steps(errors, rate)
        if self.sums:
            self.sums.take(steps.reshape(self.matrix.shape), bias_steps)
            return
        self._move(steps)
        self._move_biases(-bias_steps)

    def apply(self, count: int) -> None:
        """A11.5: a step by the mean of `count` samples; there are sums."""
        assert self.sums
        self._move(self.sums.fine_weight_means(count).reshape(self.layer.outputs, -1), -1)
        self._move_biases(self.sums.bias_means(count))
        self.sums.clear()

    def _move(self, steps: IntArray, direction: int = 1) -> None:
        """A8.4, A11.5: against steps [out, K] with 24 bits behind the point, or along them (-1), with the dither."""
        keys = self._dither.keys(self.layer.index, self.layer.outputs)
        whole = direction * ((steps + dithers(keys, steps.shape[1])) >> FRACTION_BITS)
        moved = sats(self.matrix - whole.reshape(self.matrix.shape), WEIGHT_WIDTH)
        self.matrix = with_frozen_rows(self.layer, moved, self.matrix)

    def _move_biases(self, steps: IntArray) -> None:
        self.bias = with_frozen_rows(self.layer, sats(self.bias + steps, BIAS_WIDTH), self.bias)

    def _bias_steps(self, errors: Block, rate: LearningRate) -> IntArray:
        """A8.4: as A7.5, with the channel's exponent."""
        products = rshift(errors.values.sum(axis=0) * rate.mantissa, 16)
        shifts = rate.exponent + errors.exponent - self._rows - self._scale.inputs - 16
        shifts = np.clip(shifts, -STEP_SHIFT_MAX, STEP_SHIFT_MAX)
        return sats(rounded(products << np.maximum(-shifts, 0), np.maximum(shifts, 0)), BIAS_WIDTH)


def _fine_step(products: IntArray, shift: int) -> IntArray:
    """A8.4: t, the steps of a row with 24 bits behind the point."""
    if shift == SHIFT_MAX:
        return np.zeros_like(products)
    if shift > FRACTION_BITS:
        return sats(rshift(products, shift - FRACTION_BITS), FINE_WIDTH)
    left = FRACTION_BITS - shift
    return sats(products, FINE_WIDTH - left) << left
