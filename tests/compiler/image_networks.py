"""Networks on images for tests: the CNN of the bench, and random ones from a seed."""

from __future__ import annotations

import numpy as np

from jaragua_compiler import CompileError, Network, plan
from jaragua_compiler.graph import layers as kinds
from jaragua_compiler.graph.layers import ActivationKind, Padding
from jaragua_compiler.operators.registry import KINDS

CNN = Network(
    "cnn",
    (28, 28, 1),
    (
        kinds.Conv2D(8, (3, 3), (2, 2), "same", "relu"),
        kinds.Conv2D(16, (3, 3), (2, 2), "same", "relu"),
        kinds.Flatten(),
        kinds.Dense(5),
    ),
)

# 3 x 3 weights over one channel (kernels of their own), three times: uneven padding, strides 1 to 3, one position.
ONE_CHANNEL = Network(
    "onechannel",
    (14, 13, 1),
    (
        kinds.Conv2D(1, (3, 3), (1, 2), ((2, 0), (0, 1)), "relu"),
        kinds.Conv2D(1, (3, 3), (2, 1), "valid"),
        kinds.Conv2D(5, (3, 3), (3, 3), ((0, 1), (1, 0)), "relu"),
        kinds.Conv2D(1, (2, 1)),
        kinds.Conv2D(4, (3, 3), (3, 1), "same"),
        kinds.Flatten(),
        kinds.Dense(3),
    ),
)

# Channels in eights, of which kernels list the active positions: edges on all sides, strides 1 to 3, one position.
EIGHTS = Network(
    "eights",
    (9, 8, 8),
    (
        kinds.Conv2D(16, (3, 3), (1, 1), "same", "relu"),
        kinds.Conv2D(8, (2, 3), (2, 1), ((1, 0), (2, 0)), "relu"),
        kinds.Conv2D(24, (1, 1), (1, 1), "valid", "relu"),
        kinds.Conv2D(8, (3, 2), (3, 2), ((2, 2), (0, 1)), "relu"),
        kinds.Conv2D(9, (5, 5), (1, 1), "same", "relu"),
        kinds.Conv2D(8, (2, 3), (1, 3), "valid", "relu"),
        kinds.Conv2D(5, (1, 1)),
        kinds.Flatten(),
        kinds.Dense(3),
    ),
)

# Depthwise convolutions: odd and even channels, strides 1 to 3, uneven padding, kernels of 1 to 30 taps, one position.
DEPTHWISE = Network(
    "depthwise",
    (9, 8, 3),
    (
        kinds.DepthwiseConv2D((3, 3), (1, 1), "same", "relu"),
        kinds.Conv2D(6, (1, 1), activation="relu"),
        kinds.DepthwiseConv2D((5, 5), (1, 2), ((3, 1), (2, 4)), "relu"),
        kinds.DepthwiseConv2D((2, 3), (3, 1), ((0, 1), (1, 0))),
        kinds.DepthwiseConv2D((1, 1)),
        kinds.DepthwiseConv2D((6, 5), (1, 1), "same", "relu6"),
        kinds.DepthwiseConv2D((3, 4), (1, 2), "valid"),
        kinds.Flatten(),
        kinds.Dense(3),
    ),
)


def random_conv_network(generator: np.random.Generator) -> Network:
    """1 to 3 convolutions of any kernel, stride and padding, then 1 or 2 dense layers; small enough to be fast."""
    while True:
        shape = (int(generator.integers(1, 13)), int(generator.integers(1, 13)), int(generator.choice([1, 1, 2, 3, 8])))
        layers = [random_conv(generator) for _ in range(int(generator.integers(1, 4)))]
        hidden = [kinds.Dense(int(generator.integers(1, 9)), "relu")] if generator.random() < 0.3 else []
        try:
            network = Network(
                "random", shape, (*layers, kinds.Flatten(), *hidden, kinds.Dense(int(generator.integers(2, 5))))
            )
            plan(network)
        except CompileError:
            continue
        return network


