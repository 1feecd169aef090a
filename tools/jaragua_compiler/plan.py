"""Graph -> plan: every number that is fixed when a network is compiled (widths, offsets, sizes, identity). Pure."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from functools import cached_property

from jaragua_compiler.graph import Graph, build_graph
from jaragua_compiler.network import Network

OUTPUT_WIDTH = 15  # A2.5
LOGIT_EXPONENT = 11  # A2.5
NARROW_ACCUMULATOR_INPUTS = 256  # A3.4: up to here 32 bits hold the accumulator
BLOB_FORMAT = 1
HEADER_FIXED_BYTES = 16  # magic, format, layers, reserved, architecture id
WEIGHT_FORMAT = "w16"

OPERATOR_DENSE = 1 << 0
OPERATOR_RELU = 1 << 1
OPERATOR_SOFTMAX_CROSS_ENTROPY = 1 << 2
OPERATOR_MEAN_SQUARED_ERROR = 1 << 3


@dataclass(frozen=True)
class DensePlan:
    """A dense layer as the device computes it. Widths are magnitude bits, offsets are bytes into the blob."""

    index: int
    inputs: int
    outputs: int
    relu: bool
    input_rectified: bool
    input_width: int
    output_width: int
    error_width: int
    weights_offset: int

    @property
    def row_elements(self) -> int:
        """int16 numbers in a stored row: the inputs, padded to an even count (A6)."""
        return self.inputs + self.inputs % 2

    @property
    def weights_bytes(self) -> int:
        """Bytes of the stored weights, padding included."""
        return 2 * self.outputs * self.row_elements

    @property
    def biases_offset(self) -> int:
        """Where the biases start in the blob."""
        return self.weights_offset + self.weights_bytes

    @property
    def end_offset(self) -> int:
        """The first byte behind this layer in the blob."""
        return self.biases_offset + 4 * self.outputs


@dataclass(frozen=True)
class Plan:
    """All a packer, an engine or an emitter must know of a network; made by `plan()`."""

    network: Network
    graph: Graph
    layers: tuple[DensePlan, ...]

    @property
    def exponents_offset(self) -> int:
        """Where the layers' exponents start in the blob (A6)."""
        return HEADER_FIXED_BYTES

    @property
    def header_bytes(self) -> int:
        """Bytes before the first weight."""
        return _header_bytes(len(self.layers))

    @property
    def blob_bytes(self) -> int:
        """Length of the weights' blob (A6)."""
        return self.layers[-1].end_offset

    @property
    def shapes(self) -> list[tuple[tuple[int, int], tuple[int]]]:
        """Per layer the shapes of its weights [out, in] and its biases [out]."""
        return [((layer.outputs, layer.inputs), (layer.outputs,)) for layer in self.layers]

    @property
    def operators(self) -> int:
        """Bit set of the operators an image for this network has (jrg_model.h)."""
        loss = OPERATOR_SOFTMAX_CROSS_ENTROPY if self.network.classifier else OPERATOR_MEAN_SQUARED_ERROR
        relu = OPERATOR_RELU if any(layer.relu for layer in self.layers) else 0
        return OPERATOR_DENSE | relu | loss

    @property
    def arena_bytes(self) -> int:
        """RAM of activations, errors and the list of live rows on a 32-bit machine (the emitted `jrg_model_arena`)."""
        return 2 * sum(self.tensor_elements) + 8 * self.error_elements + 8 * self.live_elements

    @property
    def tensor_elements(self) -> list[int]:
        """int16 numbers of each tensor's buffer: its size, padded to an even count with zeros."""
        return [_even(tensor.size) for tensor in self.graph.tensors]

    @property
    def error_elements(self) -> int:
        """Entries of the one list of errors all layers share (A5.1), 8 bytes each."""
        return max(layer.outputs for layer in self.layers)

    @property
    def live_elements(self) -> int:
        """Entries of the list of live rows, 8 bytes each: the rows, one to make them even, one that ends the list."""
        return self.error_elements + 2

    @cached_property
    def architecture(self) -> bytes:
        """Eight bytes that say which blobs fit (A6.2). The name and all run-time numbers are left out."""
        return hashlib.sha256(self.canonical_json().encode()).digest()[:8]

    def canonical_json(self) -> str:
        """The text the architecture id is the hash of (A6.2)."""
        layers = [_layer_identity(layer) for layer in self.layers]
        identity = {"format": BLOB_FORMAT, "layers": layers, "loss": self.network.loss, "weights": WEIGHT_FORMAT}
        return json.dumps(identity, sort_keys=True, separators=(",", ":"))


def plan(network: Network) -> Plan:
    """Lay a network out for the device (A2.4, A2.5, A5.5, A6)."""
    graph = build_graph(network)
    widths = [_tensor_width(graph, index) for index in range(len(graph.tensors))]
    layers: list[DensePlan] = []
    offset = _header_bytes(len(graph.operators))
    for index, operator in enumerate(graph.operators):
        outputs = graph.tensors[operator.output].size
        layers.append(
            DensePlan(
                index=index,
                inputs=graph.tensors[operator.input].size,
                outputs=outputs,
                relu=graph.tensors[operator.output].rectified,
                input_rectified=graph.tensors[operator.input].rectified,
                input_width=widths[operator.input],
                output_width=widths[operator.output],
                error_width=_width(outputs),
                weights_offset=offset,
            )
        )
        offset = layers[-1].end_offset
    return Plan(network=network, graph=graph, layers=tuple(layers))


def _width(terms: int) -> int:
    """A2.4 and A5.5: bits left for a factor when `terms` products with 16-bit weights are summed."""
    return max(7, 15 - (terms - 1).bit_length())


def _tensor_width(graph: Graph, tensor: int) -> int:
    readers = graph.consumers(tensor)
    return min((_width(graph.tensors[reader.input].size) for reader in readers), default=OUTPUT_WIDTH)


def _header_bytes(layers: int) -> int:
    return (HEADER_FIXED_BYTES + 2 * layers + 1 + 3) // 4 * 4


def _even(size: int) -> int:
    return size + size % 2


def _layer_identity(layer: DensePlan) -> dict[str, object]:
    return {
        "kind": "dense",
        "inputs": layer.inputs,
        "outputs": layer.outputs,
        "relu": layer.relu,
        "input_width": layer.input_width,
        "output_width": layer.output_width,
        "error_width": layer.error_width,
    }
