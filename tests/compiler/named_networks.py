"""Networks by name for the tests of several rooms: one of each size, one of each layer kind, one with a skip."""

from __future__ import annotations

from dataclasses import replace

from image_networks import DEPTHWISE

from jaragua_compiler import Network
from jaragua_compiler.graph import layers

RESIDUAL = Network(
    "residual",
    (12, 10, 3),
    (
        layers.Conv2D(8, (3, 3), (2, 2), "same", "relu6"),
        layers.DepthwiseConv2D((3, 3), padding="same", activation="tanh"),
        layers.Conv2D(8, (1, 1)),
        layers.Add(0, "relu"),
        layers.MaxPool2D(),
        layers.AveragePool2D((2, 2), (1, 1)),
        layers.Activation("leaky_relu", slope=0.1),
        layers.GlobalAveragePool2D(),
        layers.Dense(5),
    ),
)

NETWORKS = {
    "one layer": Network("one", 64, (layers.Dense(10),)),
    "mlp": Network("mlp", 64, (layers.Dense(32, "relu"), layers.Dense(10))),
    "sine": Network(
        "sine", 1, (layers.Dense(32, "relu"), layers.Dense(32, "relu"), layers.Dense(1)), "mean_squared_error"
    ),
    "deep": Network(
        "deep",
        301,
        (
            layers.Dense(61),
            layers.Dense(31, "relu"),
            layers.Dense(37, "relu"),
            layers.Dense(17, "relu"),
            layers.Dense(7),
        ),
    ),
    "cnn": Network(
        "cnn",
        (28, 28, 1),
        (
            layers.Conv2D(8, stride=(2, 2), padding="same", activation="relu"),
            layers.Conv2D(16, stride=(2, 2), padding="same", activation="relu"),
            layers.Flatten(),
            layers.Dense(5),
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
            layers.Conv2D(4, padding="same", activation="leaky_relu"),
            layers.DepthwiseConv2D(padding="same", activation="relu6"),
            layers.Add(skip=0),
            layers.MaxPool2D(),
            layers.AveragePool2D((2, 1)),
            layers.Conv2D(6, activation="tanh", padding="same"),
            layers.GlobalAveragePool2D(),
            layers.Dense(3),
        ),
    ),
}
NETWORKS["sigmoids"] = Network(
    "sigmoids",
    (9, 8, 2),
    (
        layers.Conv2D(4, activation="sigmoid"),
        layers.DepthwiseConv2D(padding="same", activation="sigmoid"),
        layers.Flatten(),
        layers.Dense(3),
    ),
)
NETWORKS |= {
    "every kind w8": replace(NETWORKS["every kind"], weights="w8"),
    "depthwise w8": replace(DEPTHWISE, weights="w8"),
}
