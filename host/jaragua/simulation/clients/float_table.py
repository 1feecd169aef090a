"""A network as the table that float_clients.c reads: one row a layer, with the places of its tensors and weights."""

from __future__ import annotations

import ctypes
import math
from dataclasses import dataclass
from typing import Final

from jaragua_compiler.engines.c_structure import members
from jaragua_compiler.graph import layers
from jaragua_compiler.graph.network import ConvGeometry, Network
from jaragua_compiler.operators.registry import ACTIVATIONS

_WEIGHTED, _DEPTHWISE, _MAX_POOL, _AVERAGE_POOL, _ADD, _SAME = range(6)
_KINDS: Final[dict[type[layers.Layer], int]] = {
    layers.Dense: _WEIGHTED,
    layers.Conv2D: _WEIGHTED,
    layers.DepthwiseConv2D: _DEPTHWISE,
    layers.MaxPool2D: _MAX_POOL,
    layers.AveragePool2D: _AVERAGE_POOL,
    layers.GlobalAveragePool2D: _AVERAGE_POOL,
    layers.Add: _ADD,
}
_ACTIVATIONS: Final = ("linear", *ACTIVATIONS)  # the enumeration of float_clients.c
_NUMBERS: Final = (
    *("source", "skip", "output"),
    *("in_rows", "in_columns", "in_channels", "out_rows", "out_columns", "out_channels"),
    *("kernel_rows", "kernel_columns", "stride_rows", "stride_columns", "pad_top", "pad_left"),
    *("weights", "biases", "patches", "learns", "passes_error", "skip_passes_error"),
)


class TableRow(ctypes.Structure):
    """jrg_float_layer."""

    _fields_ = members(f"int32_t kind, activation; float slope; int32_t {', '.join(_NUMBERS)}")


class TableHead(ctypes.Structure):
    """jrg_float_network."""

    _fields_ = members(
        "void *layers; int32_t layers_count, inputs, outputs, output, values_count, parameters, classifier"
    )


@dataclass(frozen=True)
class Table:
    """The rows, the head that points to them, and how much memory an engine needs beside: numbers of float32."""

    rows: ctypes.Array[TableRow]
    head: TableHead
    patches: int
    row: int


def table_of(network: Network) -> Table:
    """The table of a network. Weights are in the order of a vector: each layer's, then its biases."""
    maker = _Maker(network)
    rows = [
        maker.row(index, layer) for index, layer in enumerate(network.layers) if not isinstance(layer, layers.Flatten)
    ]
    array = (TableRow * len(rows))(*rows)
    head = TableHead(
        ctypes.cast(array, ctypes.c_void_p),
        len(rows),
        network.input_size,
        network.outputs,
        maker.places[-1],
        maker.values,
        maker.parameters,
        network.classifier,
    )
    return Table(array, head, maker.patches, maker.longest)


class _Maker:
    """Lays tensors, weights and patches out one after the other. A flattened image is the image's tensor."""

    def __init__(self, network: Network) -> None:
        self._network = network
        self.values = network.input_size
        self.parameters = self.patches = 0
        self.longest = 1
        self.places = [0]
        for index, layer in enumerate(network.layers):
            self.places.append(self._place(index, layer))

    def _place(self, index: int, layer: layers.Layer) -> int:
        if isinstance(layer, layers.Flatten):
            return self.places[self._network.operands(index)[0]]
        place, self.values = self.values, self.values + math.prod(self._network.shapes[index + 1])
        return place

    def row(self, index: int, layer: layers.Layer) -> TableRow:
        """The row of layer number `index`; call once for each, in order."""
        network = self._network
        operands = network.operands(index)
        numbers = self._tensors(index, operands) | self._shapes(index, layer) | self._weights(index, layer)
        numbers["passes_error"] = network.needs_error[operands[0]]
        numbers["skip_passes_error"] = network.needs_error[operands[-1]]
        kind = layer.kind if isinstance(layer, layers.ActivatedLayer) else "linear"
        slope = layer.slope if isinstance(layer, layers.ActivatedLayer) else 0.0
        return TableRow(
            _KINDS.get(type(layer), _SAME), _ACTIVATIONS.index(kind), slope, *(numbers[one] for one in _NUMBERS)
        )

    def _tensors(self, index: int, operands: tuple[int, ...]) -> dict[str, int]:
        return {
            "source": self.places[operands[0]],
            "skip": self.places[operands[-1]],
            "output": self.places[index + 1],
        }

    def _shapes(self, index: int, layer: layers.Layer) -> dict[str, int]:
        network = self._network
        shapes = network.shapes[network.operands(index)[0]], network.shapes[index + 1]
        names = ("in_rows", "in_columns", "in_channels"), ("out_rows", "out_columns", "out_channels")
        numbers: dict[str, int] = {}
        for shape, three in zip(shapes, names, strict=True):
            numbers |= dict(zip(three, shape if len(shape) == 3 else (1, 1, *shape), strict=True))
        geometry = self._geometry(index, layer)
        numbers["kernel_rows"], numbers["kernel_columns"] = geometry.kernel
        numbers["stride_rows"], numbers["stride_columns"] = geometry.stride
        numbers["pad_top"], numbers["pad_left"] = geometry.pads[0][0], geometry.pads[1][0]
        return numbers

    def _geometry(self, index: int, layer: layers.Layer) -> ConvGeometry:
        """A layer without a window has one of a single pixel."""
        if isinstance(layer, layers.Conv2D | layers.DepthwiseConv2D | layers.MaxPool2D | layers.AveragePool2D):
            return self._network.conv_geometry(index)
        kernel = (1, 1)
        if isinstance(layer, layers.GlobalAveragePool2D):
            rows, columns, _ = self._network.shapes[self._network.operands(index)[0]]
            kernel = (rows, columns)
        return ConvGeometry(kernel, kernel, ((0, 0), (0, 0)), (1, 1))

    def _weights(self, index: int, layer: layers.Layer) -> dict[str, int]:
        network = self._network
        if index not in network.weighted:
            return {"weights": 0, "biases": 0, "patches": -1, "learns": 0}
        weights, biases = (math.prod(shape) for shape in network.weight_shapes(index))
        place, self.parameters = self.parameters, self.parameters + weights + biases
        self.longest = max(self.longest, weights // biases)
        return {
            "weights": place,
            "biases": place + weights,
            "patches": self._patches(index, weights // biases) if isinstance(layer, layers.Conv2D) else -1,
            "learns": network.learns(index),
        }

    def _patches(self, index: int, length: int) -> int:
        place = self.patches
        self.patches += math.prod(self._network.conv_geometry(index).positions) * length
        return place
