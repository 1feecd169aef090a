"""The light description of a network: what a model of the zoo writes down and what the front ends produce."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal, get_args

from jaragua_compiler.errors import CompileError
from jaragua_compiler.graph.layers import (
    LARGEST_WIDTH,
    LAYERS,
    ActivatedLayer,
    Activation,
    ActivationKind,
    Add,
    AveragePool2D,
    Conv2D,
    Dense,
    DepthwiseConv2D,
    Flatten,
    GlobalAveragePool2D,
    Layer,
    MaxPool2D,
    Problem,
    WeightedLayer,
    WeightFormat,
    is_width,
)
from jaragua_compiler.graph.shapes import ConvGeometry, Shape, ShapeProblem, conv_geometry_of, output_shape
from jaragua_compiler.operators.registry import ACTIVATIONS

__all__ = [
    "ActivatedLayer",
    "Activation",
    "ActivationKind",
    "Add",
    "AveragePool2D",
    "Conv2D",
    "ConvGeometry",
    "Dense",
    "DepthwiseConv2D",
    "Flatten",
    "GlobalAveragePool2D",
    "Layer",
    "Loss",
    "MaxPool2D",
    "Network",
    "Shape",
    "WeightFormat",
    "WeightedLayer",
]

Loss = Literal["softmax_cross_entropy", "mean_squared_error"]

_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,31}")
NAME_HINT = "Use 1 to 32 of a-z, 0-9 and '-', e.g. 'digits'."
LARGEST_DEPTH = 255  # A6: the number of layers is a u8
LARGEST_TENSOR = 1 << 24  # far beyond any board; keeps offsets in 32 bits
LARGEST_ERROR_WIDTH = 511  # A5.5: above it the sum of A5.7 would leave int32


@dataclass(frozen=True)
class Network:
    """A feed-forward network on a flat vector of `inputs` numbers, or on an image (height, width, channels).

    Tensor 0 is the input, tensor l + 1 the output of layer l; the last one is the network's output. `output_range` is
    the largest magnitude of a regression's outputs and targets, in their own unit; a classifier ignores it (its logits
    have a fixed format, A2.5). Raises CompileError if the description makes no sense.
    """

    name: str
    inputs: int | tuple[int, int, int]
    layers: tuple[Layer, ...]
    loss: Loss = "softmax_cross_entropy"
    output_range: float = 8.0
    weights: WeightFormat = "w16"
    held: int = 0
    """So many first layers with weights are in the blob and do not learn (R35.2)."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "layers", tuple(self.layers))
        for problem, hint in _problems(self):
            raise CompileError(f"network {self.name!r}: {problem}.", hint)

    @property
    def input_size(self) -> int:
        """Numbers in one input."""
        return math.prod(self.shapes[0])

    @property
    def outputs(self) -> int:
        """Numbers in the last layer's output."""
        return self.shapes[-1][0]

    @property
    def classifier(self) -> bool:
        """True if a target is one class label instead of `outputs` numbers."""
        return self.loss == "softmax_cross_entropy"

    @property
    def targets(self) -> int:
        """int16 numbers in one target: a label, or one number per output."""
        return 1 if self.classifier else self.outputs

    @cached_property
    def shapes(self) -> tuple[Shape, ...]:
        """The shape of every tensor: of the input, then of each layer's output."""
        shapes: list[Shape] = [(self.inputs,) if isinstance(self.inputs, int) else self.inputs]
        for index, layer in enumerate(self.layers):
            try:
                shapes.append(output_shape(layer, *(shapes[tensor] for tensor in self.operands(index))))
            except ShapeProblem as error:
                raise ShapeProblem(f"layer {index}: {error.problem}", error.hint) from None
        return tuple(shapes)

    def operands(self, index: int) -> tuple[int, ...]:
        """The tensors layer number `index` reads: one, or of an Add its source and what it adds to that."""
        layer = self.layers[index]
        source = index if layer.source is None else layer.source + 1
        return (source, layer.skip + 1) if isinstance(layer, Add) else (source,)

    def conv_geometry(self, index: int) -> ConvGeometry:
        """Kernel, stride and true padding of layer number `index`, a convolution or a pool."""
        return conv_geometry_of(self.layers[index], self.shapes[self.operands(index)[0]])

    @cached_property
    def weighted(self) -> tuple[int, ...]:
        """The numbers of the layers with weights, in order; lists of weights have one (W, b) for each of them."""
        return tuple(index for index, layer in enumerate(self.layers) if isinstance(layer, WeightedLayer))

    def weight_shapes(self, index: int) -> tuple[Shape, Shape]:
        """The shapes of W and b of layer number `index` (layers.py says which axis is which)."""
        layer, shape = self.layers[index], self.shapes[self.operands(index)[0]]
        if isinstance(layer, Dense):
            return (layer.units, shape[0]), (layer.units,)
        if isinstance(layer, Conv2D):
            return (layer.filters, *layer.kernel, shape[2]), (layer.filters,)
        if isinstance(layer, DepthwiseConv2D):
            return (shape[2], *layer.kernel), (shape[2],)
        raise TypeError(f"layer {index}, {type(layer).__name__}, has no weights")

    def weight_format(self, index: int) -> WeightFormat:
        """How the weights of layer number `index` are stored: as the layer says, or else as the network does.

        A layer that does not learn, or not with all its channels, has int8 weights (A10.1, A10.7).
        The last layer of a network of int8 weights keeps int16 unless it says else: in few-shot learning it moves the
        furthest, and int8 costs more accuracy there than in all other layers together (docs/results/accuracy.md).
        """
        layer = self.layers[index]
        if not self.trains_whole(index):
            return "w8"
        own = layer.weights if isinstance(layer, WeightedLayer) else None
        return own or ("w16" if index == self.weighted[-1] else self.weights)

    def trains(self, index: int) -> bool:
        """True if layer number `index` is no constant of the image: it learns, or others learn it (R35)."""
        layer = self.layers[index]
        return isinstance(layer, WeightedLayer) and layer.trainable

    def holds(self, index: int) -> bool:
        """True if layer number `index` comes with every blob, and goes back as it came (R35.2)."""
        return index in self.weighted[: self.held]

    def learns(self, index: int) -> bool:
        """True if a device changes layer number `index`."""
        return self.trains(index) and not self.holds(index)

    def training_head(self) -> Network:
        """The network that trains its last layer alone and holds the others. Raises CompileError if it has no other."""
        if len(self.weighted) < 2:
            raise CompileError(
                f"network {self.name!r} has one layer with weights: no other is left to hold.", "Train all of it."
            )
        return replace(self, held=len(self.weighted) - 1)

    def trained_rows(self, index: int) -> int:
        """How many output channels of layer number `index`, one with weights, learn: so many first ones."""
        layer, (_, (rows,)) = self.layers[index], self.weight_shapes(index)
        chosen = layer.trained_channels if isinstance(layer, WeightedLayer) else None
        return (rows if chosen is None else chosen) if self.trains(index) else 0

    def trains_whole(self, index: int) -> bool:
        """True if all of layer number `index`, one with weights, learns."""
        return self.trained_rows(index) == self.weight_shapes(index)[1][0]

    @property
    def frozen(self) -> bool:
        """True if some weights do not learn (A10)."""
        return not all(self.trains_whole(index) for index in self.weighted)

    @cached_property
    def needs_error(self) -> tuple[bool, ...]:
        """Per tensor: True if its error must be computed, because a layer that made it, or one before, learns."""
        needed = [False]
        for index in range(len(self.layers)):
            needed.append(self.learns(index) or any(needed[tensor] for tensor in self.operands(index)))
        return tuple(needed)


