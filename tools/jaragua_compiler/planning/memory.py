"""The memory planner: every buffer a training step needs, how long it lives, and where it lies in one static arena.

Time runs through a training step: 0 takes the sample in, 1..n are the operators' forward passes, n + 1 the loss, and
then two moments for each operator, the last one first: it takes its error in, and it learns and passes errors on.
Buffers whose times do not meet may share bytes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from jaragua_compiler.graph.tensors import DenseOperator, Graph
from jaragua_compiler.planning.operators import (
    ConvolutionPlan,
    ConvPlan,
    DensePlan,
    DepthwisePlan,
    OperatorPlan,
    UnweightedPlan,
    WeightedPlan,
)

ALIGNMENT_BYTES = 4  # what the kernels' widest loads need
LIST_ENTRY_BYTES = 8  # jrg_nn_row_error, and jrg_nn_active_row


@dataclass(frozen=True)
class Buffer:
    """`bytes` that are in use from the moment `first` to the moment `last`, both included.

    bytes_at_first: what of it is in use before the moment `grows`; the rest lies behind that.
    """

    name: str
    bytes: int
    first: int
    last: int
    bytes_at_first: int = 0
    grows: int = 0

    def meets(self, other: Buffer) -> bool:
        """True if both are in use at one moment."""
        return self.first <= other.last and other.first <= self.last

    def bytes_at(self, moment: int) -> int:
        """How many bytes are in use."""
        if not self.first <= moment <= self.last:
            return 0
        return self.bytes_at_first if moment < self.grows else self.bytes


@dataclass(frozen=True)
class Place:
    """A buffer and where it starts in the arena."""

    buffer: Buffer
    offset: int

    @property
    def end(self) -> int:
        """The first byte behind it."""
        return self.offset + self.buffer.bytes

    def shares_bytes(self, other: Place) -> bool:
        """True if some byte belongs to both."""
        return self.offset < other.end and other.offset < self.end

    def clashes(self, other: Place) -> bool:
        """True if some byte is in use by both at one moment."""
        one, two = self.buffer, other.buffer
        moments = range(max(one.first, two.first), min(one.last, two.last) + 1)
        return any(
            self.offset < other.offset + two.bytes_at(moment) and other.offset < self.offset + one.bytes_at(moment)
            for moment in moments
        )


@dataclass(frozen=True)
class MemoryPlan:
    """Where everything lies; made by `plan_memory`."""

    places: tuple[Place, ...]

    @cached_property
    def by_name(self) -> dict[str, Place]:
        """The place of every buffer."""
        return {place.buffer.name: place for place in self.places}

    @property
    def bytes(self) -> int:
        """Size of the arena."""
        return max(place.end for place in self.places)

    def is_shared(self, name: str) -> bool:
        """True if another buffer writes to some byte of this one."""
        place = self.by_name[name]
        return any(place.shares_bytes(other) for other in self.places if other is not place)

    def table(self) -> str:
        """For people: one line a buffer in the order of their first use, and the arena."""
        lines = [f"{'buffer':<12} {'bytes':>8} {'first':>6} {'last':>6} {'offset':>8}"]
        for place in sorted(self.places, key=lambda place: (place.buffer.first, place.buffer.name)):
            buffer = place.buffer
            lines.append(f"{buffer.name:<12} {buffer.bytes:>8} {buffer.first:>6} {buffer.last:>6} {place.offset:>8}")
        return "\n".join([*lines, f"{'arena':<12} {self.bytes:>8}"])


@dataclass(frozen=True)
class Moments:
    """When what happens in a network of `operators` operators."""

    operators: int

    def forward(self, step: int) -> int:
        """The forward pass of an operator."""
        return step + 1

    @property
    def loss(self) -> int:
        """The loss and its error."""
        return self.operators + 1

    def take_error(self, step: int) -> int:
        """An operator brings its outputs' error into the form it needs."""
        return self.operators + 2 + 2 * (self.operators - 1 - step)

    def learn(self, step: int) -> int:
        """An operator learns and passes errors on."""
        return self.take_error(step) + 1


