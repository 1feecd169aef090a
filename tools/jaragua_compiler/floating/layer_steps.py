"""The way forward and back through one layer, on arrays as well as on tensors that a runtime computes later."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Generic, TypeVar

from jaragua_compiler.graph.layers import ActivatedLayer
from jaragua_compiler.graph.network import ConvGeometry, Network
from jaragua_compiler.operators.descriptor import Activation
from jaragua_compiler.operators.registry import ACTIVATIONS

Values = TypeVar("Values")


class LayerSteps(ABC, Generic[Values]):
    """A layer. A subclass computes `_raw`, the values before the activation, and the errors below it."""

    before_activation: Values
    _output: Values

    def __init__(self, network: Network, index: int) -> None:
        layer = network.layers[index]
        operands = network.operands(index)
        kind = layer.kind if isinstance(layer, ActivatedLayer) else "linear"
        self._activation = None if kind == "linear" else ACTIVATIONS[kind]
        self._slope = layer.slope if isinstance(layer, ActivatedLayer) else 0.0
        self._input_shape = network.shapes[operands[0]]
        self._wants_error = any(network.needs_error[tensor] for tensor in operands)

    def forward(self, *inputs: Values) -> Values:
        """The layer's output [n, ...] of what it reads."""
        self.before_activation = values = self._raw(*inputs)
        self._output = values if self._activation is None else self._activated(self._activation, values)
        return self._output

    def backward(self, error: Values) -> tuple[Values, ...]:
        """The errors of all it read, of the error of its output; () if none below learns."""
        if self._activation is not None:
            error = self._below_activation(self._activation, error)
        return self._errors(error)

    def _raw(self, *inputs: Values) -> Values:
        return inputs[0]

    def _errors(self, error: Values) -> tuple[Values, ...]:
        return (error,)

    @abstractmethod
    def _activated(self, activation: Activation, values: Values) -> Values: ...

    @abstractmethod
    def _below_activation(self, activation: Activation, error: Values) -> Values:
        """The error through the activation, told from its output alone."""


def tap_slices(geometry: ConvGeometry) -> Iterator[tuple[slice, slice]]:
    """For each pixel of the window, row by row, the rows and columns of the padded image it visits."""
    (rows, columns), (down, right) = geometry.positions, geometry.stride
    for y in range(geometry.kernel[0]):
        for x in range(geometry.kernel[1]):
            yield slice(y, y + down * (rows - 1) + 1, down), slice(x, x + right * (columns - 1) + 1, right)
