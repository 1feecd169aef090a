"""The networks whose training files are in `litert/`: digits, sine, and one with every kind of layer.

sine has one input: there tflite-runtime 2.14 gets a gradient wrong that is a reshape and a product (litert.md).
"""

from __future__ import annotations

import jaragua_models
from jaragua_compiler import Network
from jaragua_compiler.graph import layers

KINDS = Network(
    "kinds",
    (12, 10, 2),
    (
        layers.Conv2D(6, (3, 3), (1, 1), "same", "relu"),
        layers.DepthwiseConv2D((3, 3), (1, 1), "same", "leaky_relu"),
        layers.Add(0),
        layers.MaxPool2D((2, 2)),
        layers.Conv2D(5, (3, 2), (2, 1), ((1, 0), (0, 1)), "tanh"),
        layers.AveragePool2D((2, 2), (1, 1), "same"),
        layers.Conv2D(5, (1, 1)),
        layers.Flatten(),
        layers.Dense(9, "relu6"),
        layers.Activation("leaky_relu"),
        layers.Dense(7),
        layers.GlobalAveragePool2D(source=5),
        layers.Dense(7, "tanh"),
        layers.Add(10),
        layers.Dense(3),
    ),
    "mean_squared_error",
)
NETWORKS = {"digits": jaragua_models.get("digits").network, "sine": jaragua_models.get("sine").network, "kinds": KINDS}
