"""Graph -> plan: every number that is fixed when a network is compiled (widths, offsets, sizes, identity). Pure."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, replace
from functools import cached_property
from typing import get_args

from jaragua_compiler.errors import CompileError
from jaragua_compiler.graph.conv_geometry import overlap_bits, positions_over_a_pixel
from jaragua_compiler.graph.layers import WeightFormat
from jaragua_compiler.graph.network import Network, Shape
from jaragua_compiler.graph.tensors import (
    ActivationOperator,
    AddOperator,
    ConvOperator,
    DenseOperator,
    DepthwiseOperator,
    Graph,
    Operator,
    PoolOperator,
    UnweightedOperator,
    build_graph,
)
from jaragua_compiler.operators.bits import BITS
from jaragua_compiler.planning.boards import Core
from jaragua_compiler.planning.frozen import FrozenRows
from jaragua_compiler.planning.identity import operator_identity
from jaragua_compiler.planning.memory import MemoryPlan, active_entries, plan_memory
from jaragua_compiler.planning.operators import (
    ActivationPlan,
    AddPlan,
    ConvPlan,
    DensePlan,
    DepthwisePlan,
    OperatorPlan,
    PoolPlan,
    WeightedPlan,
)
from jaragua_compiler.planning.scales import Scales, find_scales
from jaragua_compiler.planning.stack import stack_bound

__all__ = ["ActivationPlan", "AddPlan", "ConvPlan", "DensePlan", "DepthwisePlan", "PoolPlan", "WeightedPlan"]

OUTPUT_WIDTH = 15  # A2.5
LOGIT_EXPONENT = 11  # A2.5
PROBABILITY_EXPONENT = 15  # A4.2
LARGEST_ERROR_TERMS = {"w16": 511, "w8": 65536}  # A5.5, A7.3, A8.1: so many products of A5.7 or A7.2 fit int32
FACTOR_BITS = {"w16": 15, "w8": 23}  # A2.4, A8.1: what 30 bits leave for a factor of a weight
NARROWEST = 7  # A2.2
WIDE_INPUT = 12  # A2.4, A7.1: where a sum of products with int16 weights takes 64 bits
NARROW_CONV_TERMS = 128  # A7.1
NARROW_HEAD_INPUTS = 64  # A2.4
BLOB_FORMAT = 1
BLOB_FORMAT_CHANNELS = 2  # A8.6: some layer has int8 weights, with an exponent for each channel
HEADER_FIXED_BYTES = 16  # magic, format, layers, reserved, architecture id
WEIGHT_FORMAT = "w16"
SUM_BYTES = 4
MOST_PROTOTYPES = 255  # A12
PROTOTYPE_CLASS_BYTES = 24  # A12: factor, count, distance, logit and error of one class
ACTIVE_ROW_BYTES = 12  # jrg_nn_active_row_w8

_OPERATOR_NAMES: dict[type[Operator], str] = {
    DenseOperator: "dense",
    ConvOperator: "conv",
    DepthwiseOperator: "depthwise",
}
_WEIGHTED = (DenseOperator, ConvOperator, DepthwiseOperator)


@dataclass(frozen=True)
class Plan:
    """All a packer, an engine or an emitter must know of a network; made by `plan()`.

    `steps` are all operators in the order of execution, `layers` those of them that have weights, in the blob's order.
    `frozen` are the constants of every layer with frozen rows, None for the others. It is empty if nothing is frozen,
    and as long as `freeze` has not filled it in: until then sizes are known, and no blob fits.
    """

    network: Network
    graph: Graph
    scales: Scales
    steps: tuple[OperatorPlan, ...]
    layers: tuple[WeightedPlan, ...]
    memory: MemoryPlan
    accumulate: bool = False
    """The image has sums for steps of several samples (A11)."""
    frozen: tuple[FrozenRows | None, ...] = ()
    prototypes: int = 0
    """The classes the image has room to recognise by prototypes (A12); 0: the image cannot."""
    prototype_gradients: bool = False
    """The image has the gradients of prototypes, so that enrolled samples can teach (A12.9)."""

    def __hash__(self) -> int:
        """Of a few numbers: caches ask for it in every round of a run, and seldom hold two plans that share them."""
        return hash((len(self.steps), self.blob_bytes, self.accumulate, self.prototypes))

    def frozen_rows(self, layer: WeightedPlan) -> FrozenRows | None:
        """The constants of a layer, None if all of it learns. Raises CompileError if they are not known yet."""
        if not layer.frozen_rows:
            return None
        if not self.frozen:
            raise CompileError(
                f"network {self.network.name!r} has frozen layers, and their weights are not known here.",
                "Compile it from its file with `jaragua compile`, or freeze(plan, weights, samples).",
            )
        return self.frozen[layer.index]

    @property
    def dithered(self) -> bool:
        """True if a layer learns: all of them round at random (A5.9, A7.7, A8.5)."""
        return any(layer.trains for layer in self.layers)

    @property
    def exponents_offset(self) -> int:
        """Where the layers' exponents start in the blob (A6)."""
        return HEADER_FIXED_BYTES

    @property
    def header_bytes(self) -> int:
        """Bytes before the first weight."""
        return _header_bytes(len(self.layers), self.scales)

    @cached_property
    def blob_bytes(self) -> int:
        """Length of the weights' blob (A6)."""
        return self.layers[-1].end_offset

    @property
    def shapes(self) -> list[tuple[Shape, Shape]]:
        """Per layer the shapes of its weights (outputs first) and its biases [out]."""
        return [(layer.weights_shape, (layer.outputs,)) for layer in self.layers]

    @property
    def head(self) -> DensePlan | None:
        """The last layer, if a board can go on learning with it alone: dense, int16, of a classifier (O1.1)."""
        last = self.steps[-1]
        fits = isinstance(last, DensePlan) and not last.per_channel and last.output_tensor == self.graph.output
        return last if isinstance(last, DensePlan) and fits and self.network.classifier else None

    @property
    def prototype_head(self) -> DensePlan:
        """The layer whose place prototypes take. Raises CompileError if the network has none (A12)."""
        return _prototype_head(self)

    @property
    def prototype_bytes(self) -> int:
        """RAM of the prototypes and of what is computed with them (A12.1), on a 32-bit machine."""
        if not self.prototypes:
            return 0
        vectors = 2 if self.prototype_gradients else 1
        return self.prototypes * (vectors * SUM_BYTES * self.prototype_head.inputs + PROTOTYPE_CLASS_BYTES)

    @cached_property
    def per_channel(self) -> bool:
        """True if a layer has int8 weights (A8)."""
        return any(layer.per_channel for layer in self.layers)

    @property
    def blob_format(self) -> int:
        """The format in a blob's header (A6, A8.6)."""
        return BLOB_FORMAT_CHANNELS if self.per_channel else BLOB_FORMAT

    def slot_offset(self, slot: int) -> int:
        """Where the exponent of a slot (scales.py) stands in the blob (A6)."""
        layers = len(self.layers)
        return self.exponents_offset + (2 * slot + 1 if slot < layers else layers + slot)

    @property
    def input_width(self) -> int:
        """bx of the network's input (A3.0)."""
        return self.scales.widths[0]

    @property
    def operators(self) -> int:
        """Bit set of the operators an image for this network has (definitions.toml)."""
        names = {_operator_name(operator) for operator in self.graph.operators} | {self.network.loss}
        names |= {"relu"} if any(tensor.rectified for tensor in self.graph.tensors) else set()
        names |= {"accumulation"} if self.accumulate else set()
        names |= {"prototypes"} if self.prototypes else set()
        names |= {"prototype_gradients"} if self.prototype_gradients else set()
        return sum(BITS[name] for name in names)

    @property
    def branches(self) -> bool:
        """True if the network is no chain: the error of every tensor is then kept by itself on the way back."""
        return any(
            len(self.graph.consumers(step.output_tensor)) > 1 or len(step.input_tensors) > 1 for step in self.steps
        )

    def memory_table(self) -> str:
        """For people: every buffer, the arena, and for each core the most stack a call takes."""
        stacks = [f"stack at most, {core:<14} {stack_bound(self, core):>6}" for core in get_args(Core)]
        return "\n".join([self.memory.table(), *stacks])

    @property
    def arena_bytes(self) -> int:
        """RAM of activations, errors, the list of int8 layers' active rows and the sums of A11 on a 32-bit machine."""
        return self.memory.bytes + ACTIVE_ROW_BYTES * self.active_elements("w8") + SUM_BYTES * self.sums

    @property
    def sums(self) -> int:
        """Sums of steps (A11.1) in the image: one for each stored weight and bias, or none."""
        return sum(layer.sums for layer in self.layers) if self.accumulate else 0

    def sums_index(self, layer: WeightedPlan) -> int:
        """Where the sums of a layer's weights start among all sums; those of its biases follow them."""
        return sum(other.sums for other in self.layers[: layer.index])

    def active_elements(self, weight_format: WeightFormat) -> int:
        """Entries of the list of active rows of int8 layers, or of int16 dense layers; 0 if there are none.

        That of int16 layers is in the arena (`rows_replace_errors`), where pointers have 4 bytes.
        """
        listed = [layer for layer in self.layers if isinstance(layer, DensePlan) or _lists_channels(layer)]
        rows = [layer.outputs for layer in listed if layer.has_backward and layer.weight_format == weight_format]
        return active_entries(max(rows)) if rows else 0

    @cached_property
    def architecture(self) -> bytes:
        """Eight bytes that say which blobs fit (A6.2). The name and all run-time numbers are left out."""
        return hashlib.sha256(self.canonical_json().encode()).digest()[:8]

    def canonical_json(self) -> str:
        """The text the architecture id is the hash of (A6.2)."""
        layers = [self._identity(step) for step in self.steps]
        weights = "w8" if self.per_channel else WEIGHT_FORMAT
        identity = {"format": self.blob_format, "layers": layers, "loss": self.network.loss, "weights": weights}
        return json.dumps(identity, sort_keys=True, separators=(",", ":"))

    def _identity(self, step: OperatorPlan) -> dict[str, object]:
        constants = self.frozen_rows(step) if isinstance(step, WeightedPlan) else None
        return operator_identity(step, constants)


