"""ReLU6 (A9.2)."""

from __future__ import annotations

from typing import Any

import numpy as np

from jaragua_compiler.operators.descriptor import ONE_Q15, Activation, Floats, Format, activation, times_slopes
from jaragua_compiler.operators.rounding import IntArray


class Relu6(Activation):
    """min(max(x, 0), 6)."""

    properties = activation("relu6", "ReLU6", "A9.2", reads_output=True)
    keras, litert, litert_fused = "relu6", "RELU6", 3

    def forward(self, x: IntArray, form: Format) -> IntArray:
        """Clamped to 0..6 in the format of the input."""
        return np.clip(x, 0, _six(form))

    def backward(self, error: IntArray, x: IntArray, form: Format) -> IntArray:
        """It passes where 0 < x < 6."""
        return times_slopes(error, np.where((x > 0) & (x < _six(form)), ONE_Q15, 0))

    def float_forward(self, x: Floats, slope: float) -> Floats:
        """Clamped to 0..6."""
        return np.clip(x, 0, 6)

    def float_backward(self, error: Floats, output: Floats, slope: float) -> Floats:
        """It passes where the output is inside 0..6."""
        return np.where((output > 0) & (output < 6), error, 0).astype(error.dtype, copy=False)

    def traced_forward(self, tf: Any, x: Any, slope: float) -> Any:
        """Clamped to 0..6."""
        return tf.nn.relu6(x)

    def traced_backward(self, tf: Any, error: Any, output: Any, slope: float) -> Any:
        """It passes where the output is inside 0..6."""
        above, below = tf.greater(output, 0.0), tf.less(output, 6.0)
        return error * (tf.cast(above, tf.float32) * tf.cast(below, tf.float32))


def _six(form: Format) -> int:
    """A9.2: 6 in the format of the input, or the largest value where 6 does not fit."""
    largest = (1 << form.output_width) - 1
    if form.input_exponent < 0:
        return (6 + (1 << (-form.input_exponent - 1))) >> -form.input_exponent
    return min(6 << form.input_exponent, largest)
