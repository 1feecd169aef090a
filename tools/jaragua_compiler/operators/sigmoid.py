"""Sigmoid (A9.9): (1 + tanh(x/2)) / 2, from the table of tanh."""

from __future__ import annotations

from typing import Any, cast

import numpy as np

from jaragua_compiler.operators.descriptor import (
    ONE_Q15,
    Activation,
    ExponentLimit,
    Floats,
    Format,
    activation,
    times_slopes,
)
from jaragua_compiler.operators.rounding import IntArray, rshift, sats
from jaragua_compiler.operators.tanh import tanh_q15


class Sigmoid(Activation):
    """1 / (1 + e^-x)."""

    properties = activation(
        "sigmoid",
        "sigmoid",
        "A9.9",
        keeps_scale=False,
        reads_output=True,
        limits=(ExponentLimit("input", -5, 29), ExponentLimit("output", 0, 15)),
    )
    keras, onnx, litert = "sigmoid", "Sigmoid", "LOGISTIC"

    def forward(self, x: IntArray, form: Format) -> IntArray:
        """The table's value in the format of the output."""
        q15 = rshift(ONE_Q15 + tanh_q15(x, form.input_exponent + 1), 1)
        return sats(rshift(q15, 15 - form.output_exponent), form.output_width)

    def backward(self, error: IntArray, x: IntArray, form: Format) -> IntArray:
        """The error times y (1 - y)."""
        y = sats(self.forward(x, form) << (15 - form.output_exponent), 15)
        return times_slopes(error, (y * (ONE_Q15 - y)) >> 15)

    def float_forward(self, x: Floats, slope: float) -> Floats:
        """As tanh: no exponential that could overflow."""
        return cast(Floats, 0.5 * (1 + np.tanh(0.5 * x)))

    def float_backward(self, error: Floats, output: Floats, slope: float) -> Floats:
        """The error times y (1 - y)."""
        return cast(Floats, error * (output * (1 - output)))

    def traced_forward(self, tf: Any, x: Any, slope: float) -> Any:
        """TensorFlow's own."""
        return tf.sigmoid(x)

    def traced_backward(self, tf: Any, error: Any, output: Any, slope: float) -> Any:
        """The error times y (1 - y)."""
        return error * (output * (1.0 - output))