def plan(network: Network, accumulate: bool = False) -> Plan:
    """Lay a network out for the device (A2.4, A2.5, A5.5, A6, A7.3). Raises CompileError if 32 bits cannot hold it.

    accumulate: with sums, so that one step can take several samples (A11). Weights fit images with and without them.
    `with_prototypes` adds room for prototypes to a plan.
    """
    graph = build_graph(network)
    weighted = [operator for operator in graph.operators if isinstance(operator, _WEIGHTED)]
    scales = find_scales(graph, [_input_width(network, graph, operator) for operator in graph.operators])
    planner = _Planner(network, graph, scales, _header_bytes(len(weighted), scales))
    steps = tuple(planner.operator(step, operator) for step, operator in enumerate(graph.operators))
    layers = tuple(step for step in steps if isinstance(step, WeightedPlan))
    return Plan(network, graph, scales, steps, layers, plan_memory(graph, steps), accumulate)


def with_prototypes(found: Plan, classes: int | None = None, gradients: bool = False) -> Plan:
    """The plan with room for prototypes of `classes` classes (A12); None: as many as the network has outputs.

    gradients: enrolled samples can teach (A12.9). Weights fit images with and without all this. Raises CompileError for
    a network or a number that is not possible, and for gradients in a plan with sums.
    """
    count = found.network.outputs if classes is None else classes
    if not 1 <= count <= MOST_PROTOTYPES:
        raise CompileError(f"prototypes of {count} classes are not possible.", f"Give 1 to {MOST_PROTOTYPES} classes.")
    _prototype_head(found)
    if gradients and found.accumulate:
        raise CompileError(
            "an image with sums has no gradients of prototypes (A12.10).", "Leave out the sums or the gradients."
        )
    return replace(found, prototypes=count, prototype_gradients=gradients)


