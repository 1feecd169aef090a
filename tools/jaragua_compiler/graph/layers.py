"""The layers a network is described with: what each one is told, and what is wrong with it taken alone.

Images are (height, width, channels). Weights are W [out, in] (dense), [out, ky, kx, in] (convolution) or
[channel, ky, kx] (depthwise), each with one bias per output channel.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, get_args

from jaragua_compiler.operators.registry import KINDS
from jaragua_compiler.operators.registry import ActivationKind as ActivationKind

WeightFormat = Literal["w16", "w8"]
Pair = tuple[int, int]
Pads = tuple[Pair, Pair]
Padding = Literal["same", "valid"] | Pads
Problem = tuple[str, str]
"""(What is wrong, what to do about it); both sentences' parts, without the place."""

LARGEST_WIDTH = 65535  # jrg_model_info.inputs is a u16
LARGEST_WINDOW = 255
DEFAULT_SLOPE = 0.01


@dataclass(frozen=True, kw_only=True)
class Layer:
    """Any layer. It reads the output of layer number `source` (-1: the network's input), or of the one before it."""

    source: int | None = None

    def problems(self) -> Iterator[Problem]:
        """Everything wrong with the layer's own numbers."""
        if self.source is not None and not _is_whole(self.source):
            yield f"its source is {self.source!r}", "Give the number of an earlier layer, or -1 for the input."


@dataclass(frozen=True, kw_only=True)
class ActivatedLayer(Layer):
    """A layer with an activation at its end. `slope` is a leaky ReLU's factor below 0; nothing else looks at it."""

    slope: float = DEFAULT_SLOPE

    @property
    def kind(self) -> ActivationKind:
        """The activation at the layer's end."""
        kind: ActivationKind = getattr(self, "activation", "linear")
        return kind

    def problems(self) -> Iterator[Problem]:
        """Everything wrong with the layer's own numbers."""
        yield from super().problems()
        if self.kind not in KINDS:
            yield f"unknown activation {self.kind!r}", f"Use one of: {', '.join(KINDS)}."
        if self.kind == "leaky_relu" and not 0 < self.slope < 1:
            yield f"a leaky ReLU's slope is {self.slope!r}", "Give a number between 0 and 1, e.g. 0.01."


@dataclass(frozen=True, kw_only=True)
class WeightedLayer(ActivatedLayer):
    """A layer with weights and biases. It learns unless `trainable` is False; `weights` overrides the network's.

    Of a layer that learns, `trained_channels` says that only its first so many output channels do (None: all). What
    does not learn is int8 whatever the format (A10.1), and so are then the layer's other channels.
    """

    trainable: bool = True
    weights: WeightFormat | None = None
    trained_channels: int | None = None

    def problems(self) -> Iterator[Problem]:
        """Everything wrong with the layer's own numbers."""
        yield from super().problems()
        if self.weights not in (None, *get_args(WeightFormat)):
            yield f"unknown weight format {self.weights!r}", f"Use one of: {', '.join(get_args(WeightFormat))}."
        if self.trained_channels is not None and not is_width(self.trained_channels):
            hint = "Give a whole number of channels, 1 or more; trainable=False freezes all."
            yield f"its trained_channels is {self.trained_channels!r}", hint


@dataclass(frozen=True)
class Dense(WeightedLayer):
    """A fully connected layer of `units` outputs on a flat vector."""

    units: int
    activation: ActivationKind = "linear"

    def problems(self) -> Iterator[Problem]:
        """Everything wrong with the layer's own numbers."""
        yield from super().problems()
        yield from _count_problems("Dense", "units", self.units)


@dataclass(frozen=True)
class Conv2D(WeightedLayer):
    """A convolution: `filters` outputs per position. Padding: TensorFlow's names, or ((top, bottom), (left, right))."""

    filters: int
    kernel: Pair = (3, 3)
    stride: Pair = (1, 1)
    padding: Padding = "valid"
    activation: ActivationKind = "linear"

    def problems(self) -> Iterator[Problem]:
        """Everything wrong with the layer's own numbers."""
        yield from super().problems()
        yield from _count_problems("Conv2D", "filters", self.filters)
        yield from _window_problems(self.kernel, self.stride, self.padding)


