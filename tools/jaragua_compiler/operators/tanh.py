"""tanh (A9.4): a table of 65 numbers, with straight lines in between."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from jaragua_compiler.operators.descriptor import ONE_Q15, Floats, Format, SaturatingCurve, saturating
from jaragua_compiler.operators.rounding import IntArray, rshift, sats

TANH_TABLE = [round(2**15 * math.tanh(k / 16)) for k in range(65)]  # A9.4: T
_TABLE_EXPONENT = 11
_TABLE_LIMIT = 8191


class Tanh(SaturatingCurve):
    """The hyperbolic tangent."""

    properties = saturating("tanh", "A9.4", -4, 30)
    keras, onnx, litert, litert_fused = "tanh", "Tanh", "TANH", 4

    def forward(self, x: IntArray, form: Format) -> IntArray:
        """The table's value in the format of the output."""
        return sats(rshift(tanh_q15(x, form.input_exponent), 15 - form.output_exponent), form.output_width)

    def slopes_q15(self, y: IntArray) -> IntArray:
        """1 - y²."""
        return ONE_Q15 - ((y * y) >> 15)

    def slopes(self, output: Any) -> Any:
        """1 - y²."""
        return 1.0 - output * output

    def float_forward(self, x: Floats, slope: float) -> Floats:
        """tanh(x)."""
        return np.tanh(x)

    def traced_forward(self, tf: Any, x: Any, slope: float) -> Any:
        """tanh(x)."""
        return tf.tanh(x)


def tanh_q15(x: IntArray, exponent: int) -> IntArray:
    """A9.4: tanh of x · 2^-exponent, in Q15."""
    shift = exponent - _TABLE_EXPONENT
    q11 = rshift(x, shift) if shift > 0 else x << -shift
    size = np.minimum(np.abs(q11), _TABLE_LIMIT)
    table = np.array(TANH_TABLE, dtype=np.int64)
    low, high = table[size >> 7], table[(size >> 7) + 1]
    value: IntArray = low + (((high - low) * (size & 127)) >> 7)
    return np.where(q11 < 0, -value, value)
