"""Every layer kind in TensorFlow operators, forward and backward, for LiteRT: the twin of float_layers.py.

Gradients are written out, because those that TensorFlow derives (Conv2DBackpropFilter, ReluGrad, MaxPoolGrad …) are no
built-in operators of LiteRT. The batch is one sample: images [1, height, width, channels], vectors [1, n]. A layer is
traced once a signature and keeps the tensors of its forward pass for its backward pass.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np
import tensorflow as tf

from jaragua_compiler.floating.layer_steps import LayerSteps, tap_slices
from jaragua_compiler.graph import layers
from jaragua_compiler.graph.network import ConvGeometry, Network
from jaragua_compiler.operators.descriptor import Activation

Tensor = Any
# What a window sees beyond the image when the largest value counts: smaller than any, and finite as LiteRT wants it.
_LOWEST = float(np.finfo(np.float32).min)


class TracedLayer(LayerSteps[Tensor]):
    """One layer of a network, on tensors that TensorFlow traces."""

    def _activated(self, activation: Activation, values: Tensor) -> Tensor:
        return activation.traced_forward(tf, values, self._slope)

    def _below_activation(self, activation: Activation, error: Tensor) -> Tensor:
        return activation.traced_backward(tf, error, self._output, self._slope)


class TracedWeighted(TracedLayer):
    """A layer with weights: variables of the shapes of `Plan.shapes`."""

    def __init__(self, network: Network, index: int, weights: Tensor, biases: Tensor) -> None:
        super().__init__(network, index)
        self.trains = network.learns(index)
        self._variables = (weights, biases)
        self._weights, self._biases = weights.read_value(), biases.read_value()
        self._gradients: tuple[Tensor, Tensor] | None = None
        self._read: Tensor = None

    def step(self, rate: Tensor) -> None:
        """Move against the gradients of the backward pass."""
        assert self._gradients is not None, "a step follows a backward pass"
        values = self._weights, self._biases
        for variable, value, gradient in zip(self._variables, values, self._gradients, strict=True):
            variable.assign(value - rate * gradient)


class TracedDense(TracedWeighted):
    """y = W · x + b."""

    def _raw(self, *inputs: Tensor) -> Tensor:
        self._read = inputs[0]
        return tf.matmul(inputs[0], self._weights, transpose_b=True) + self._biases

    def _errors(self, error: Tensor) -> tuple[Tensor, ...]:
        self._gradients = (tf.matmul(error, self._read, transpose_a=True), error[0])
        return (tf.matmul(error, self._weights),) if self._wants_error else ()


class TracedConvolution(TracedWeighted):
    """What convolutions share: the padded input."""

    def __init__(self, network: Network, index: int, weights: Tensor, biases: Tensor) -> None:
        super().__init__(network, index, weights, biases)
        self._geometry = network.conv_geometry(index)

    def _pad(self, images: Tensor) -> Tensor:
        self._read = _padded(images, self._geometry)
        return self._read


class TracedConv(TracedConvolution):
    """A dense layer at each position of a window."""

    def _raw(self, *inputs: Tensor) -> Tensor:
        return tf.nn.conv2d(self._pad(inputs[0]), self._kernel(), self._geometry.stride, "VALID") + self._biases

    def _errors(self, error: Tensor) -> tuple[Tensor, ...]:
        self._gradients = (self._weights_gradient(error), tf.reduce_sum(error, [0, 1, 2]))
        if not self._wants_error:
            return ()
        padded = tf.nn.conv2d_transpose(error, self._kernel(), self._read.shape, self._geometry.stride, "VALID")
        return (_unpadded(padded, self._geometry, self._input_shape),)

    def _weights_gradient(self, error: Tensor) -> Tensor:
        """The input, its channels as the batch, under the error as a kernel spread by the stride."""
        (height, width), by_channel = self._geometry.kernel, tf.transpose(self._read, [3, 1, 2, 0])
        kernel = tf.transpose(error, [1, 2, 0, 3])
        sums = tf.nn.conv2d(by_channel, kernel, [1, 1], "VALID", dilations=self._geometry.stride)
        return tf.transpose(sums[:, :height, :width, :], [3, 1, 2, 0])

    def _kernel(self) -> Tensor:
        return tf.transpose(self._weights, [1, 2, 3, 0])


class TracedDepthwise(TracedConvolution):
    """One kernel a channel."""

    def _raw(self, *inputs: Tensor) -> Tensor:
        taps = _taps(self._pad(inputs[0]), self._geometry)
        return sum((tap * weight for tap, weight in zip(taps, self._tap_weights(), strict=True)), start=self._biases)

    def _errors(self, error: Tensor) -> tuple[Tensor, ...]:
        by_tap = [tf.reduce_sum(tap * error, [0, 1, 2]) for tap in _taps(self._read, self._geometry)]
        weights = tf.reshape(tf.stack(by_tap, axis=1), self._weights.shape)
        self._gradients = (weights, tf.reduce_sum(error, [0, 1, 2]))
        if not self._wants_error:
            return ()
        taps = (error * weight for weight in self._tap_weights())
        return (_gathered(taps, self._geometry, self._input_shape),)

    def _tap_weights(self) -> list[Tensor]:
        """Weights [channels] of each tap."""
        height, width = self._geometry.kernel
        return [self._weights[:, y, x] for y in range(height) for x in range(width)]


class TracedMaxPool(TracedLayer):
    """The largest value of each window; the first of equals takes the error."""

    def __init__(self, network: Network, index: int) -> None:
        super().__init__(network, index)
        self._geometry = network.conv_geometry(index)
        self._taps: list[Tensor] = []

    def _raw(self, *inputs: Tensor) -> Tensor:
        self._taps = list(_taps(_padded(inputs[0], self._geometry, _LOWEST), self._geometry))
        largest = self._taps[0]
        for tap in self._taps[1:]:
            largest = tf.maximum(largest, tap)
        self._largest = largest
        return largest

    def _errors(self, error: Tensor) -> tuple[Tensor, ...]:
        return (_gathered(self._tap_errors(error), self._geometry, self._input_shape),)

    def _tap_errors(self, error: Tensor) -> Iterator[Tensor]:
        free = tf.ones_like(error)
        for tap in self._taps:
            wins = free * _as_float(tf.equal(tap, self._largest))
            free = free - wins
            yield wins * error


class TracedAveragePool(TracedLayer):
    """The mean of the pixels under each window; padding does not count."""

    def __init__(self, network: Network, index: int) -> None:
        super().__init__(network, index)
        self._geometry = network.conv_geometry(index)

    def _raw(self, *inputs: Tensor) -> Tensor:
        taps = list(_taps(_padded(inputs[0], self._geometry), self._geometry))
        return sum(taps[1:], start=taps[0]) / self._counts()

    def _errors(self, error: Tensor) -> tuple[Tensor, ...]:
        share = error / self._counts()
        taps = [share] * (self._geometry.kernel[0] * self._geometry.kernel[1])
        return (_gathered(taps, self._geometry, self._input_shape),)

    def _counts(self) -> Tensor:
        """Pixels under each window, a constant [1, rows, columns, 1]."""
        image = np.pad(np.ones(self._input_shape[:2], np.float32), self._geometry.pads)[None, :, :, None]
        return tf.constant(sum(image[:, rows, columns] for rows, columns in tap_slices(self._geometry)))


class TracedGlobalAveragePool(TracedLayer):
    """The mean of each channel."""

    def _raw(self, *inputs: Tensor) -> Tensor:
        return tf.reduce_mean(inputs[0], [1, 2])

    def _errors(self, error: Tensor) -> tuple[Tensor, ...]:
        height, width, channels = self._input_shape
        share = tf.reshape(error / (height * width), [1, 1, 1, channels])
        return (tf.tile(share, [1, height, width, 1]),)


class TracedFlatten(TracedLayer):
    """An image as a vector."""

    def _raw(self, *inputs: Tensor) -> Tensor:
        return _copied(tf.reshape(inputs[0], [1, -1]))

    def _errors(self, error: Tensor) -> tuple[Tensor, ...]:
        return (tf.reshape(_copied(error), [1, *self._input_shape]),)


class TracedAdd(TracedLayer):
    """The sum of two tensors."""

    def _raw(self, *inputs: Tensor) -> Tensor:
        return inputs[0] + inputs[1]

    def _errors(self, error: Tensor) -> tuple[Tensor, ...]:
        return error, error


_PLAIN: dict[type[layers.Layer], Callable[[Network, int], TracedLayer]] = {
    layers.MaxPool2D: TracedMaxPool,
    layers.AveragePool2D: TracedAveragePool,
    layers.GlobalAveragePool2D: TracedGlobalAveragePool,
    layers.Flatten: TracedFlatten,
    layers.Add: TracedAdd,
}
_WEIGHTED: dict[type[layers.Layer], Callable[[Network, int, Tensor, Tensor], TracedWeighted]] = {
    layers.Dense: TracedDense,
    layers.Conv2D: TracedConv,
    layers.DepthwiseConv2D: TracedDepthwise,
}


def unweighted_layer(network: Network, index: int) -> TracedLayer:
    """Layer number `index`, which has no weights (an Activation is the plain layer itself)."""
    return _PLAIN.get(type(network.layers[index]), TracedLayer)(network, index)


def weighted_layer(network: Network, index: int, weights: Tensor, biases: Tensor) -> TracedWeighted:
    """Layer number `index` over these variables, which its step assigns."""
    return _WEIGHTED[type(network.layers[index])](network, index, weights, biases)


def _copied(vector: Tensor) -> Tensor:
    """A vector [1, n] in memory of its own.

    tflite-runtime 2.14 lets a RESHAPE share the memory of what it reads, and an operator after it that works in place
    then changes the other as well. A GATHER of everything shares nothing.
    """
    return tf.gather(vector, tf.range(vector.shape[1]), axis=1)


def _as_float(condition: Tensor) -> Tensor:
    return tf.cast(condition, tf.float32)


def _padded(images: Tensor, geometry: ConvGeometry, value: float = 0.0) -> Tensor:
    if not any(map(any, geometry.pads)):
        return images
    return tf.pad(images, [[0, 0], *geometry.pads, [0, 0]], constant_values=value)


def _unpadded(padded: Tensor, geometry: ConvGeometry, shape: tuple[int, ...]) -> Tensor:
    (top, _), (left, _) = geometry.pads
    return padded[:, top : top + shape[0], left : left + shape[1], :]


def _taps(padded: Tensor, geometry: ConvGeometry) -> Iterator[Tensor]:
    """For each pixel of the window what it sees at all positions: [1, rows, columns, channels]."""
    for rows, columns in tap_slices(geometry):
        yield padded[:, rows, columns, :]


def _gathered(taps: Iterable[Tensor], geometry: ConvGeometry, shape: tuple[int, ...]) -> Tensor:
    """The reverse of `_taps`: the sum of all that each pixel of the unpadded image [1, h, w, c] was seen as."""
    (top, bottom), (left, right) = geometry.pads
    height, width = shape[0] + top + bottom, shape[1] + left + right
    placed = [
        _placed(tap, geometry.stride, (rows.start, columns.start), (height, width))
        for tap, (rows, columns) in zip(taps, tap_slices(geometry), strict=True)
    ]
    return _unpadded(sum(placed[1:], start=placed[0]), geometry, shape)


def _placed(tap: Tensor, stride: tuple[int, int], start: tuple[int, int], size: tuple[int, int]) -> Tensor:
    """A tap spread by the stride and set into zeros of `size`, its first value at `start`."""
    _, rows, columns, channels = tap.shape
    apart = tf.reshape(tap, [rows, 1, columns, channels])
    apart = tf.pad(apart, [[0, 0], [0, stride[0] - 1], [0, 0], [0, 0]])
    apart = tf.reshape(apart, [rows * stride[0], columns, 1, channels])
    apart = tf.pad(apart, [[0, 0], [0, 0], [0, stride[1] - 1], [0, 0]])
    spread = tf.reshape(apart, [1, rows * stride[0], columns * stride[1], channels])
    spread = spread[:, : stride[0] * (rows - 1) + 1, : stride[1] * (columns - 1) + 1, :]
    after = [size[axis] - start[axis] - spread.shape[axis + 1] for axis in range(2)]
    return tf.pad(spread, [[0, 0], [start[0], after[0]], [start[1], after[1]], [0, 0]])
