"""Sigmoid (A9.9): (1 + tanh(x/2)) / 2, from the table of tanh."""

from __future__ import annotations

from typing import Any, cast

import numpy as np

from jaragua_compiler.operators.descriptor import ONE_Q15, Floats, Format, SaturatingCurve, saturating
from jaragua_compiler.operators.rounding import IntArray, rshift, sats
from jaragua_compiler.operators.tanh import tanh_q15


class Sigmoid(SaturatingCurve):
    """1 / (1 + e^-x)."""

    properties = saturating("sigmoid", "A9.9", -5, 29)
    keras, onnx, litert = "sigmoid", "Sigmoid", "LOGISTIC"

    def forward(self, x: IntArray, form: Format) -> IntArray:
        """The table's value in the format of the output."""
        q15 = rshift(ONE_Q15 + tanh_q15(x, form.input_exponent + 1), 1)
        return sats(rshift(q15, 15 - form.output_exponent), form.output_width)

    def slopes_q15(self, y: IntArray) -> IntArray:
        """y (1 - y)."""
        return (y * (ONE_Q15 - y)) >> 15

    def slopes(self, output: Any) -> Any:
        """y (1 - y)."""
        return output * (1.0 - output)

    def float_forward(self, x: Floats, slope: float) -> Floats:
        """As tanh: no exponential that could overflow."""
        return cast(Floats, 0.5 * (1 + np.tanh(0.5 * x)))

    def traced_forward(self, tf: Any, x: Any, slope: float) -> Any:
        """TensorFlow's own."""
        return tf.sigmoid(x)
