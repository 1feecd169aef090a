"""The dense layer with int8 weights of the reference: A8, one NumPy expression per rule."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from jaragua_compiler.arithmetic import Block, block_error, rshift, sats, satu
from jaragua_compiler.dither import FRACTION_BITS, UintArray, dithers
from jaragua_compiler.rate import LearningRate

IntArray = npt.NDArray[np.int64]

BIAS_WIDTH = 30  # A2.3
FACTOR_WIDTH = 15  # A8.4
WEIGHT_WIDTH = 7  # A8.1
ACTIVATION_WIDTH = 15


@dataclass(frozen=True)
class DenseW8Format:
    """Widths of one layer (compile time) and its exponents (run time); `channels` is fw_o [out]."""

    relu: bool
    input_rectified: bool
    input_width: int
    output_width: int
    error_width: int
    channels: IntArray
    input_exponent: int
    output_exponent: int

    @property
    def weight_exponent(self) -> int:
        """F of A8.1."""
        return int(self.channels.min())

    @property
    def bias_shift(self) -> int:
        """q of A8.4."""
        return 2 * self.input_exponent - self.input_width - 9


class ReferenceDenseW8:
    """One dense layer with its weights as the device's integers: int64 arrays W [out, in] and b [out]."""

    def __init__(self, form: DenseW8Format, matrix: IntArray, bias: IntArray) -> None:
        self.form = form
        self.matrix = matrix
        self.bias = bias

    def forward(self, x: IntArray) -> IntArray:
        """A8.2: x [in] -> y [out]."""
        form = self.form
        sums = self.bias + self.matrix @ x
        shifts = form.channels + form.input_exponent - form.output_exponent
        saturate = satu if form.relu else sats
        return saturate((sums + (1 << (shifts - 1))) >> shifts, form.output_width)

    def backward(self, x: IntArray, error: Block, rate: LearningRate, keys: UintArray) -> Block | None:
        """A8.3, A8.4: learn from the outputs' error; the error of the inputs, or None if nothing is left to teach.

        x: the inputs of this step's forward pass; rate: with the loss factor in it (A5.3); keys: h of the rows (A8.5).
        """
        rows = block_error(error.values, error.exponent, self.form.error_width)
        if rows is None:
            return None
        below = self._input_error(x, rows)
        self._update(x, self._row_factors(rows, rate), keys)
        return below

    def _input_error(self, x: IntArray, rows: Block) -> Block:
        """A8.3, with the weights as they were."""
        form = self.form
        aligned = [rshift(e, int(s)) for e, s in zip(rows.values, form.channels - form.weight_exponent, strict=True)]
        sums = np.array(aligned, dtype=np.int64) @ self.matrix
        if form.input_rectified:
            sums = np.where(x != 0, sums, 0)
        return Block(sums, rows.exponent + form.weight_exponent)

    def _row_factors(self, rows: Block, rate: LearningRate) -> IntArray:
        """A8.4: d."""
        form = self.form
        shifts = rate.exponent + rows.exponent + form.input_exponent - form.channels - form.input_width - 9
        products = rows.values * rate.mantissa
        factors = [0 if s >= 31 else rshift(p, max(0, int(s))) for p, s in zip(products, shifts, strict=True)]
        return sats(np.array(factors, dtype=np.int64), FACTOR_WIDTH)

    def _update(self, x: IntArray, factors: IntArray, keys: UintArray) -> None:
        """A8.4."""
        form = self.form
        products = np.outer(factors, x << (ACTIVATION_WIDTH - form.input_width))
        steps = (products + dithers(keys, len(x))) >> FRACTION_BITS
        self.matrix = sats(self.matrix - steps, WEIGHT_WIDTH)
        shift = form.bias_shift
        self.bias = sats(self.bias - (factors << shift if shift >= 0 else rshift(factors, -shift)), BIAS_WIDTH)