def random_conv(generator: np.random.Generator) -> kinds.Layer:
    """A convolution; it may not fit any image."""
    kernel = (int(generator.integers(1, 5)), int(generator.integers(1, 5)))
    stride = (int(generator.integers(1, 4)), int(generator.integers(1, 4)))
    filters = int(generator.choice([1, 2, 3, 5, 8, 16]))
    return kinds.Conv2D(
        filters, kernel, stride, random_padding(generator, kernel), str(generator.choice(["relu", "linear"]))
    )  # type: ignore[arg-type]


def random_padding(generator: np.random.Generator, kernel: tuple[int, int]) -> Padding:
    """One of TensorFlow's names, or numbers below the kernel's size."""
    kind = generator.integers(3)
    if kind == 0:
        return "same"
    if kind == 1:
        return "valid"
    pads = [(int(generator.integers(size)), int(generator.integers(size))) for size in kernel]
    return pads[0], pads[1]


def random_graph_network(generator: np.random.Generator) -> Network:
    """Any layers, activations and branches, on an image or a vector; small enough to be fast."""
    while True:
        builder = _RandomLayers(generator)
        try:
            network = builder.network()
            plan(network)
        except CompileError:
            continue
        return network


class _RandomLayers:
    """Draws layers one after the other; what does not fit is refused by the network and drawn again."""

    def __init__(self, generator: np.random.Generator) -> None:
        self._generator = generator
        self._layers: list[kinds.Layer] = []

    def network(self) -> Network:
        sizes = [int(size) for size in self._generator.integers(1, 9, 2)]
        inputs = (*sizes, int(self._generator.choice([1, 2, 3, 8])))
        for _ in range(int(self._generator.integers(1, 5))):
            self._layers.append(self._image_layer())
            if self._generator.random() < 0.3:
                self._residual()
        self._layers.append(kinds.Flatten() if self._generator.random() < 0.6 else kinds.GlobalAveragePool2D())
        if self._generator.random() < 0.5:
            self._layers.append(kinds.Dense(int(self._generator.integers(1, 9)), self._activation()))
        self._layers.append(kinds.Dense(int(self._generator.integers(2, 5))))
        loss = "softmax_cross_entropy" if self._generator.random() < 0.5 else "mean_squared_error"
        return Network("random", inputs, tuple(self._layers), loss)  # type: ignore[arg-type]

    def _activation(self) -> ActivationKind:
        kinds: list[ActivationKind] = ["linear", "relu", *KINDS[1:]]
        return kinds[int(self._generator.integers(len(kinds)))]

    def _image_layer(self) -> kinds.Layer:
        generator = self._generator
        window = (int(generator.integers(1, 4)), int(generator.integers(1, 4)))
        stride = (int(generator.integers(1, 3)), int(generator.integers(1, 3)))
        padding = random_padding(generator, window)
        slope = float(generator.choice([0.01, 0.25]))
        kind = generator.integers(8)
        if kind <= 1:
            filters = int(generator.choice([1, 2, 3, 8]))
            return kinds.Conv2D(filters, window, stride, padding, self._activation(), slope=slope)
        if kind in (2, 6, 7):
            return kinds.DepthwiseConv2D(window, stride, padding, self._activation(), slope=slope)
        if kind == 3:
            return kinds.MaxPool2D(window, stride, padding)
        return (
            kinds.AveragePool2D(window, stride, padding)
            if kind == 4
            else kinds.Activation(self._activation(), slope=slope)
        )

    def _residual(self) -> None:
        """A convolution that keeps the shape if it has as many filters as channels, added to what it reads."""
        skip = len(self._layers) - 1
        self._layers.append(kinds.Conv2D(int(self._generator.choice([1, 2, 3, 8])), (3, 3), padding="same"))
        self._layers.append(kinds.Add(skip, self._activation()))
