"""ReLU (A9.1). As the activation of a layer with weights or of a sum it is part of that operator's own kernel."""

from __future__ import annotations

from typing import Any

import numpy as np

from jaragua_compiler.operators.descriptor import Activation, Floats, Format, activation
from jaragua_compiler.operators.rounding import IntArray


class Relu(Activation):
    """max(x, 0)."""

    properties = activation("relu", "ReLU", "A9.1", reads_output=True)
    keras, onnx, litert, litert_fused = "relu", "Relu", "RELU", 1

    def forward(self, x: IntArray, form: Format) -> IntArray:
        """x, or 0."""
        return np.maximum(x, 0)

    def backward(self, error: IntArray, x: IntArray, form: Format) -> IntArray:
        """As it is: the operator above masks it, as a ReLU made what it reads."""
        return error

    def float_forward(self, x: Floats, slope: float) -> Floats:
        """max(x, 0)."""
        return np.maximum(x, 0)

    def float_backward(self, error: Floats, output: Floats, slope: float) -> Floats:
        """It passes where the output is positive."""
        return np.where(output > 0, error, 0).astype(error.dtype, copy=False)

    def traced_forward(self, tf: Any, x: Any, slope: float) -> Any:
        """max(x, 0)."""
        return tf.nn.relu(x)

    def traced_backward(self, tf: Any, error: Any, output: Any, slope: float) -> Any:
        """It passes where the output is positive."""
        return error * tf.cast(tf.greater(output, 0.0), tf.float32)