def is_name(name: object) -> bool:
    """True for what a network can be called."""
    return isinstance(name, str) and _NAME.fullmatch(name) is not None


def _problems(network: Network) -> Iterator[Problem]:
    """Everything wrong with a description, the first thing to repair first."""
    yield from _frame_problems(network)
    for index, layer in enumerate(network.layers):
        yield from ((f"layer {index}: {problem}", hint) for problem, hint in _layer_problems(layer, index))
    yield from _shape_problems(network)
    yield from _use_problems(network)
    yield from _head_problems(network)


def _frame_problems(network: Network) -> Iterator[Problem]:
    if not is_name(network.name):
        yield "its name is not an identifier", NAME_HINT
    yield from _input_problems(network.inputs)
    if not network.layers:
        yield "it has no layer", "Give at least one Dense layer."
    if len(network.layers) > LARGEST_DEPTH:
        yield f"it has {len(network.layers)} layers", f"Use at most {LARGEST_DEPTH}."
    if network.loss not in get_args(Loss):
        yield f"unknown loss {network.loss!r}", f"Use one of: {', '.join(get_args(Loss))}."
    if not 0 < network.output_range < float("inf"):
        yield f"output_range is {network.output_range!r}", "Give the targets' largest magnitude, above 0."
    if network.held < 0:
        yield f"{network.held} of its layers are held", "Give 0 or more."
    if network.weights not in get_args(WeightFormat):
        yield f"unknown weight format {network.weights!r}", f"Use one of: {', '.join(get_args(WeightFormat))}."


