"""Networks on images for tests: the CNN of the bench, and random ones from a seed."""

from __future__ import annotations

import numpy as np

from jaragua_compiler import CompileError, Conv2D, Dense, Flatten, Network, plan
from jaragua_compiler.layers import Layer, Padding

CNN = Network(
    "cnn",
    (28, 28, 1),
    (Conv2D(8, (3, 3), (2, 2), "same", "relu"), Conv2D(16, (3, 3), (2, 2), "same", "relu"), Flatten(), Dense(5)),
)


def random_conv_network(generator: np.random.Generator) -> Network:
    """1 to 3 convolutions of any kernel, stride and padding, then 1 or 2 dense layers; small enough to be fast."""
    while True:
        shape = (int(generator.integers(1, 13)), int(generator.integers(1, 13)), int(generator.choice([1, 1, 2, 3, 8])))
        layers = [random_conv(generator) for _ in range(int(generator.integers(1, 4)))]
        hidden = [Dense(int(generator.integers(1, 9)), "relu")] if generator.random() < 0.3 else []
        try:
            network = Network("random", shape, (*layers, Flatten(), *hidden, Dense(int(generator.integers(2, 5)))))
            plan(network)
        except CompileError:
            continue
        return network


def random_conv(generator: np.random.Generator) -> Layer:
    """A convolution; it may not fit any image."""
    kernel = (int(generator.integers(1, 5)), int(generator.integers(1, 5)))
    stride = (int(generator.integers(1, 4)), int(generator.integers(1, 4)))
    filters = int(generator.choice([1, 2, 3, 5, 8, 16]))
    return Conv2D(filters, kernel, stride, random_padding(generator, kernel), str(generator.choice(["relu", "linear"])))  # type: ignore[arg-type]


def random_padding(generator: np.random.Generator, kernel: tuple[int, int]) -> Padding:
    """One of TensorFlow's names, or numbers below the kernel's size."""
    kind = generator.integers(3)
    if kind == 0:
        return "same"
    if kind == 1:
        return "valid"
    pads = [(int(generator.integers(size)), int(generator.integers(size))) for size in kernel]
    return pads[0], pads[1]
