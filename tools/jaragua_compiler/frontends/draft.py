"""A network in the terms all front ends share: nodes as a file has them, before anything is folded.

Values are flat (n,) or images (height, width, channels), as in network.py. What a file says in several nodes (a batch
normalisation, a bias, an activation, padding of its own) is a node here; assemble.py makes layers of them.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np

from jaragua_compiler.errors import CompileError
from jaragua_compiler.graph import layers
from jaragua_compiler.graph.initial_weights import FloatArray
from jaragua_compiler.graph.layers import DEFAULT_SLOPE, LARGEST_WIDTH, ActivationKind, Padding, Pads, Pair
from jaragua_compiler.graph.shapes import Shape, ShapeProblem, conv_geometry_of, output_shape

Handle = int
"""A value of the draft."""


class Learned(NamedTuple):
    """The numbers of a layer with weights, outputs first, and whether it trains; without a bias it has zeros."""

    weights: FloatArray
    bias: FloatArray | None = None
    trainable: bool = True


@dataclass(frozen=True)
class Input:
    """The network's input, or the same numbers seen in another shape."""


@dataclass(frozen=True)
class Affine:
    """y = scale · x + shift, per channel: a batch normalisation, or a bias."""

    scale: FloatArray
    shift: FloatArray


@dataclass(frozen=True)
class ZeroPad:
    """Zeros around an image."""

    pads: Pads


@dataclass(frozen=True)
class Softmax:
    """Probabilities; at the end of a network a part of its loss."""


@dataclass(frozen=True)
class Node:
    """One step of a draft. `place` names it as its file does; `weights` are (W, b) as layers.py has them."""

    place: str
    step: layers.Layer | Input | Affine | ZeroPad | Softmax
    operands: tuple[Handle, ...]
    shape: Shape
    weights: tuple[FloatArray, FloatArray] | None = None


class Stored(NamedTuple):
    """Weights as a file stores them: `key` is the same wherever the file means the same numbers."""

    key: Hashable
    name: str


def refusal(place: str, reason: str, nearest: str) -> CompileError:
    """What every front end says of a part it cannot take."""
    return CompileError(f"{place}: {reason}.", f"Nearest supported: {nearest}.")


