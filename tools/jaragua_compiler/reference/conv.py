"""The convolution of the reference (A7), and the depthwise one (A9.2): one NumPy expression per rule."""

from __future__ import annotations

import numpy as np

from jaragua_compiler.graph.conv_geometry import covered
from jaragua_compiler.planning.operators import ConvolutionPlan, DepthwisePlan
from jaragua_compiler.quantisation.blob import IntArray
from jaragua_compiler.quantisation.dither import Dither, plane_dithers
from jaragua_compiler.quantisation.exponents import LayerScale
from jaragua_compiler.quantisation.rate import LearningRate
from jaragua_compiler.reference.accumulation import summed_convolution_steps
from jaragua_compiler.reference.arithmetic import Block, rshift, sats, satu, scaled_error
from jaragua_compiler.reference.dense import BIAS_WIDTH, WEIGHT_WIDTH
from jaragua_compiler.reference.weighted import ReferenceWeighted

FACTOR_SHIFT_MIN, FACTOR_SHIFT_MAX = 1, 32  # A7.5
FACTOR_BITS = 16  # A7.5: of F beyond the rate
FINE_BITS = 32  # A7.5: behind the point of a step
STEP_SHIFT_MAX = 31  # A7.5, of biases


class ReferenceConvolution(ReferenceWeighted[ConvolutionPlan]):
    """Weights that move over an image: W (outputs first) and b [out]; `scaled_error` is [positions, out]."""

    def __init__(
        self, layer: ConvolutionPlan, matrix: IntArray, bias: IntArray, scale: LayerScale, dither: Dither
    ) -> None:
        super().__init__(layer, matrix, bias, scale, dither)
        taps = "yx" if isinstance(layer, DepthwisePlan) else "yxc"
        out = "c" if isinstance(layer, DepthwisePlan) else "o"
        self._forward = f"pyxc,{out}{taps}->p{out}"
        self._backward = f"p{out},{out}{taps}->pyxc"
        self._gradient = f"p{out},pyxc->{out}{taps}"

    def forward(self, inputs: list[IntArray]) -> IntArray:
        """A7.1: x [h·w·c] -> y [positions · out]."""
        saturate = satu if self.layer.relu else sats
        sums = self.bias + np.einsum(self._forward, self._patches(inputs[0]), self.matrix)
        return saturate(rshift(sums.reshape(-1), self._scale.forward_shift), self.layer.output_width)

    def backward(self, inputs: list[IntArray], error: Block, rate: LearningRate) -> list[Block]:
        """A7.2 to A7.6: learn from the error of the outputs (its magnitude is not 0); the error of the inputs."""
        (x,) = inputs
        block = scaled_error(error, self.layer.error_width)
        errors = block.values.reshape(self.layer.positions, self.layer.outputs)
        self.scaled_error = errors
        below = Block(self._input_error(x, errors), block.exponent + self._scale.weights)
        self._update(x, Block(errors, block.exponent), rate)
        return [below]

    def _input_error(self, x: IntArray, errors: IntArray) -> IntArray:
        """A7.2, with the weights as they were."""
        shares = np.einsum(self._backward, errors, self.matrix)
        image = np.zeros(self.layer.input_shape, dtype=np.int64)
        for row, column, (top, rows, tap_y), (left, columns, tap_x) in covered(self.layer.geometry, image.shape):
            share = shares[row * self.layer.geometry.positions[1] + column]
            under = share[tap_y : tap_y + rows, tap_x : tap_x + columns]
            image[top : top + rows, left : left + columns] += under
        sums = image.reshape(-1)
        return np.where(x != 0, sums, 0) if self.layer.input_rectified else sums

    def _update(self, x: IntArray, errors: Block, rate: LearningRate) -> None:
        """A7.4, A7.5, A11.3."""
        gradient = np.einsum(self._gradient, errors.values, self._patches(x))
        shift = rate.exponent + errors.exponent + self._scale.inputs - self._scale.weights - 16
        bias_steps = self._bias_steps(errors, rate)
        if self.sums:
            products = rshift(gradient * rate.mantissa, 16)
            self.sums.take(summed_convolution_steps(products, shift), bias_steps)
            return
        bounded = min(max(shift, FACTOR_SHIFT_MIN), FACTOR_SHIFT_MAX)
        self._move_by(-gradient * rshift(np.array(rate.mantissa << FACTOR_BITS), bounded))
        self.bias = sats(self.bias - bias_steps, BIAS_WIDTH)

    def _move_by(self, fine: IntArray) -> None:
        """A7.5, A11.5: by steps with 32 bits behind the point, of the shape of the weights, rounded with the dither."""
        key = int(self._dither.keys(self.layer.index, 1)[0])
        dithered = fine + plane_dithers(key, self.layer.outputs, self.layer.inputs).reshape(fine.shape)
        self.matrix = sats(self.matrix + (dithered >> FINE_BITS), WEIGHT_WIDTH)

    def apply(self, count: int) -> None:
        """A11.5: a step by the mean of `count` samples; there are sums."""
        assert self.sums
        self._move_by(self.sums.window_means(count))
        self.bias = sats(self.bias + self.sums.bias_means(count), BIAS_WIDTH)
        self.sums.clear()

    def _bias_steps(self, errors: Block, rate: LearningRate) -> IntArray:
        shift = rate.exponent + errors.exponent - self._scale.weights - self._scale.inputs - 16
        products = rshift(errors.values.sum(axis=0) * rate.mantissa, 16)
        shift = min(max(shift, -STEP_SHIFT_MAX), STEP_SHIFT_MAX)
        return sats(rshift(products, shift) if shift >= 0 else products << -shift, BIAS_WIDTH)

    def _patches(self, x: IntArray) -> IntArray:
        """x [h·w·c] -> what lies under every position, [positions, ky, kx, c]; 0 where there is padding."""
        image = x.reshape(self.layer.input_shape)
        found = np.zeros((self.layer.positions, *self.layer.geometry.kernel, image.shape[2]), dtype=np.int64)
        for row, column, (top, rows, tap_y), (left, columns, tap_x) in covered(self.layer.geometry, image.shape):
            under = image[top : top + rows, left : left + columns]
            position = row * self.layer.geometry.positions[1] + column
            found[position, tap_y : tap_y + rows, tap_x : tap_x + columns] = under
        return found
