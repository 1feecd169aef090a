"""Reads an ONNX graph node by node: what its names stand for, and in which order the numbers of its images lie."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from jaragua_compiler.errors import CompileError
from jaragua_compiler.frontends.assemble import assemble
from jaragua_compiler.frontends.draft import Draft, Handle, refusal
from jaragua_compiler.frontends.onnx_constants import Constant, fold, stored_tensor
from jaragua_compiler.frontends.onnx_graph import DAMAGED, OnnxNode, constant_of, node_of
from jaragua_compiler.initial import FloatArray, Weights
from jaragua_compiler.network import Loss, Network

Layout = Literal["flat", "first", "last"]
"""In which order an image's numbers lie: channels first or last; 'flat' of what is no image."""


@dataclass(frozen=True)
class OnnxValue:
    """A tensor of the file: a draft's value seen with ONNX dimensions (one sample at once).

    An image stays an image in the draft when the file flattens it; `layout` says in which order it did.
    """

    handle: Handle
    dims: tuple[int, ...]
    layout: Layout
    is_input: bool = False


Takers = dict[str, Callable[["OnnxReader", OnnxNode], OnnxValue]]


class OnnxReader:
    """Reads node by node; each name of the graph is a value or a constant."""

    def __init__(self, graph: Any, takers: Takers) -> None:
        """graph: a GraphProto; takers: what is made of each operator."""
        self._graph = graph
        self._takers = takers
        self.draft = Draft()
        self._values: dict[str, OnnxValue] = {}
        self._constants: dict[str, Constant] = {}
        self._input_layout: Layout | None = None

    def read(self, name: str, loss: Loss | None) -> tuple[Network, Weights]:
        """The whole graph."""
        for tensor in self._graph.initializer:
            self._constants[tensor.name] = stored_tensor(f"ONNX tensor {tensor.name!r}", tensor)
        self._take_input()
        for item in self._graph.node:
            self._take(node_of(item))
        return assemble(self.draft, self._output(), name, loss)

    def constant(self, node: OnnxNode, place: int) -> Constant | None:
        """Input number `place` of a node as a constant; None if it is left out."""
        name = self._input_name(node, place)
        if name and name not in self._constants:
            raise node.refused(f"its input {name!r} is not a constant of the file", "weights stored in the model")
        return self._constants[name] if name else None

    def needed(self, node: OnnxNode, place: int) -> FloatArray:
        """Input number `place` of a node, a constant that must be there, as float64."""
        found = self.constant(node, place)
        if found is None:
            raise node.refused(f"its input number {place} is missing", "a node with all its inputs")
        return found.astype(np.float64)

    def is_constant(self, node: OnnxNode, place: int) -> bool:
        """True if input number `place` is a constant."""
        return self._input_name(node, place) in self._constants

    def value(self, node: OnnxNode, place: int = 0) -> OnnxValue:
        """Input number `place` of a node as it is."""
        name = self._input_name(node, place)
        if name not in self._values:
            raise node.refused(f"its input {name!r} is not computed before it", "nodes in their order")
        return self._values[name]

    def image(self, node: OnnxNode, place: int = 0) -> OnnxValue:
        """Input number `place` as a node reads it that wants images with their channels first."""
        value = self.value(node, place)
        if len(value.dims) != 4:
            raise node.refused(
                f"its input {value.dims} is no batch of images", "images (batch, channels, height, width)"
            )
        _, channels, height, width = value.dims
        if value.is_input:
            value = self.input_as(node, value, (height, width, channels), "first")
        if value.layout == "last" or self.draft.shape(value.handle) not in ((height, width, channels), (channels,)):
            raise node.refused(f"its input {value.dims} does not come channels first", "a Transpose before it")
        return value

    def vector(self, node: OnnxNode, place: int = 0) -> OnnxValue:
        """Input number `place` as a node reads it that wants (1, n)."""
        value = self.value(node, place)
        if value.dims != (1, int(np.prod(value.dims))):
            raise node.refused(f"its input {value.dims} is no vector", "a Flatten before it")
        if value.is_input:
            value = self.input_as(node, value, value.dims[1:], "flat")
        return value

    def elements(self, node: OnnxNode, place: int = 0) -> OnnxValue:
        """Input number `place` as a node reads it that treats all numbers alike."""
        value = self.value(node, place)
        if value.is_input and len(value.dims) == 4:
            return self.image(node, place)
        return self.input_as(node, value, value.dims[1:], "flat") if value.is_input else value

    def input_as(self, node: OnnxNode, value: OnnxValue, shape: tuple[int, ...], layout: Layout) -> OnnxValue:
        """The network's input in the shape and order its first reader shows; later ones must agree."""
        if self._input_layout not in (None, layout):
            raise node.refused("it reads the input in another layout than a node before", "one layout of the input")
        self._input_layout = layout
        return OnnxValue(self.draft.reshape(node.place, value.handle, shape), value.dims, layout)

    def _input_name(self, node: OnnxNode, place: int) -> str:
        return node.inputs[place] if place < len(node.inputs) else ""

    def _take_input(self) -> None:
        inputs = [item for item in self._graph.input if item.name not in self._constants]
        if len(inputs) != 1:
            raise CompileError(f"the ONNX model has {len(inputs)} inputs.", "Nearest supported: one input.")
        place = f"ONNX input {inputs[0].name!r}"
        sizes = [int(size.dim_value) for size in inputs[0].type.tensor_type.shape.dim]
        if len(sizes) < 2 or min(sizes[1:]) < 1:
            raise refusal(place, f"its shape {sizes} is not fixed", "(batch, n) or (batch, channels, height, width)")
        dims = (1, *sizes[1:])
        self._values[inputs[0].name] = OnnxValue(self.draft.input(place, dims[1:]), dims, "flat", is_input=True)

    def _take(self, node: OnnxNode) -> None:
        constant = self._folded(node)
        if constant is not None:
            self._constants[node.outputs[0]] = constant
            return
        if node.operator not in self._takers:
            raise node.refused("there is no kernel for it", f"a network of {', '.join(self._takers)}")
        self._values[node.outputs[0]] = self._takers[node.operator](self, node)

    def _folded(self, node: OnnxNode) -> Constant | None:
        """The constant a node makes, if it makes one."""
        if node.operator == "Constant":
            return constant_of(node)
        if node.operator == "Shape" and node.inputs[0] in self._values:
            return np.asarray(self._values[node.inputs[0]].dims, dtype=np.int64)
        if any(name in self._values for name in node.inputs) or not any(node.inputs):
            return None
        return fold(node.operator, node.attributes, [self.constant(node, place) for place in range(len(node.inputs))])

    def _output(self) -> Handle:
        if len(self._graph.output) != 1:
            raise CompileError(f"the ONNX model has {len(self._graph.output)} outputs.", "Nearest supported: one.")
        name = self._graph.output[0].name
        if name not in self._values:
            raise CompileError(f"the ONNX model does not compute its output {name!r}.", DAMAGED)
        value = self._values[name]
        shape = self.draft.shape(value.handle)
        if value.layout == "first" and len(shape) == 3 and shape[2] > 1 and shape[0] * shape[1] > 1:
            raise refusal(f"ONNX output {name!r}", "it is an image with its channels first", "a dense layer at the end")
        return self.draft.flatten(f"ONNX output {name!r}", value.handle) if len(value.dims) == 2 else value.handle