def _prototype_head(found: Plan) -> DensePlan:
    last = found.steps[-1]
    if isinstance(last, DensePlan) and found.network.classifier and last.output_tensor == found.graph.output:
        return last
    raise CompileError(
        f"network {found.network.name!r} has no features to make prototypes of: its last layer is not the dense layer"
        " of a classifier.",
        "End it in a dense layer, with the loss softmax_cross_entropy.",
    )


class _Planner:
    """Turns operators into plans, in order, laying the weights out one after the other."""

    def __init__(self, network: Network, graph: Graph, scales: Scales, first_offset: int) -> None:
        self._network = network
        self._graph = graph
        self._scales = scales
        self._needs_error = _needs_error(network, graph)
        self._offset = first_offset
        self._index = 0

    def operator(self, step: int, operator: Operator) -> OperatorPlan:
        """The plan of the next operator."""
        tensors = [self._graph.tensors[tensor] for tensor in operator.inputs]
        common = {
            "step": step,
            "input_tensors": operator.inputs,
            "output_tensor": operator.output,
            "rectified": tuple(tensor.rectified for tensor in tensors),
            "passes_error": tuple(self._needs_error[tensor] for tensor in operator.inputs),
        }
        if isinstance(operator, _WEIGHTED):
            return self._weighted(operator, common)
        return self._unweighted(operator, common)

    def _weighted(self, operator: Operator, common: dict[str, object]) -> WeightedPlan:
        layer = operator.layer
        whole = self._network.trains_whole(layer) or not self._network.trains(layer)
        if isinstance(operator, DepthwiseOperator) and not whole:
            reason = f"layer {layer}: a depthwise convolution trains with all its channels or none"
            raise CompileError(f"{reason}.", "Leave the number of channels out.")
        output = self._graph.tensors[operator.output]
        inputs, outputs = _fan(self._graph, operator)
        input_width = self._scales.widths[operator.input]
        numbers = {
            **common,
            "index": self._index,
            "inputs": inputs,
            "outputs": outputs,
            "relu": output.rectified,
            "input_width": input_width,
            "output_width": self._scales.widths[operator.output],
            "error_width": self._error_width(operator, input_width),
            "weights_offset": self._offset,
            "trained_rows": self._network.trained_rows(operator.layer),
            "weight_format": self._network.weight_format(operator.layer),
            "held": self._network.holds(operator.layer),
        }
        made = self._weighted_plan(operator, numbers)
        self._index, self._offset = self._index + 1, made.end_offset
        return made

    def _weighted_plan(self, operator: Operator, numbers: dict[str, object]) -> WeightedPlan:
        if isinstance(operator, DenseOperator):
            return DensePlan(**numbers)  # type: ignore[arg-type]
        shapes = {
            "input_shape": self._graph.tensors[operator.input].shape,
            "output_shape": self._graph.tensors[operator.output].shape,
        }
        assert isinstance(operator, ConvOperator | DepthwiseOperator)
        kind = ConvPlan if isinstance(operator, ConvOperator) else DepthwisePlan
        return kind(geometry=operator.geometry, **shapes, **numbers)  # type: ignore[arg-type]

    def _error_width(self, operator: Operator, input_width: int) -> int:
        """A5.5, A7.3."""
        terms = _error_terms(self._graph, operator)
        passes = self._needs_error[operator.input]
        weights = self._network.weight_format(operator.layer)
        # Of dense layers A5.5 holds in either format.
        largest = LARGEST_ERROR_TERMS["w16" if isinstance(operator, DenseOperator) else weights]
        if passes and terms > largest:
            raise CompileError(
                f"layer {operator.layer}: its error is a sum of {terms} products, the most are {largest}.",
                "Give it fewer outputs, a smaller kernel or a larger stride.",
            )
        if isinstance(operator, DenseOperator):
            return _width(terms, weights)
        most = (
            30 - input_width - _ceil_log2(_positions(operator))
            if self._network.trains(operator.layer)
            else OUTPUT_WIDTH
        )
        return max(NARROWEST, min(_width(terms, weights) if passes else OUTPUT_WIDTH, most))

    def _unweighted(self, operator: Operator, common: dict[str, object]) -> OperatorPlan:
        assert isinstance(operator, UnweightedOperator)
        source, output = self._graph.tensors[operator.input], self._graph.tensors[operator.output]
        output_width = self._scales.widths[operator.output]
        common = {**common, "properties": operator.properties}
        if isinstance(operator, PoolOperator):
            head_room = overlap_bits(operator.geometry, source.shape, average=operator.kind == "average")
            shapes = {
                "input_shape": source.shape,
                "output_shape": (*operator.geometry.positions, source.shape[2]),
            }
            return PoolPlan(kind=operator.kind, geometry=operator.geometry, head_room=head_room, **shapes, **common)  # type: ignore[arg-type]
        if isinstance(operator, AddOperator):
            return AddPlan(size=source.size, relu=output.rectified, output_width=output_width, **common)  # type: ignore[arg-type]
        assert isinstance(operator, ActivationOperator)
        return ActivationPlan(
            kind=operator.kind,
            size=source.size,
            width=self._scales.widths[operator.input],
            output_width=output_width,
            slope=round(operator.slope * 2**15) if operator.kind == "leaky_relu" else 0,
            **common,  # type: ignore[arg-type]
        )


