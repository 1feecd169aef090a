"""Which shapes the tensors of a network have, from its input to its output. Pure."""

from __future__ import annotations

import math
from dataclasses import dataclass

from jaragua_compiler.graph import layers
from jaragua_compiler.graph.layers import Padding, Pads, Pair

Shape = tuple[int, ...]
"""(n,) of a flat vector, or (height, width, channels)."""

_IMAGE_HINT = "Give the network inputs=(height, width, channels), and no Flatten before it."


class ShapeProblem(Exception):
    """A layer cannot read what is given to it."""

    def __init__(self, problem: str, hint: str) -> None:
        super().__init__(problem)
        self.problem = problem
        self.hint = hint


@dataclass(frozen=True)
class ConvGeometry:
    """A window that moves over an image, as it really is: `pads` are the rows and columns of padding it touches."""

    kernel: Pair
    stride: Pair
    pads: Pads
    positions: Pair
    """Rows and columns of the output."""


def conv_geometry_of(layer: layers.Layer, shape: Shape) -> ConvGeometry:
    """The window of a convolution or a pool on an image of this shape. Raises ShapeProblem."""
    if len(shape) != 3:
        raise ShapeProblem(f"{type(layer).__name__} reads a flat vector of {shape[0]}", _IMAGE_HINT)
    kernel, stride, padding = _geometry_numbers(layer)
    names = ("high", "wide")
    axes = [_axis(*numbers) for numbers in zip(names, shape, kernel, stride, _axis_paddings(padding), strict=False)]
    (rows, vertical), (columns, horizontal) = axes
    return ConvGeometry(kernel, stride, (vertical, horizontal), (rows, columns))


def output_shape(layer: layers.Layer, shape: Shape, skip_shape: Shape | None = None) -> Shape:
    """The shape a layer makes of what it reads (Add: and of what it adds to that). Raises ShapeProblem."""
    if isinstance(layer, layers.Dense):
        return _dense_shape(layer, shape)
    if isinstance(layer, layers.Conv2D):
        return (*conv_geometry_of(layer, shape).positions, layer.filters)
    if isinstance(layer, layers.DepthwiseConv2D | layers.PoolLayer):
        return (*conv_geometry_of(layer, shape).positions, shape[2])
    if isinstance(layer, layers.GlobalAveragePool2D):
        return _global_pool_shape(shape)
    if isinstance(layer, layers.Flatten):
        return (math.prod(shape),)
    if isinstance(layer, layers.Add) and shape != skip_shape:
        raise ShapeProblem(f"it adds {skip_shape} to {shape}", "Add tensors of one shape, e.g. behind a 1×1 Conv2D.")
    return shape


def _dense_shape(layer: layers.Dense, shape: Shape) -> Shape:
    if len(shape) != 1:
        raise ShapeProblem(f"Dense reads an image {shape}", "Put a Flatten or a GlobalAveragePool2D before it.")
    return (layer.units,)


def _global_pool_shape(shape: Shape) -> Shape:
    if len(shape) != 3:
        raise ShapeProblem(f"GlobalAveragePool2D reads a flat vector of {shape[0]}", _IMAGE_HINT)
    return shape[2:]


def _geometry_numbers(layer: layers.Layer) -> tuple[Pair, Pair, Padding]:
    if isinstance(layer, layers.PoolLayer):
        return layer.pool, layer.stride or layer.pool, layer.padding
    if isinstance(layer, layers.Conv2D | layers.DepthwiseConv2D):
        return layer.kernel, layer.stride, layer.padding
    raise TypeError(f"{type(layer).__name__} has no window")


def _axis_paddings(padding: Padding) -> tuple[Pair | str, Pair | str]:
    return (padding, padding) if isinstance(padding, str) else padding


def _axis(name: str, size: int, kernel: int, stride: int, padding: Pair | str) -> tuple[int, Pair]:
    """Positions along one axis, and the padding (before, after) the windows there touch."""
    if padding == "same":
        positions = -(-size // stride)
        before = max(0, (positions - 1) * stride + kernel - size) // 2
    else:
        before, after = (0, 0) if isinstance(padding, str) else padding
        if max(before, after) >= kernel:
            problem = f"its padding {(before, after)} is as large as its window of {kernel}"
            raise ShapeProblem(problem, "Pad by less than the window: nothing else would be in it.")
        if size + before + after < kernel:
            problem = f"its window is {kernel} {name}, the padded image {size + before + after}"
            raise ShapeProblem(problem, "Use a smaller window, padding='same', or fewer pools before it.")
        positions = (size + before + after - kernel) // stride + 1
    return positions, (before, max(0, (positions - 1) * stride + kernel - size - before))