class Draft:
    """Grows node by node; each method returns the handle of a new value. All raise CompileError that names the place.

    weights are arrays of floats; a bias of None is one of zeros (a device trains a bias in any case).
    """

    def __init__(self) -> None:
        self.nodes: list[Node] = []
        self.stored: dict[Handle, list[Stored]] = {}
        self.sample_shape: Shape = ()
        self.sample_strides: tuple[int, ...] | None = None

    def shape(self, value: Handle) -> Shape:
        """The shape of a value."""
        return self.nodes[value].shape

    def input(self, place: str, shape: Shape) -> Handle:
        """The network's input, in the shape in which the file has a sample."""
        if min(shape, default=0) < 1 or math.prod(shape) > LARGEST_WIDTH:
            raise refusal(place, f"its shape is {shape}", f"1 to {LARGEST_WIDTH} numbers")
        self.sample_shape = shape
        return self._append(Node(place, Input(), (), shape))

    def reshape(self, place: str, value: Handle, shape: Shape) -> Handle:
        """The same numbers in another shape: a flat vector of any value, or any shape of the network's input."""
        before = self.nodes[value]
        if math.prod(before.shape) != math.prod(shape) or min(shape, default=0) < 1:
            raise refusal(place, f"it reshapes {before.shape} to {shape}", "a shape of as many numbers")
        if shape == before.shape:
            return value
        if isinstance(before.step, Input):
            return self._append(Node(before.place, Input(), (), shape))
        if len(shape) != 1:
            raise refusal(place, f"it reshapes {before.shape} to {shape}", "a Flatten, or an image as the input")
        return self._layer(place, layers.Flatten(), (value,))

    def learns_from(self, value: Handle, stored: Iterable[Stored]) -> None:
        """Which weights of the file a value's layer learns: no other layer may have the same ones."""
        self.stored.setdefault(value, []).extend(stored)

    def flatten(self, place: str, value: Handle) -> Handle:
        """All numbers as a vector, in the order height, width, channel."""
        return self.reshape(place, value, (math.prod(self.shape(value)),))

    def dense(self, place: str, value: Handle, learned: Learned) -> Handle:
        """weights [out, in]."""
        units = _axis_size(place, learned.weights, 2)
        layer = layers.Dense(units, trainable=learned.trainable)
        return self._weighted(place, layer, value, learned, (units, *self.shape(value)))

    def conv(self, place: str, value: Handle, learned: Learned, stride: Pair, padding: Padding) -> Handle:
        """weights [out, ky, kx, in]."""
        filters = _axis_size(place, learned.weights, 4)
        kernel = learned.weights.shape[1:3]
        found = self._padding(place, layers.Conv2D(filters, kernel, stride, padding), value)
        layer = layers.Conv2D(filters, kernel, stride, found, trainable=learned.trainable)
        return self._weighted(place, layer, value, learned, (filters, *kernel, *self.shape(value)[2:]))

    def depthwise(self, place: str, value: Handle, learned: Learned, stride: Pair, padding: Padding) -> Handle:
        """weights [channel, ky, kx]."""
        _axis_size(place, learned.weights, 3)
        kernel = learned.weights.shape[1:3]
        found = self._padding(place, layers.DepthwiseConv2D(kernel, stride, padding), value)
        layer = layers.DepthwiseConv2D(kernel, stride, found, trainable=learned.trainable)
        return self._weighted(place, layer, value, learned, (*self.shape(value)[2:], *kernel))

    def pool(
        self, place: str, value: Handle, kind: Literal["max", "average"], pool: Pair, stride: Pair, padding: Padding
    ) -> Handle:
        """Padding never counts in a mean and never is a maximum."""
        layer = layers.MaxPool2D if kind == "max" else layers.AveragePool2D
        found = self._padding(place, layer(pool, stride, padding), value)
        return self._layer(place, layer(pool, None if stride == pool else stride, found), (value,))

    def global_average_pool(self, place: str, value: Handle) -> Handle:
        """The mean of each channel, flat."""
        return self._layer(place, layers.GlobalAveragePool2D(), (value,))

    def activation(self, place: str, value: Handle, kind: ActivationKind, slope: float = DEFAULT_SLOPE) -> Handle:
        """`slope` only matters to a leaky ReLU."""
        if kind == "linear":
            return value
        layer = layers.Activation(kind, slope=slope) if kind == "leaky_relu" else layers.Activation(kind)
        return self._layer(place, layer, (value,))

    def add(self, place: str, first: Handle, second: Handle) -> Handle:
        """The sum of two values of one shape."""
        return self._layer(place, layers.Add(-1), (first, second))

    def affine(self, place: str, value: Handle, scale: FloatArray, shift: FloatArray) -> Handle:
        """scale · x + shift; both have one number per channel, or one for all."""
        channels = self.shape(value)[-1]
        if any(numbers.size not in (1, channels) for numbers in (scale, shift)):
            raise refusal(
                place, f"it has {max(scale.size, shift.size)} factors for {channels} channels", "one a channel"
            )
        step = Affine(*(_finite(place, np.broadcast_to(numbers.reshape(-1), channels)) for numbers in (scale, shift)))
        return self._append(Node(place, step, (value,), self.shape(value)))

    def zero_pad(self, place: str, value: Handle, pads: Pads) -> Handle:
        """Zeros around an image."""
        shape = self.shape(value)
        if len(shape) != 3 or min(map(min, pads)) < 0:
            raise refusal(place, f"it pads {shape} by {pads}", "rows and columns of zeros around an image")
        height, width = (size + sum(pair) for size, pair in zip(shape, pads, strict=False))
        return self._append(Node(place, ZeroPad(pads), (value,), (height, width, shape[2])))

    def softmax(self, place: str, value: Handle) -> Handle:
        """Probabilities."""
        return self._append(Node(place, Softmax(), (value,), self.shape(value)))

    def _padding(self, place: str, layer: layers.Layer, value: Handle) -> Padding:
        """The one way to say a layer's padding: 'valid', 'same', or the rows and columns its window touches."""
        for problem, hint in layer.problems():
            raise CompileError(f"{place}: {problem}.", hint)
        try:
            return canonical_padding(layer, self.shape(value))
        except ShapeProblem as error:
            raise CompileError(f"{place}: {error.problem}.", error.hint) from None

    def _weighted(self, place: str, layer: layers.Layer, value: Handle, learned: Learned, wanted: Shape) -> Handle:
        """wanted: the shape of weights that fit what the layer reads."""
        weights, outputs = learned.weights, learned.weights.shape[0]
        bias = np.zeros(outputs) if learned.bias is None else learned.bias
        self._output_shape(place, layer, (value,))
        if weights.shape != wanted or bias.shape != (outputs,):
            shapes = f"{weights.shape} and {bias.shape}"
            raise refusal(place, f"its weights {shapes} do not fit what it reads, {self.shape(value)}", f"{wanted}")
        return self._layer(place, layer, (value,), (_finite(place, weights), _finite(place, bias)))

    def _layer(
        self,
        place: str,
        layer: layers.Layer,
        operands: tuple[Handle, ...],
        weights: tuple[FloatArray, FloatArray] | None = None,
    ) -> Handle:
        return self._append(Node(place, layer, operands, self._output_shape(place, layer, operands), weights))

    def _output_shape(self, place: str, layer: layers.Layer, operands: tuple[Handle, ...]) -> Shape:
        for problem, hint in layer.problems():
            raise CompileError(f"{place}: {problem}.", hint)
        try:
            return output_shape(layer, *(self.shape(operand) for operand in operands))
        except ShapeProblem as error:
            raise CompileError(f"{place}: {error.problem}.", error.hint) from None

    def _append(self, node: Node) -> Handle:
        self.nodes.append(node)
        return len(self.nodes) - 1


def canonical_padding(layer: layers.Layer, shape: Shape) -> Padding:
    """The simplest way to write a layer's padding on an image of this shape. Raises ShapeProblem."""
    pads = conv_geometry_of(layer, shape).pads
    if not any(map(any, pads)):
        return "valid"
    same = conv_geometry_of(_with_same_padding(layer), shape)
    return "same" if same == conv_geometry_of(layer, shape) else pads


def _with_same_padding(layer: layers.Layer) -> layers.Layer:
    if isinstance(layer, layers.MaxPool2D | layers.AveragePool2D):
        return layers.MaxPool2D(layer.pool, layer.stride, "same")
    assert isinstance(layer, layers.Conv2D | layers.DepthwiseConv2D)
    return layers.DepthwiseConv2D(layer.kernel, layer.stride, "same")


def _axis_size(place: str, weights: FloatArray, axes: int) -> int:
    """The size of the first of `axes` axes."""
    if weights.ndim != axes:
        raise refusal(place, f"its weights have the shape {weights.shape}", f"weights of {axes} axes")
    return int(weights.shape[0])


def _finite(place: str, numbers: FloatArray) -> FloatArray:
    values = np.asarray(numbers, dtype=np.float64)
    if not np.isfinite(values).all():
        raise CompileError(f"{place}: its weights are not all finite numbers.", "Train or save the model again.")
    return values
