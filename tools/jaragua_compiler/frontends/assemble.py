"""Draft -> (Network, weights): folds what is no layer of its own, orders the rest, and checks the end.

The order is that of a walk from the output back to the input, so it does not depend on how a file lists its nodes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from jaragua_compiler.errors import CompileError
from jaragua_compiler.frontends.draft import (
    Affine,
    Draft,
    Handle,
    Input,
    Node,
    Softmax,
    ZeroPad,
    canonical_padding,
    refusal,
)
from jaragua_compiler.frontends.model_file import ModelFile
from jaragua_compiler.graph import layers
from jaragua_compiler.graph.initial_weights import FloatArray
from jaragua_compiler.graph.layers import ActivationKind, Pads
from jaragua_compiler.graph.network import Loss, Network
from jaragua_compiler.graph.sample_layout import SampleLayout
from jaragua_compiler.graph.shapes import Shape, ShapeProblem, conv_geometry_of
from jaragua_compiler.quantisation.ranges import Range, Ranges

_INPUT = 0  # the tensor every shape of the input is


@dataclass
class _Entry:
    """A layer to be: it reads tensors, and makes the tensor of its place in the list plus 1."""

    layer: layers.Layer
    operands: tuple[int, ...]
    weights: tuple[FloatArray, FloatArray] | None


def assemble(
    draft: Draft, output: Handle, name: str, loss: Loss | None, ranges: Mapping[Handle, Range] | None = None
) -> ModelFile:
    """The network that ends in `output`, and its weights (W, b) per layer that has them.

    A softmax at the end becomes part of the loss, which `loss` names where there is none. Of the `ranges` of values
    those that are still there are kept, or none if that of the input is not known. Raises CompileError.
    """
    end = draft.nodes[output]
    last = end.operands[0] if isinstance(end.step, Softmax) else output
    found = _loss(end, loss)
    order = _walk(draft, last)
    _check_none_shared(draft, order)
    assembly = _Assembly(draft, order)
    network = Network(name, assembly.inputs(), tuple(assembly.connected()), found)
    weights = [entry.weights for entry in assembly.entries if entry.weights is not None]
    samples = SampleLayout(draft.sample_shape, network.shapes[0], draft.sample_strides)
    return ModelFile(network, weights, samples, assembly.ranges(ranges or {}))


def _check_none_shared(draft: Draft, order: list[Handle]) -> None:
    """A device trains each layer by itself: two that are tied together in the file would drift apart."""
    owners: dict[Hashable, Handle] = {}
    for handle in order:
        for key, name in draft.stored.get(handle, ()):
            other = owners.setdefault(key, handle)
            if other != handle:
                reason = f"it shares {name} with {draft.nodes[other].place}, and would train apart from it"
                raise refusal(draft.nodes[handle].place, reason, "weights of its own for each layer")


def _loss(end: Node, loss: Loss | None) -> Loss:
    if isinstance(end.step, Softmax):
        if loss == "mean_squared_error":
            raise refusal(end.place, "a softmax does not go with the mean squared error", "a linear output")
        return "softmax_cross_entropy"
    if loss is None:
        raise CompileError(
            "the model's loss is not known: it does not end in a softmax.",
            "Name one: softmax_cross_entropy or mean_squared_error.",
        )
    return loss


def _walk(draft: Draft, output: Handle) -> list[Handle]:
    """All nodes the output comes from, each behind what it reads."""
    order: list[Handle] = []
    seen: set[Handle] = set()
    stack = [(output, False)]
    while stack:
        handle, read = stack.pop()
        if read:
            order.append(handle)
        elif handle not in seen:
            seen.add(handle)
            stack.append((handle, True))
            stack += [(operand, False) for operand in reversed(draft.nodes[handle].operands)]
    return order


class _Assembly:
    """Takes the nodes in order. `_tensors` says which tensor a node's value is, `_pads` what zeros stand around it."""

    def __init__(self, draft: Draft, order: list[Handle]) -> None:
        self._draft = draft
        self._readers = Counter(operand for handle in order for operand in draft.nodes[handle].operands)
        self._tensors: dict[Handle, int] = {}
        self._pads: dict[Handle, ZeroPad] = {}
        self._input_shape = self._shape_of_input(order)
        self.entries: list[_Entry] = []
        for handle in order:
            self._tensors[handle] = self._take(handle, draft.nodes[handle])

    def inputs(self) -> int | tuple[int, int, int]:
        """The network's `inputs`."""
        if len(self._input_shape) == 1:
            return self._input_shape[0]
        height, width, channels = self._input_shape
        return height, width, channels

    def connected(self) -> list[layers.Layer]:
        """The layers, each told what it reads where that is not the one before it."""
        return [_connected(entry, index) for index, entry in enumerate(self.entries)]

    def ranges(self, known: Mapping[Handle, Range]) -> Ranges | None:
        """The known ranges by the tensors the values became; of values that became one tensor that of the last one."""
        after: dict[int, Range] = {}
        before: dict[int, Range] = {}
        for handle, tensor in self._tensors.items():
            step = self._draft.nodes[handle].step
            earlier = after.pop(tensor, None)
            if isinstance(step, layers.Activation) and earlier is not None:
                before[tensor] = earlier
            found = known.get(handle)
            if found is not None:
                after[tensor] = found
        made = range(1, len(self.entries) + 1)
        if _INPUT not in after:
            return None
        return Ranges(after[_INPUT], tuple(map(after.get, made)), tuple(map(before.get, made)))

    def _take(self, handle: Handle, node: Node) -> int:
        """The tensor a node's value is, of a new layer if nothing else will do."""
        if isinstance(node.step, Input):
            return self._take_input(node)
        if isinstance(node.step, ZeroPad):
            self._pads[handle] = node.step
            return self._unpadded(node)[0]
        if isinstance(node.step, Affine):
            return self._take_affine(node, node.step)
        if isinstance(node.step, Softmax):
            raise refusal(node.place, "other layers stand behind its softmax", "a softmax at the end")
        if isinstance(node.step, layers.Activation):
            return self._take_activation(node, node.step)
        if isinstance(node.step, layers.Conv2D | layers.DepthwiseConv2D):
            return self._append(self._with_pads(node, node.step), self._tensors_of(node), node)
        return self._append(node.step, self._unpadded(node), node)

    def _take_input(self, node: Node) -> int:
        if node.shape == self._input_shape:
            return _INPUT
        return self._append(layers.Flatten(), (_INPUT,), node)

    def _take_affine(self, node: Node, step: Affine) -> int:
        tensor = self._unpadded(node)[0]
        entry = self._own_layer(node, tensor)
        if entry is None or entry.weights is None or _kind(entry.layer) != "linear":
            raise refusal(
                node.place,
                "no layer with weights stands right before it, into which it could be folded",
                "a normalisation right behind a dense layer or a convolution, before its activation",
            )
        weights, bias = entry.weights
        scale = step.scale.reshape(-1, *(1,) * (weights.ndim - 1))
        entry.weights = (weights * scale, bias * step.scale + step.shift)
        return tensor

    def _take_activation(self, node: Node, step: layers.Activation) -> int:
        tensor = self._unpadded(node)[0]
        entry = self._own_layer(node, tensor)
        if entry is not None and isinstance(entry.layer, layers.ActivatedLayer):
            kind = _both(_kind(entry.layer), step.activation)
            if kind is not None:
                entry.layer = _activated(entry.layer, kind, step.slope)
                return tensor
        return self._append(step, (tensor,), node)

    def _own_layer(self, node: Node, tensor: int) -> _Entry | None:
        """The layer that made a tensor, if this node alone reads it."""
        alone = self._readers[node.operands[0]] == 1
        return self.entries[tensor - 1] if alone and tensor != _INPUT else None

    def _with_pads(self, node: Node, layer: layers.Conv2D | layers.DepthwiseConv2D) -> layers.Layer:
        """A convolution whose padding takes in the zeros around what it reads."""
        around = self._pads.get(node.operands[0])
        if around is None:
            return layer
        padded = self._draft.shape(node.operands[0])
        inner = (padded[0] - sum(around.pads[0]), padded[1] - sum(around.pads[1]), padded[2])
        own = conv_geometry_of(layer, padded).pads
        whole = replace(layer, padding=_sum(around.pads, own))
        try:
            return replace(layer, padding=canonical_padding(whole, inner))
        except ShapeProblem as error:
            raise CompileError(f"{node.place}: {error.problem}.", error.hint) from None

    def _unpadded(self, node: Node) -> tuple[int, ...]:
        """The tensors a node reads, which must not have zeros around them."""
        for operand in node.operands:
            if operand in self._pads:
                place = self._draft.nodes[operand].place
                raise refusal(
                    place, f"no convolution reads what it pads, but {node.place}", "padding before a convolution"
                )
        return self._tensors_of(node)

    def _tensors_of(self, node: Node) -> tuple[int, ...]:
        return tuple(self._tensors[operand] for operand in node.operands)

    def _append(self, layer: layers.Layer, operands: tuple[int, ...], node: Node) -> int:
        self.entries.append(_Entry(layer, operands, node.weights))
        return len(self.entries)

    def _shape_of_input(self, order: list[Handle]) -> Shape:
        """The shape in which layers read the input: an image if one of them does."""
        nodes = [self._draft.nodes[handle] for handle in order if isinstance(self._draft.nodes[handle].step, Input)]
        shapes = {node.shape for node in nodes}
        images = [shape for shape in shapes if len(shape) != 1]
        if len(images) > 1 or any(len(shape) != 3 for shape in images):
            listed = " and ".join(map(str, sorted(shapes)))
            raise refusal(nodes[0].place, f"it is read in the shape {listed}", "(n,) or (height, width, channels)")
        return images[0] if images else shapes.pop()


def _connected(entry: _Entry, index: int) -> layers.Layer:
    """A layer with its source and skip; of an Add the latest tensor is the source."""
    source, *rest = sorted(entry.operands, reverse=True)
    layer = replace(entry.layer, skip=rest[0] - 1) if isinstance(entry.layer, layers.Add) else entry.layer
    return layer if source == index else replace(layer, source=source - 1)


def _kind(layer: layers.Layer) -> ActivationKind:
    return layer.kind if isinstance(layer, layers.ActivatedLayer) else "linear"


def _both(first: ActivationKind, second: ActivationKind) -> ActivationKind | None:
    """The one activation that does what two do, one behind the other; None if there is none."""
    if first == "linear":
        return second
    if {first, second} <= {"relu", "relu6"}:
        return "relu6" if "relu6" in (first, second) else "relu"
    return None


def _activated(layer: layers.ActivatedLayer, kind: ActivationKind, slope: float) -> layers.ActivatedLayer:
    return replace(layer, activation=kind, slope=slope if kind == "leaky_relu" else layer.slope)  # type: ignore[call-arg]


def _sum(first: Pads, second: Pads) -> Pads:
    (top, bottom), (left, right) = np.add(first, second).tolist()
    return (top, bottom), (left, right)
