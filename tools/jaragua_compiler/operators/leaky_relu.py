"""Leaky ReLU (A9.3)."""

from __future__ import annotations

from typing import Any

import numpy as np

from jaragua_compiler.operators.descriptor import ONE_Q15, Activation, Floats, Format, activation, times_slopes
from jaragua_compiler.operators.rounding import IntArray, rshift


class LeakyRelu(Activation):
    """x where it is not negative, else slope · x. Front ends read its slope, so it is none of their plain operators."""

    properties = activation("leaky_relu", "leaky ReLU", "A9.3", reads_output=True)
    keras = "leaky_relu"

    def forward(self, x: IntArray, form: Format) -> IntArray:
        """x, or x times the slope."""
        return np.where(x < 0, rshift(x * form.slope, 15), x)

    def backward(self, error: IntArray, x: IntArray, form: Format) -> IntArray:
        """The error, or the error times the slope."""
        return times_slopes(error, np.where(x < 0, form.slope, ONE_Q15))

    def float_forward(self, x: Floats, slope: float) -> Floats:
        """x, or x times the slope."""
        return np.where(x >= 0, x, x * x.dtype.type(slope))

    def float_backward(self, error: Floats, output: Floats, slope: float) -> Floats:
        """The error, or the error times the slope."""
        return np.where(output >= 0, error, error * error.dtype.type(slope))

    def traced_forward(self, tf: Any, x: Any, slope: float) -> Any:
        """x, or x times the slope."""
        return tf.maximum(x, 0.0) + slope * tf.minimum(x, 0.0)

    def traced_backward(self, tf: Any, error: Any, output: Any, slope: float) -> Any:
        """The error, or the error times the slope."""
        open_ = tf.cast(tf.greater_equal(output, 0.0), tf.float32)
        return error * (open_ + slope * (1.0 - open_))