def _input_problems(inputs: object) -> Iterator[Problem]:
    if isinstance(inputs, tuple):
        if len(inputs) != 3 or not all(is_width(size) for size in inputs) or math.prod(inputs) > LARGEST_WIDTH:
            yield f"it has the inputs {inputs!r}", f"Give (height, width, channels), at most {LARGEST_WIDTH} numbers."
    elif not is_width(inputs):
        yield f"it has {inputs!r} inputs", f"Give a whole number of inputs, 1 to {LARGEST_WIDTH}."


def _layer_problems(layer: object, index: int) -> Iterator[Problem]:
    if not isinstance(layer, LAYERS):
        names = ", ".join(kind.__name__ for kind in LAYERS)
        yield f"{type(layer).__name__} is not a layer", f"Use one of: {names}."
        return
    yield from layer.problems()
    skip = layer.skip if isinstance(layer, Add) else None
    for name, number in (("source", layer.source), ("skip", skip)):
        if number is not None and not -1 <= number < index:
            yield f"its {name} is layer {number}", "Name an earlier layer, or -1 for the network's input."
    if skip is not None and skip == (index - 1 if layer.source is None else layer.source):
        yield "it adds a tensor to itself", "Name another layer as skip."


def _shape_problems(network: Network) -> Iterator[Problem]:
    try:
        shapes = network.shapes
    except ShapeProblem as error:
        yield error.problem, error.hint
        return
    for index, layer in enumerate(network.layers):
        if math.prod(shapes[index + 1]) > LARGEST_TENSOR:
            yield (
                f"layer {index}: {type(layer).__name__} makes {math.prod(shapes[index + 1])} numbers",
                f"Stay within {LARGEST_TENSOR}: use a larger stride, or a pool before it.",
            )
        yield from _channel_problems(network, index)
        passes_error = network.needs_error[network.operands(index)[0]]
        is_head = index == len(network.layers) - 1  # its width is a matter of integers, so of plan()
        if isinstance(layer, Dense) and passes_error and not is_head and layer.units > LARGEST_ERROR_WIDTH:
            yield (
                f"layer {index}: Dense has {layer.units} units",
                f"Give a whole number of units here, 1 to {LARGEST_ERROR_WIDTH}.",
            )


def _channel_problems(network: Network, index: int) -> Iterator[Problem]:
    if index in network.weighted and network.trained_rows(index) > network.weight_shapes(index)[1][0]:
        channels = network.weight_shapes(index)[1][0]
        yield (
            f"layer {index}: {network.trained_rows(index)} of its channels are to train, it has {channels}",
            f"Give 1 to {channels}, or leave the number out.",
        )


def _use_problems(network: Network) -> Iterator[Problem]:
    """Every tensor is read, and something learns: what a device would compute for nothing is a mistake."""
    read = {tensor for index in range(len(network.layers)) for tensor in network.operands(index)}
    for tensor in range(len(network.layers)):
        if tensor not in read:
            place = f"layer {tensor - 1}: nothing reads its output" if tensor else "nothing reads the input"
            yield place, "Leave it out, or name it as the source or skip of a later layer."
    if not any(network.learns(index) for index in network.weighted):
        yield "no layer in it learns", "Give it a layer with weights and trainable=True."


def _head_problems(network: Network) -> Iterator[Problem]:
    if len(network.shapes[-1]) != 1:
        yield f"it ends in an image {network.shapes[-1]}", "End with a Dense, GlobalAveragePool2D or Flatten."
    kind = _last_activation(network)
    if kind != "linear":
        hint = "End with a linear layer: the loss works on its raw outputs."
        yield f"the last layer has a {ACTIVATIONS[kind].properties.label}", hint
    if not is_width(network.outputs):
        yield f"it has {network.outputs} outputs", f"Give it 1 to {LARGEST_WIDTH}."
    if network.classifier and network.outputs < 2:
        yield "softmax cross-entropy with one output", "Use two outputs, or loss='mean_squared_error'."


def _last_activation(network: Network) -> ActivationKind:
    """The activation the outputs come from, looking through layers that only arrange numbers anew."""
    index = len(network.layers) - 1
    while isinstance(network.layers[index], Flatten) and network.operands(index)[0] > 0:
        index = network.operands(index)[0] - 1
    layer = network.layers[index]
    return layer.kind if isinstance(layer, ActivatedLayer) else "linear"
