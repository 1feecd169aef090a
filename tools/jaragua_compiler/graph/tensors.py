"""Network -> graph: tensors and the operators between them, the form the planner reads.

A flatten is no operator: every tensor lies in memory as height, width, channel without gaps, so it is the same tensor.
An activation other than ReLU is an operator of its own, behind the layer that ends in it.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Literal

from jaragua_compiler.graph import layers
from jaragua_compiler.graph.network import ConvGeometry, Network, Shape
from jaragua_compiler.operators.descriptor import Unweighted
from jaragua_compiler.operators.registry import ACTIVATIONS, ADD, POOLS


@dataclass(frozen=True)
class Tensor:
    """An activation, (n,) or (height, width, channels); `rectified` if a ReLU made it (0 means: no error passes)."""

    shape: Shape
    rectified: bool = False

    @property
    def size(self) -> int:
        """How many numbers it has."""
        return math.prod(self.shape)


@dataclass(frozen=True, kw_only=True)
class Operator:
    """Reads the tensors `inputs`, writes the tensor `output` (indices); made from layer number `layer`."""

    layer: int
    inputs: tuple[int, ...]
    output: int

    @property
    def input(self) -> int:
        """The tensor read first."""
        return self.inputs[0]


@dataclass(frozen=True, kw_only=True)
class UnweightedOperator(Operator, ABC):
    """An operator without weights; what it is stands in its descriptor (jaragua_compiler.operators)."""

    @property
    @abstractmethod
    def properties(self) -> Unweighted:
        """The properties of its descriptor."""


@dataclass(frozen=True, kw_only=True)
class DenseOperator(Operator):
    """output = W · input + bias, then ReLU if the tensor `output` is rectified."""


@dataclass(frozen=True, kw_only=True)
class WindowOperator(Operator):
    """Weights that move over an image with a window."""

    geometry: ConvGeometry


@dataclass(frozen=True, kw_only=True)
class ConvOperator(WindowOperator):
    """A dense layer at every position of a window, then ReLU if the tensor `output` is rectified."""


@dataclass(frozen=True, kw_only=True)
class DepthwiseOperator(WindowOperator):
    """One kernel a channel at every position of a window, then ReLU if the tensor `output` is rectified."""


@dataclass(frozen=True, kw_only=True)
class PoolOperator(UnweightedOperator):
    """The largest or the mean value of every window, channel by channel."""

    kind: Literal["max", "average"]
    geometry: ConvGeometry

    @property
    def properties(self) -> Unweighted:
        """Of a pool of its kind."""
        return POOLS[self.kind]


@dataclass(frozen=True, kw_only=True)
class AddOperator(UnweightedOperator):
    """The sum of two tensors, then ReLU if the tensor `output` is rectified."""

    @property
    def properties(self) -> Unweighted:
        """Of a sum."""
        return ADD


@dataclass(frozen=True, kw_only=True)
class ActivationOperator(UnweightedOperator):
    """An activation of its own: `kind` as in layers.py; `slope` of a leaky ReLU."""

    kind: str
    slope: float

    @property
    def properties(self) -> Unweighted:
        """Of an activation of its kind."""
        return ACTIVATIONS[self.kind].properties


@dataclass(frozen=True)
class Graph:
    """Operators in the order of execution; tensor 0 is the network's input, `output` its output."""

    tensors: tuple[Tensor, ...]
    operators: tuple[Operator, ...]
    output: int

    def consumers(self, tensor: int) -> list[Operator]:
        """The operators that read a tensor (A2.4: the narrowest decides its width)."""
        return [operator for operator in self.operators if tensor in operator.inputs]


def build_graph(network: Network) -> Graph:
    """The graph of a network: its layers one by one, activations other than a layer's ReLU behind it."""
    builder = _Builder(network)
    for index in range(len(network.layers)):
        builder.take(index)
    return Graph(tensors=tuple(builder.tensors), operators=tuple(builder.operators), output=builder.made[-1])


class _Builder:
    """The tensors and operators so far; `made` is the graph's tensor of each tensor of the network."""

    def __init__(self, network: Network) -> None:
        self._network = network
        self.tensors = [Tensor(network.shapes[0])]
        self.operators: list[Operator] = []
        self.made = [0]

    def take(self, index: int) -> None:
        """Add the operators of layer number `index`."""
        layer = self._network.layers[index]
        output = self.made[self._network.operands(index)[0]]
        if not isinstance(layer, layers.Flatten | layers.Activation):
            output = self._layer(index, layer)
        if isinstance(layer, layers.ActivatedLayer) and self._has_operator(layer):
            output = self._activation(index, layer, output)
        self.made.append(output)

    def _has_operator(self, layer: layers.ActivatedLayer) -> bool:
        return layer.kind != "linear" and (isinstance(layer, layers.Activation) or layer.kind != "relu")

    def _layer(self, index: int, layer: layers.Layer) -> int:
        inputs = tuple(self.made[tensor] for tensor in self._network.operands(index))
        rectified = isinstance(layer, layers.ActivatedLayer) and layer.kind == "relu"
        output = self._new_tensor(index, rectified)
        self.operators.append(_operator(self._network, index, inputs, output))
        return output

    def _activation(self, index: int, layer: layers.ActivatedLayer, tensor: int) -> int:
        output = self._new_tensor(index, layer.kind == "relu")
        self.operators.append(
            ActivationOperator(layer=index, inputs=(tensor,), output=output, kind=layer.kind, slope=layer.slope)
        )
        return output

    def _new_tensor(self, index: int, rectified: bool) -> int:
        self.tensors.append(Tensor(self._network.shapes[index + 1], rectified))
        return len(self.tensors) - 1


def _operator(network: Network, index: int, inputs: tuple[int, ...], output: int) -> Operator:
    layer = network.layers[index]
    if isinstance(layer, layers.Dense):
        return DenseOperator(layer=index, inputs=inputs, output=output)
    if isinstance(layer, layers.Conv2D):
        return ConvOperator(layer=index, inputs=inputs, output=output, geometry=network.conv_geometry(index))
    if isinstance(layer, layers.DepthwiseConv2D):
        return DepthwiseOperator(layer=index, inputs=inputs, output=output, geometry=network.conv_geometry(index))
    if isinstance(layer, layers.Add):
        return AddOperator(layer=index, inputs=inputs, output=output)
    kind: Literal["max", "average"] = "max" if isinstance(layer, layers.MaxPool2D) else "average"
    geometry = _whole(network, index) if isinstance(layer, layers.GlobalAveragePool2D) else network.conv_geometry(index)
    return PoolOperator(layer=index, inputs=inputs, output=output, kind=kind, geometry=geometry)


def _whole(network: Network, index: int) -> ConvGeometry:
    """The window of a global pool: the whole image, at one position."""
    height, width, _ = network.shapes[network.operands(index)[0]]
    return ConvGeometry(kernel=(height, width), stride=(height, width), pads=((0, 0), (0, 0)), positions=(1, 1))