def _lists_channels(layer: WeightedPlan) -> bool:
    """Whether the way back lists the active channels of a position: int8 convolutions; depthwise ones have one each."""
    return isinstance(layer, ConvPlan) and layer.per_channel


def _needs_error(network: Network, graph: Graph) -> list[bool]:
    """Per tensor: True if an operator that made it, or one before, learns."""
    needed = [False] * len(graph.tensors)
    for operator in graph.operators:
        learns = isinstance(operator, _WEIGHTED) and network.learns(operator.layer)
        needed[operator.output] = learns or any(needed[tensor] for tensor in operator.inputs)
    return needed


def _fan(graph: Graph, operator: Operator) -> tuple[int, int]:
    """Weights of a row, and rows, of an operator with weights."""
    source, output = graph.tensors[operator.input], graph.tensors[operator.output]
    if isinstance(operator, DenseOperator):
        return source.size, output.size
    assert isinstance(operator, ConvOperator | DepthwiseOperator)
    taps = operator.geometry.kernel[0] * operator.geometry.kernel[1]
    return taps * (source.shape[2] if isinstance(operator, ConvOperator) else 1), output.shape[2]


def _error_terms(graph: Graph, operator: Operator) -> int:
    """n of A5.5 and A7.3: products in one error of the inputs."""
    if isinstance(operator, DenseOperator):
        return graph.tensors[operator.output].size
    assert isinstance(operator, ConvOperator | DepthwiseOperator)
    positions = positions_over_a_pixel(operator.geometry)
    return positions * (graph.tensors[operator.output].shape[2] if isinstance(operator, ConvOperator) else 1)


