"""Networks by name for the tests of several rooms: one of each size, one of each layer kind, one with a skip."""

from __future__ import annotations

from dataclasses import replace

from image_networks import DEPTHWISE

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

RESIDUAL = Network(
    "residual",
    (12, 10, 3),
    (
        Conv2D(8, (3, 3), (2, 2), "same", "relu6"),
        DepthwiseConv2D((3, 3), padding="same", activation="tanh"),
        Conv2D(8, (1, 1)),
        Add(0, "relu"),
        MaxPool2D(),
        AveragePool2D((2, 2), (1, 1)),
        Activation("leaky_relu", slope=0.1),
        GlobalAveragePool2D(),
        Dense(5),
    ),
)

NETWORKS = {
    "one layer": Network("one", 64, (Dense(10),)),
    "mlp": Network("mlp", 64, (Dense(32, "relu"), Dense(10))),
    "sine": Network("sine", 1, (Dense(32, "relu"), Dense(32, "relu"), Dense(1)), "mean_squared_error"),
    "deep": Network("deep", 301, (Dense(61), Dense(31, "relu"), Dense(37, "relu"), Dense(17, "relu"), Dense(7))),
    "cnn": Network(
        "cnn",
        (28, 28, 1),
        (
            Conv2D(8, stride=(2, 2), padding="same", activation="relu"),
            Conv2D(16, stride=(2, 2), padding="same", activation="relu"),
            Flatten(),
            Dense(5),
        ),
    ),
}
NETWORKS |= {
    "mlp w8": replace(NETWORKS["mlp"], weights="w8"),
    "cnn w8": replace(NETWORKS["cnn"], weights="w8"),
    "every kind": Network(
        "every-kind",
        (9, 8, 2),
        (
            Conv2D(4, padding="same", activation="leaky_relu"),
            DepthwiseConv2D(padding="same", activation="relu6"),
            Add(skip=0),
            MaxPool2D(),
            AveragePool2D((2, 1)),
            Conv2D(6, activation="tanh", padding="same"),
            GlobalAveragePool2D(),
            Dense(3),
        ),
    ),
}
NETWORKS["sigmoids"] = Network(
    "sigmoids",
    (9, 8, 2),
    (
        Conv2D(4, activation="sigmoid"),
        DepthwiseConv2D(padding="same", activation="sigmoid"),
        Flatten(),
        Dense(3),
    ),
)
NETWORKS |= {
    "every kind w8": replace(NETWORKS["every kind"], weights="w8"),
    "depthwise w8": replace(DEPTHWISE, weights="w8"),
}