@dataclass(frozen=True)
class DepthwiseConv2D(WeightedLayer):
    """A convolution of each channel with a kernel of its own (depth multiplier 1)."""

    kernel: Pair = (3, 3)
    stride: Pair = (1, 1)
    padding: Padding = "valid"
    activation: ActivationKind = "linear"

    def problems(self) -> Iterator[Problem]:
        """Everything wrong with the layer's own numbers."""
        yield from super().problems()
        yield from _window_problems(self.kernel, self.stride, self.padding)


@dataclass(frozen=True)
class PoolLayer(Layer):
    """A pool over windows of `pool` pixels, moved by `stride` (None: by the window's size). Padding never counts."""

    pool: Pair = (2, 2)
    stride: Pair | None = None
    padding: Padding = "valid"

    def problems(self) -> Iterator[Problem]:
        """Everything wrong with the layer's own numbers."""
        yield from super().problems()
        yield from _window_problems(self.pool, self.pool if self.stride is None else self.stride, self.padding)


@dataclass(frozen=True)
class MaxPool2D(PoolLayer):
    """The largest value of each window, per channel."""


@dataclass(frozen=True)
class AveragePool2D(PoolLayer):
    """The mean of each window's pixels, per channel."""


@dataclass(frozen=True)
class GlobalAveragePool2D(Layer):
    """The mean of each channel over the whole image: a flat vector."""


@dataclass(frozen=True)
class Flatten(Layer):
    """An image as a flat vector, in the order height, width, channel."""


@dataclass(frozen=True)
class Add(ActivatedLayer):
    """The sum of what it reads and the output of layer number `skip` (-1: the network's input)."""

    skip: int
    activation: ActivationKind = "linear"

    def problems(self) -> Iterator[Problem]:
        """Everything wrong with the layer's own numbers."""
        yield from super().problems()
        if not _is_whole(self.skip):
            yield f"its skip is {self.skip!r}", "Give the number of an earlier layer, or -1 for the input."


@dataclass(frozen=True)
class Activation(ActivatedLayer):
    """An activation of its own, where no layer with weights stands right before it."""

    activation: ActivationKind


LAYERS = (
    Dense,
    Conv2D,
    DepthwiseConv2D,
    MaxPool2D,
    AveragePool2D,
    GlobalAveragePool2D,
    Flatten,
    Add,
    Activation,
)


def is_width(value: object) -> bool:
    """True for a whole number a width, or a count of units or filters, can be."""
    return isinstance(value, int) and _is_whole(value) and 1 <= value <= LARGEST_WIDTH


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _count_problems(layer: str, noun: str, count: object) -> Iterator[Problem]:
    if not is_width(count):
        yield f"{layer} has {count!r} {noun}", f"Give a whole number of {noun}, 1 to {LARGEST_WIDTH}."


def _window_problems(kernel: object, stride: object, padding: object) -> Iterator[Problem]:
    for name, pair, least in (("window", kernel, 1), ("stride", stride, 1)):
        if not _is_pair(pair, least):
            yield f"its {name} is {pair!r}", f"Give (height, width), each {least} to {LARGEST_WINDOW}."
    if padding in ("same", "valid"):
        return
    if not (isinstance(padding, tuple) and len(padding) == 2 and all(_is_pair(pair, 0) for pair in padding)):
        yield f"its padding is {padding!r}", "Use 'same', 'valid' or ((top, bottom), (left, right))."


def _is_pair(value: object, least: int) -> bool:
    if not (isinstance(value, tuple) and len(value) == 2):
        return False
    return all(_is_whole(size) and least <= size <= LARGEST_WINDOW for size in value)