def _input_width(network: Network, graph: Graph, operator: Operator) -> int:
    """A2.4, A7.1, A8.1: the widest an operator lets its inputs be."""
    if not isinstance(operator, _WEIGHTED):
        return OUTPUT_WIDTH
    weights = network.weight_format(operator.layer)
    terms = _fan(graph, operator)[0]
    width = WIDE_INPUT if weights == "w16" and _is_wide(graph, operator, terms) else _width(terms, weights)
    if isinstance(operator, DenseOperator) or not network.trains(operator.layer):
        return width
    if weights == "w8":
        width = min(width, (30 - _ceil_log2(_positions(operator))) // 2)
    return max(NARROWEST, min(width, 30 - NARROWEST - _ceil_log2(_positions(operator))))


def _is_wide(graph: Graph, operator: Operator, terms: int) -> bool:
    """A2.4, A7.1: whether a sum of so many products with int16 weights takes 64 bits to leave its inputs more."""
    if isinstance(operator, DenseOperator):
        return operator.output == graph.output and terms > NARROW_HEAD_INPUTS
    return isinstance(operator, ConvOperator) and terms > NARROW_CONV_TERMS


def _positions(operator: Operator) -> int:
    assert isinstance(operator, ConvOperator | DepthwiseOperator)
    return operator.geometry.positions[0] * operator.geometry.positions[1]


def _width(terms: int, weights: str) -> int:
    """A2.4, A5.5 and A8.1: bits left for a factor when `terms` products with weights of a format are summed."""
    return max(NARROWEST, min(OUTPUT_WIDTH, FACTOR_BITS[weights] - _ceil_log2(terms)))


def _ceil_log2(count: int) -> int:
    return (count - 1).bit_length()


def _header_bytes(layers: int, scales: Scales) -> int:
    return (HEADER_FIXED_BYTES + 2 * layers + 1 + len(scales.extra) + 3) // 4 * 4


def _operator_name(operator: Operator) -> str:
    return operator.properties.bit if isinstance(operator, UnweightedOperator) else _OPERATOR_NAMES[type(operator)]
