"""Every layer kind in floating point, forward and backward: patches and matrix products, images [n, height, width, c].

A layer keeps what its backward pass needs from the last forward pass. Derivatives are those of A9: 0 where a ReLU
(or ReLU6) is shut, 1 for a leaky ReLU at 0, and the first largest value of a window takes the error of a max pool.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from jaragua_compiler.floating.layer_steps import LayerSteps, tap_slices
from jaragua_compiler.graph import layers
from jaragua_compiler.graph.network import ConvGeometry, Network
from jaragua_compiler.operators.descriptor import Activation

Floats = npt.NDArray[np.floating[Any]]
Pair = tuple[Floats, Floats]


class FloatLayer(LayerSteps[Floats]):
    """One layer of a network, on arrays."""

    def _activated(self, activation: Activation, values: Floats) -> Floats:
        return activation.float_forward(values, self._slope)

    def _below_activation(self, activation: Activation, error: Floats) -> Floats:
        return activation.float_backward(error, self._output, self._slope)


class FloatWeighted(FloatLayer):
    """A layer with weights: a product of matrices, patches [n · positions, K] times W [outputs, K]."""

    def __init__(self, network: Network, index: int, weights: Pair) -> None:
        super().__init__(network, index)
        self.weights, self.biases = weights
        self.trains = network.learns(index)
        self.gradients: Pair = (np.zeros_like(self.weights), np.zeros_like(self.biases))
        self._read: Floats = np.zeros(0)

    def step(self, rate: float) -> None:
        """Move against the gradients of the last backward pass."""
        self.weights -= self.weights.dtype.type(rate) * self.gradients[0]
        self.biases -= self.biases.dtype.type(rate) * self.gradients[1]


class FloatDense(FloatWeighted):
    """y = W · x + b."""

    def _raw(self, *inputs: Floats) -> Floats:
        self._read = inputs[0]
        return _product(inputs[0], self.weights.T) + self.biases

    def _errors(self, error: Floats) -> tuple[Floats, ...]:
        self.gradients = (_product(error.T, self._read), error.sum(axis=0))
        return (_product(error, self.weights),) if self._wants_error else ()


class FloatConv(FloatWeighted):
    """A dense layer at each position of a window."""

    def __init__(self, network: Network, index: int, weights: Pair) -> None:
        super().__init__(network, index, weights)
        self._geometry = network.conv_geometry(index)

    def _raw(self, *inputs: Floats) -> Floats:
        taps = np.stack(list(_taps(_padded(inputs[0], self._geometry), self._geometry)), axis=3)
        self._read = taps.reshape(-1, taps.shape[3] * taps.shape[4])
        outputs = _product(self._read, self._matrix().T) + self.biases
        return cast(Floats, outputs.reshape(len(inputs[0]), *self._geometry.positions, -1))

    def _errors(self, error: Floats) -> tuple[Floats, ...]:
        rows = error.reshape(-1, error.shape[-1])
        self.gradients = (_product(rows.T, self._read).reshape(self.weights.shape), rows.sum(axis=0))
        if not self._wants_error:
            return ()
        taps = _product(rows, self._matrix()).reshape(*error.shape[:3], -1, self._input_shape[2])
        return (_gathered(np.moveaxis(taps, 3, 0), self._geometry, (len(error), *self._input_shape)),)

    def _matrix(self) -> Floats:
        return self.weights.reshape(len(self.weights), -1)


class FloatDepthwise(FloatWeighted):
    """One kernel a channel."""

    def __init__(self, network: Network, index: int, weights: Pair) -> None:
        super().__init__(network, index, weights)
        self._geometry = network.conv_geometry(index)

    def _raw(self, *inputs: Floats) -> Floats:
        self._read = inputs[0]
        products = (tap * weight for tap, weight in zip(self._input_taps(), self._tap_weights(), strict=True))
        return cast(Floats, sum(products, start=self.biases))

    def _errors(self, error: Floats) -> tuple[Floats, ...]:
        by_tap = np.stack([(tap * error).sum(axis=(0, 1, 2)) for tap in self._input_taps()], axis=1)
        self.gradients = (by_tap.reshape(self.weights.shape), error.sum(axis=(0, 1, 2)))
        if not self._wants_error:
            return ()
        return (_gathered((error * weight for weight in self._tap_weights()), self._geometry, self._read.shape),)

    def _input_taps(self) -> Iterator[Floats]:
        return _taps(_padded(self._read, self._geometry), self._geometry)

    def _tap_weights(self) -> Floats:
        """One row of weights [channels] for each tap."""
        return self.weights.reshape(len(self.weights), -1).T


class FloatMaxPool(FloatLayer):
    """The largest value of each window; padding is smaller than anything."""

    def __init__(self, network: Network, index: int) -> None:
        super().__init__(network, index)
        self._geometry = network.conv_geometry(index)
        self._winner: npt.NDArray[np.intp] = np.zeros(0, dtype=np.intp)

    def _raw(self, *inputs: Floats) -> Floats:
        taps = np.stack(list(_taps(_padded(inputs[0], self._geometry, -np.inf), self._geometry)))
        self._winner = taps.argmax(axis=0)
        return cast(Floats, taps.max(axis=0))

    def _errors(self, error: Floats) -> tuple[Floats, ...]:
        count = self._geometry.kernel[0] * self._geometry.kernel[1]
        taps = (np.where(self._winner == tap, error, 0) for tap in range(count))
        return (_gathered(taps, self._geometry, (len(error), *self._input_shape)),)


class FloatAveragePool(FloatLayer):
    """The mean of the pixels under each window; padding does not count."""

    def __init__(self, network: Network, index: int) -> None:
        super().__init__(network, index)
        self._geometry = network.conv_geometry(index)

    def _raw(self, *inputs: Floats) -> Floats:
        return self._sums(inputs[0]) / self._counts(inputs[0].dtype)

    def _errors(self, error: Floats) -> tuple[Floats, ...]:
        count = self._geometry.kernel[0] * self._geometry.kernel[1]
        share = error / self._counts(error.dtype)
        return (_gathered((share for _ in range(count)), self._geometry, (len(error), *self._input_shape)),)

    def _sums(self, images: Floats) -> Floats:
        return cast(Floats, sum(_taps(_padded(images, self._geometry), self._geometry)))

    def _counts(self, dtype: np.dtype[Any]) -> Floats:
        return self._sums(np.ones((1, *self._input_shape[:2], 1), dtype))


class FloatGlobalAveragePool(FloatLayer):
    """The mean of each channel."""

    def _raw(self, *inputs: Floats) -> Floats:
        self._shape = inputs[0].shape
        return cast(Floats, inputs[0].mean(axis=(1, 2)))

    def _errors(self, error: Floats) -> tuple[Floats, ...]:
        pixels = self._shape[1] * self._shape[2]
        return (np.broadcast_to((error / error.dtype.type(pixels))[:, None, None, :], self._shape),)


class FloatFlatten(FloatLayer):
    """An image as a vector."""

    def _raw(self, *inputs: Floats) -> Floats:
        self._shape = inputs[0].shape
        return inputs[0].reshape(len(inputs[0]), -1)

    def _errors(self, error: Floats) -> tuple[Floats, ...]:
        return (error.reshape(self._shape),)


class FloatAdd(FloatLayer):
    """The sum of two tensors."""

    def _raw(self, *inputs: Floats) -> Floats:
        return cast(Floats, inputs[0] + inputs[1])

    def _errors(self, error: Floats) -> tuple[Floats, ...]:
        return error, error


_PLAIN: dict[type[layers.Layer], Callable[[Network, int], FloatLayer]] = {
    layers.MaxPool2D: FloatMaxPool,
    layers.AveragePool2D: FloatAveragePool,
    layers.GlobalAveragePool2D: FloatGlobalAveragePool,
    layers.Flatten: FloatFlatten,
    layers.Add: FloatAdd,
}
_WEIGHTED: dict[type[layers.Layer], Callable[[Network, int, Pair], FloatWeighted]] = {
    layers.Dense: FloatDense,
    layers.Conv2D: FloatConv,
    layers.DepthwiseConv2D: FloatDepthwise,
}


def unweighted_layer(network: Network, index: int) -> FloatLayer:
    """Layer number `index`, which has no weights (an Activation is the plain layer itself)."""
    return _PLAIN.get(type(network.layers[index]), FloatLayer)(network, index)


def weighted_layer(network: Network, index: int, weights: Pair) -> FloatWeighted:
    """Layer number `index` with these weights (W, b), which it changes in place."""
    return _WEIGHTED[type(network.layers[index])](network, index, weights)


def _padded(images: Floats, geometry: ConvGeometry, value: float = 0.0) -> Floats:
    return (
        np.pad(images, ((0, 0), *geometry.pads, (0, 0)), constant_values=value)
        if any(map(any, geometry.pads))
        else images
    )


def _taps(padded: Floats, geometry: ConvGeometry) -> Iterator[Floats]:
    """For each pixel of the window what it sees at all positions: [n, rows, columns, channels]."""
    for rows, columns in tap_slices(geometry):
        yield padded[:, rows, columns]


def _gathered(taps: Any, geometry: ConvGeometry, shape: tuple[int, ...]) -> Floats:
    """The reverse of `_taps`: the sum of all that each pixel of the unpadded images [n, h, w, c] was seen as."""
    (top, bottom), (left, right) = geometry.pads
    padded: Floats | None = None
    for (rows, columns), tap in zip(tap_slices(geometry), taps, strict=True):
        if padded is None:
            padded = np.zeros((shape[0], shape[1] + top + bottom, shape[2] + left + right, shape[3]), tap.dtype)
        padded[:, rows, columns] += tap
    assert padded is not None
    return padded[:, top : top + shape[1], left : left + shape[2]]


def _product(left: Floats, right: Floats) -> Floats:
    """Of two matrices, without NumPy's warning of invalid values.

    It warned of finite numbers in one of many runs, so a flag of the processor does not tell. What is no number is in
    the loss of the step.
    """
    with np.errstate(invalid="ignore"):
        found: Floats = left @ right
    return found
