"""Which tensors share a width and an exponent, and where in a blob's header each exponent stands (A2.4, A6, A9.1).

An operator whose descriptor says so (`keeps_scale`) does not change the scale of what it reads: their tensors form one
group. The exponent of a group is stored as fx of every layer with weights that reads one of its tensors, as fy if the
network's output is in it, and as an extra one behind fy if it would be stored nowhere else.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from jaragua_compiler.graph.tensors import (
    ConvOperator,
    DenseOperator,
    DepthwiseOperator,
    Graph,
    Operator,
    UnweightedOperator,
)

OUTPUT_WIDTH = 15


@dataclass(frozen=True)
class Scales:
    """Per tensor its width, and the slot that holds its exponent.

    Slots count the exponents of tensors in a blob: fx of layer l is slot l, then fy, then the extra ones. `readers`
    gives for each layer with weights the slot its fx must agree with (its own, unless its input has several readers).
    `extra` names one tensor for every extra slot.
    """

    widths: tuple[int, ...]
    slots: tuple[int, ...]
    readers: tuple[int, ...]
    extra: tuple[int, ...]

    @property
    def count(self) -> int:
        """How many slots there are."""
        return len(self.readers) + 1 + len(self.extra)


def find_scales(graph: Graph, input_widths: Sequence[int]) -> Scales:
    """Group a graph's tensors. `input_widths`: the widest each operator lets its inputs be."""
    groups = _groups(graph)
    widths = dict.fromkeys(groups, OUTPUT_WIDTH)
    for operator, width in zip(graph.operators, input_widths, strict=True):
        for tensor in operator.inputs:
            widths[groups[tensor]] = min(widths[groups[tensor]], width)
    readers = [
        operator
        for operator in graph.operators
        if isinstance(operator, DenseOperator | ConvOperator | DepthwiseOperator)
    ]
    slot_of: dict[int, int] = {groups[graph.output]: len(readers)}
    for number, operator in enumerate(readers):
        slot_of.setdefault(groups[operator.input], number)
    extra = [group for group in dict.fromkeys(groups) if group not in slot_of]
    slot_of.update({group: len(readers) + 1 + place for place, group in enumerate(extra)})
    return Scales(
        widths=tuple(widths[group] for group in groups),
        slots=tuple(slot_of[group] for group in groups),
        readers=tuple(slot_of[groups[operator.input]] for operator in readers),
        extra=tuple(extra),
    )


def _groups(graph: Graph) -> list[int]:
    """Per tensor the first tensor of its group."""
    groups = list(range(len(graph.tensors)))
    for operator in graph.operators:
        if _keeps_scale(operator):
            groups[operator.output] = groups[operator.input]
    return groups


def _keeps_scale(operator: Operator) -> bool:
    return isinstance(operator, UnweightedOperator) and operator.properties.keeps_scale
