"""Reads an ONNX graph node by node: what its names stand for, and in which order the numbers of its images lie."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from jaragua_compiler.errors import CompileError
from jaragua_compiler.frontends.assemble import assemble
from jaragua_compiler.frontends.draft import Draft, Handle, Stored, refusal
from jaragua_compiler.frontends.model_file import ModelFile
from jaragua_compiler.frontends.onnx_constants import VIEWS, Constant, fold, stored_tensor
from jaragua_compiler.frontends.onnx_graph import DAMAGED, OnnxNode, constant_of, node_of
from jaragua_compiler.graph.initial_weights import FloatArray
from jaragua_compiler.graph.network import Loss
from jaragua_compiler.graph.sample_layout import Places, strides_of

Layout = Literal["flat", "first", "last"]
"""In which order an image's numbers lie: channels first or last; 'flat' of what is no image."""

_UNIFORM_OPERATORS = {"Concat", "Add", "Sub", "Mul"}  # their constants are all of one kind; of others the first is data


@dataclass(frozen=True, eq=False)
class OnnxValue:
    """A tensor of the file: a draft's value seen with ONNX dimensions (one sample at once).

    An image stays an image in the draft when the file flattens it; `layout` says in which order it did. Of the input,
    until a layer has read it, `places` [dims] says which number of the sample each one is.
    """

    handle: Handle
    dims: tuple[int, ...]
    layout: Layout
    places: Places | None = None


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
        self._origins: dict[str, frozenset[str]] = {}
        self._order: Places | None = None

    def read(self, name: str, loss: Loss | None) -> ModelFile:
        """The whole graph."""
        for tensor in self._graph.initializer:
            self._constants[tensor.name] = stored_tensor(f"ONNX tensor {tensor.name!r}", tensor)
            self._origins[tensor.name] = frozenset({tensor.name})
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

    def learns(self, node: OnnxNode, handle: Handle, places: tuple[int, ...], *, shift: bool = False) -> None:
        """A layer learns the constants in these places; of a `shift`, a bias or a factor, only those that differ.

        An exporter stores equal tensors once: zeros or ones in two layers are no tie between them.
        """
        names = [self._input_name(node, place) for place in places]
        for name in names:
            if name in self._constants and not (shift and _is_uniform(self._constants[name])):
                origins = sorted(self._origins.get(name, ()))
                self.draft.learns_from(handle, [Stored(origin, f"the tensor {origin!r}") for origin in origins])

    def image(self, node: OnnxNode, place: int = 0) -> OnnxValue:
        """Input number `place` of a node as a node reads it that wants images with their channels first."""
        value = self.value(node, place)
        if len(value.dims) != 4 or value.dims[0] != 1:
            raise node.refused(
                f"its input {value.dims} is no batch of images", "images (batch, channels, height, width)"
            )
        _, channels, height, width = value.dims
        if value.places is not None:
            return self._input_as(node, value, value.places[0].transpose(1, 2, 0), "first")
        if value.layout == "last" or self.draft.shape(value.handle) not in ((height, width, channels), (channels,)):
            raise node.refused(f"its input {value.dims} does not come channels first", "a Transpose before it")
        return value

    def vector(self, node: OnnxNode, place: int = 0) -> OnnxValue:
        """Input number `place` as a node reads it that wants (1, n)."""
        value = self.value(node, place)
        if value.dims != (1, int(np.prod(value.dims))):
            raise node.refused(f"its input {value.dims} is no vector", "a Flatten before it")
        return value

    def columns(self, value: OnnxValue) -> Places:
        """Of a vector, for each number of the draft's value, flat, the place it has in the vector."""
        shape = self.draft.shape(value.handle)
        places = np.arange(np.prod(shape), dtype=np.int64)
        if value.places is not None:
            return np.asarray(np.argsort(value.places.reshape(-1))[self._order_of_input(value)])
        if value.layout == "first" and len(shape) == 3:
            height, width, channels = shape
            return places.reshape(channels, height, width).transpose(1, 2, 0).reshape(-1)
        return places

    def elements(self, node: OnnxNode, place: int = 0) -> OnnxValue:
        """Input number `place` as a node reads it that treats all numbers alike."""
        value = self.value(node, place)
        if value.places is None:
            return value
        if len(value.dims) == 4:
            return self.image(node, place)
        return self._input_as(node, value, value.places.reshape(-1), "flat")

    def as_end(self, place: str, value: OnnxValue) -> Handle:
        """A value at the network's end: an image that the file sees as a vector is flattened."""
        shape = self.draft.shape(value.handle)
        if value.layout == "first" and len(shape) == 3 and shape[2] > 1 and shape[0] * shape[1] > 1:
            raise refusal(place, "it is an image with its channels first", "a dense layer at the end")
        return self.draft.flatten(place, value.handle) if len(value.dims) == 2 else value.handle

    def is_stored_image(self, value: OnnxValue) -> bool:
        """True if an image has the dimensions in which its layout says its numbers lie."""
        shape = self.draft.shape(value.handle)
        wanted = (*shape[2:], *shape[:2]) if value.layout == "first" else shape
        return value.layout != "flat" and value.dims == (1, *wanted)

    def _input_as(self, node: OnnxNode, value: OnnxValue, places: Places, layout: Layout) -> OnnxValue:
        """The network's input in the shape and order its first reader shows; later ones must agree."""
        if self._order is None:
            try:
                self.draft.sample_strides = strides_of(places)
            except ValueError as error:
                raise node.refused(f"before it, {error}", "one Transpose of the input") from error
            self._order = places.reshape(-1)
        if not np.array_equal(self._order, places.reshape(-1)):
            raise node.refused("it reads the input in another order than a node before", "one order of the input")
        return OnnxValue(self.draft.reshape(node.place, value.handle, places.shape), value.dims, layout)

    def _order_of_input(self, value: OnnxValue) -> Places:
        """The order in which the network reads the input: that of the file if none is fixed yet."""
        assert value.places is not None
        if self._order is None:
            self._order = np.arange(value.places.size, dtype=np.int64)
        return self._order

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
        handle = self.draft.input(place, dims[1:])
        places = np.arange(np.prod(dims), dtype=np.int64).reshape(dims)
        self._values[inputs[0].name] = OnnxValue(handle, dims, "flat", places)

    def _take(self, node: OnnxNode) -> None:
        constant = self._folded(node)
        if constant is not None:
            self._constants[node.outputs[0]] = constant
            self._origins[node.outputs[0]] = self._origins_of(node)
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

    def _origins_of(self, node: OnnxNode) -> frozenset[str]:
        """The tensors of the file a constant is made of; a part of one is a tensor of its own."""
        if node.operator not in VIEWS | _UNIFORM_OPERATORS:
            return frozenset(node.outputs[:1])
        names = node.inputs if node.operator in _UNIFORM_OPERATORS else node.inputs[:1]
        known = (name for name in names if name in self._constants and not _is_uniform(self._constants[name]))
        return frozenset[str]().union(*(self._origins.get(name, frozenset()) for name in known))

    def _output(self) -> Handle:
        if len(self._graph.output) != 1:
            raise CompileError(f"the ONNX model has {len(self._graph.output)} outputs.", "Nearest supported: one.")
        name = self._graph.output[0].name
        if name not in self._values:
            raise CompileError(f"the ONNX model does not compute its output {name!r}.", DAMAGED)
        return self.as_end(f"ONNX output {name!r}", self._values[name])


def _is_uniform(numbers: Constant) -> bool:
    """True if all numbers are the same."""
    return bool((numbers == numbers.reshape(-1)[:1]).all())
