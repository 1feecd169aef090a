"""The networks whose training files are in `litert/`: digits, sine, and one with every kind of layer.

sine has one input: there tflite-runtime 2.14 gets a gradient wrong that is a reshape and a product (litert.md).
"""

from __future__ import annotations

import jaragua_models
from jaragua_compiler import (
    Activation,
    Add,
    AveragePool2D,
    Conv2D,
    Dense,
    DepthwiseConv2D,
    Flatten,
    GlobalAveragePool2D,
    MaxPool2D,
    Network,
)

KINDS = Network(
    "kinds",
    (12, 10, 2),
    (
        Conv2D(6, (3, 3), (1, 1), "same", "relu"),
        DepthwiseConv2D((3, 3), (1, 1), "same", "leaky_relu"),
        Add(0),
        MaxPool2D((2, 2)),
        Conv2D(5, (3, 2), (2, 1), ((1, 0), (0, 1)), "tanh"),
        AveragePool2D((2, 2), (1, 1), "same"),
        Conv2D(5, (1, 1)),
        Flatten(),
        Dense(9, "relu6"),
        Activation("leaky_relu"),
        Dense(7),
        GlobalAveragePool2D(source=5),
        Dense(7, "tanh"),
        Add(10),
        Dense(3),
    ),
    "mean_squared_error",
)
NETWORKS = {"digits": jaragua_models.get("digits").network, "sine": jaragua_models.get("sine").network, "kinds": KINDS}