def plan_memory(graph: Graph, steps: tuple[OperatorPlan, ...]) -> MemoryPlan:
    """Find the buffers of a network and put each at the lowest offset where it meets nobody, the largest first."""
    places: list[Place] = []
    for buffer in sorted(_buffers(graph, steps), key=lambda buffer: (-buffer.bytes, buffer.first, buffer.name)):
        places.append(_lowest_place(buffer, [place for place in places if place.buffer.meets(buffer)]))
    return MemoryPlan(tuple(places))


def error_is_list(graph: Graph, tensor: int) -> bool:
    """True if a tensor's error travels as a list without zeros: what a dense layer and the losses give."""
    readers = graph.consumers(tensor)
    return not readers or (len(readers) == 1 and isinstance(readers[0], DenseOperator))


def error_name(graph: Graph, tensor: int) -> str:
    """The buffer a tensor's error arrives in."""
    return f"list{tensor}" if error_is_list(graph, tensor) else f"g{tensor}"


def padded_size(steps: tuple[OperatorPlan, ...], tensor: int, size: int) -> int:
    """Numbers in the buffer of a tensor: an even count, or whole quads for a dense layer with int8 weights (A8.6)."""
    quads = any(isinstance(step, DensePlan) and step.per_channel and step.input_tensor == tensor for step in steps)
    return -(-size // 4) * 4 if quads else _even(size)


def share_name(graph: Graph, step: int, tensor: int) -> str | None:
    """Where operator `step` puts its share of a tensor's error, if another reader's is there before it (A9.7)."""
    readers = [number for number, operator in enumerate(graph.operators) if tensor in operator.inputs]
    return None if step == readers[-1] else f"h{tensor}_{step}"


def needs_own_list(graph: Graph, step: DensePlan) -> bool:
    """True if a dense layer's errors below do not go where others look: its input has more readers than it."""
    return len(graph.consumers(step.input_tensor)) > 1


def _lowest_place(buffer: Buffer, neighbours: Sequence[Place]) -> Place:
    ends = {place.offset + size for place in neighbours for size in (place.buffer.bytes_at_first, place.buffer.bytes)}
    places = (Place(buffer, offset) for offset in sorted({0, *map(_aligned, ends)}))
    return next(place for place in places if not any(place.clashes(other) for other in neighbours))


def _aligned(size: int) -> int:
    return -(-size // ALIGNMENT_BYTES) * ALIGNMENT_BYTES


def _even(count: int) -> int:
    return count + count % 2


def _buffers(graph: Graph, steps: tuple[OperatorPlan, ...]) -> Iterator[Buffer]:
    moments = Moments(len(steps))
    for tensor, content in enumerate(graph.tensors):
        yield _activation_buffer(graph, steps, moments, tensor, 2 * padded_size(steps, tensor, content.size))
    for step in steps:
        if step.has_backward:
            yield from _error_buffers(graph, steps, moments, step)
        yield from _scratch_buffers(graph, moments, step)


def _activation_buffer(
    graph: Graph, steps: tuple[OperatorPlan, ...], moments: Moments, tensor: int, size: int
) -> Buffer:
    """x of one tensor: from the operator that writes it to the last one that looks at it."""
    first = 0
    last = moments.loss if tensor == graph.output else 0
    for step in steps:
        if step.output_tensor == tensor:
            first = moments.forward(step.step)
            kept = isinstance(step, UnweightedPlan) and step.properties.reads_output and step.has_backward
            last = max(last, moments.learn(step.step) if kept else first)
        if tensor in step.input_tensors:
            last = max(last, moments.learn(step.step) if _reads_again(step) else moments.forward(step.step))
    return Buffer(f"x{tensor}", size, first, last)


def _reads_again(step: OperatorPlan) -> bool:
    """True if the way back looks at what an operator read: to learn, to mask, or to share an error out (A10.4)."""
    if isinstance(step, WeightedPlan) and not step.trains:
        return step.has_backward and step.input_rectified
    return step.has_backward


def _error_buffers(
    graph: Graph, steps: tuple[OperatorPlan, ...], moments: Moments, step: OperatorPlan
) -> Iterator[Buffer]:
    """The error of an operator's output, from its first reader (or the loss) on; one more for each further reader."""
    tensor, size = step.output_tensor, graph.tensors[step.output_tensor].size
    readers = [other.step for other in steps if tensor in other.input_tensors]
    written = moments.learn(readers[-1]) if readers else moments.loss
    listed = error_is_list(graph, tensor)
    taken = moments.take_error(step.step) if isinstance(step, WeightedPlan) else moments.learn(step.step)
    name = error_name(graph, tensor)
    if listed:
        last = _last_look(moments, step)
        yield Buffer(name, _list_bytes(step, size), written, last, LIST_ENTRY_BYTES * size, taken)
    else:
        yield Buffer(name, 4 * size, written, taken)
    for reader in readers[:-1]:
        moment = moments.learn(reader)
        yield Buffer(f"h{tensor}_{reader}", 4 * size, moment, moment)
    if listed and not isinstance(step, WeightedPlan):
        yield Buffer(f"g{tensor}", 4 * size, moments.take_error(step.step), moments.learn(step.step))
    if not listed and isinstance(step, DensePlan):
        yield Buffer(f"list{tensor}", _list_bytes(step, size), taken, _last_look(moments, step))


def rows_replace_errors(step: OperatorPlan) -> bool:
    """True if a layer's active rows take the place of the errors they come from: those of int16 dense layers do."""
    return isinstance(step, DensePlan) and not step.per_channel


def active_entries(rows: int) -> int:
    """Entries of a list of active rows: one more if the rows are odd, and one that ends it."""
    return _even(rows) + 1


def _list_bytes(step: OperatorPlan, size: int) -> int:
    return LIST_ENTRY_BYTES * (active_entries(size) if rows_replace_errors(step) else size)


def _last_look(moments: Moments, step: OperatorPlan) -> int:
    """When a list of errors is read for the last time: by a dense layer once more if only some of its rows learn.

    What takes its place is read while the layer learns, too.
    """
    if isinstance(step, DensePlan) and (rows_replace_errors(step) or (step.trains and step.frozen_rows)):
        return moments.learn(step.step)
    return moments.take_error(step.step) if isinstance(step, WeightedPlan) else moments.learn(step.step)


def _scratch_buffers(graph: Graph, moments: Moments, step: OperatorPlan) -> Iterator[Buffer]:
    if isinstance(step, DensePlan) and step.has_backward and needs_own_list(graph, step):
        learn = moments.learn(step.step)
        yield Buffer(f"down{step.index}", LIST_ENTRY_BYTES * step.inputs, learn, learn)
    if isinstance(step, ConvolutionPlan) and step.has_backward:
        errors = 2 * step.outputs * _even(step.positions)
        yield Buffer(f"e{step.index}", errors, moments.take_error(step.step), moments.learn(step.step))
    if isinstance(step, ConvPlan | DepthwisePlan):
        forward = moments.forward(step.step)
        yield Buffer(f"patch{step.index}", 2 * _forward_elements(step), forward, forward)
    if isinstance(step, ConvPlan | DepthwisePlan) and (step.trains or _lists_channels(step)):
        learn = moments.learn(step.step)
        channels = LIST_ENTRY_BYTES * (step.outputs + 1) if _lists_channels(step) else 0
        yield Buffer(f"column{step.index}", max(2 * _update_elements(step), channels), learn, learn)


def _lists_channels(step: ConvolutionPlan) -> bool:
    """True if a layer's way back has a list of the active channels of a position in its scratch."""
    return isinstance(step, ConvPlan) and step.passes_error[0] and not step.per_channel


def _forward_elements(step: ConvPlan | DepthwisePlan) -> int:
    """Numbers of scratch that the forward pass of a layer needs."""
    if isinstance(step, DepthwisePlan):
        return _even(step.inputs * step.channels)
    return step.bordered_elements if step.is_first_layer_kind else step.row_elements


def _update_elements(step: ConvPlan | DepthwisePlan) -> int:
    """Numbers of scratch that the update of a layer needs."""
    if isinstance(step, ConvPlan) and step.is_first_layer_kind:
        return step.bordered_elements
    if isinstance(step, ConvPlan) and not step.per_channel and step.channels % 8 == 0:
        return 2 * (step.positions + 1)
    quads = isinstance(step, ConvPlan) and step.per_channel
    return (4 if quads else 1) * _even(step.positions)
