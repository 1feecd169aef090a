"""What a compiled network takes of a board's memory, row by row."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from jaragua_compiler.planning.boards import Board, Core
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
from jaragua_compiler.planning.plan import SUM_BYTES, Plan
from jaragua_compiler.planning.stack import stack_bound

ARENA = "arena: activations, errors, scratch"
_STATE_BYTES = 20  # beside the exponents: pointer to the weights, rate, fy, loss threshold, clip
_EXPONENTS_BYTES = 4  # a layer's
_DITHER_BYTES = 8  # of the next step and of this one
# Code at -O2, on the safe side of what was measured (tests/compiler/export/test_export_memory): once, and an operator.
_CODE_ONCE_BYTES: dict[Core, int] = {"cortex_m4": 1664, "cortex_m0plus": 2624}
_CODE_BYTES: dict[Core, dict[tuple[type[OperatorPlan], str], int]] = {
    "cortex_m4": {
        (DensePlan, "w16"): 3600,
        (DensePlan, "w8"): 4700,
        (ConvPlan, "w16"): 5100,
        (ConvPlan, "w8"): 4900,
        (DensePlan, "frozen"): 2000,
        (ConvPlan, "frozen"): 2100,
        (DensePlan, "split"): 4200,
        (ConvPlan, "split"): 6000,
        (DepthwisePlan, "w16"): 2700,
        (DepthwisePlan, "w8"): 4700,
        (DepthwisePlan, "frozen"): 3000,
        (PoolPlan, ""): 1000,
        (AddPlan, ""): 700,
        (ActivationPlan, ""): 500,
    },
    "cortex_m0plus": {
        (DensePlan, "w16"): 1100,
        (DensePlan, "w8"): 1400,
        (ConvPlan, "w16"): 2400,
        (ConvPlan, "w8"): 3200,
        (DensePlan, "frozen"): 1300,
        (ConvPlan, "frozen"): 1600,
        (DensePlan, "split"): 2600,
        (ConvPlan, "split"): 3900,
        (DepthwisePlan, "w16"): 1800,
        (DepthwisePlan, "w8"): 2900,
        (DepthwisePlan, "frozen"): 1600,
        (PoolPlan, ""): 600,
        (AddPlan, ""): 700,
        (ActivationPlan, ""): 800,
    },
}
_BUFFER_KINDS = {
    "x": "tensor {0}, stored",
    "list": "error of tensor {0}, a list",
    "g": "error of tensor {0}",
    "h": "error of tensor {0}, of another reader",
    "e": "error of weights {0}, scaled",
    "patch": "scratch of weights {0}, forward",
    "down": "error below weights {0}, a list",
    "column": "scratch of weights {0}, update",
}


@dataclass(frozen=True)
class Row:
    """One thing that takes memory."""

    name: str
    bytes: int


@dataclass(frozen=True)
class Figures:
    """Rows of RAM and flash, and the buffers that share the arena: their bytes add up to more than it has.

    RAM is all that a network needs, the caller's sample and the stack included.
    """

    ram: tuple[Row, ...]
    flash: tuple[Row, ...]
    buffers: tuple[Row, ...]

    @property
    def ram_bytes(self) -> int:
        """All rows of RAM."""
        return sum(row.bytes for row in self.ram)

    @property
    def flash_bytes(self) -> int:
        """All rows of flash."""
        return sum(row.bytes for row in self.flash)

    def fit(self, board: Board) -> bool:
        """True if a board has room for all of it."""
        return self.ram_bytes <= board.free_ram_bytes and self.flash_bytes <= board.free_flash_bytes


def figures(compiled: Plan, core: Core) -> Figures:
    """The memory of a plan: RAM as the generated C declares it and a bound of the stack; flash with an estimate."""
    ram = (*_weights(compiled), *_static(compiled), *_callers(compiled, core))
    return Figures(ram, _flash(compiled, core), tuple(_buffers(compiled)))


def _weights(compiled: Plan) -> Iterator[Row]:
    yield Row("weights: header", compiled.header_bytes)
    for layer in compiled.layers:
        if layer.trains:
            name = f"weights: {_layer_name(compiled, layer)}{_part(layer, layer.trained_rows)}"
            yield Row(name, layer.end_offset - layer.weights_offset)


def _frozen(compiled: Plan) -> Iterator[Row]:
    for layer in compiled.layers:
        if layer.frozen_rows:
            name = f"frozen weights: {_layer_name(compiled, layer)}{_part(layer, layer.frozen_rows)}"
            yield Row(name, layer.frozen_bytes)


def _layer_name(compiled: Plan, layer: WeightedPlan) -> str:
    number = compiled.network.weighted[layer.index]
    kind = type(compiled.network.layers[number]).__name__
    return f"layer {number}, {kind} {layer.inputs} -> {layer.outputs}"


def _part(layer: WeightedPlan, rows: int) -> str:
    return "" if rows == layer.outputs else f", {rows} channels"


def _static(compiled: Plan) -> Iterator[Row]:
    yield Row(ARENA, compiled.memory.bytes)
    sums_bytes = SUM_BYTES * compiled.sums
    yield Row("list of active rows", compiled.arena_bytes - compiled.memory.bytes - sums_bytes)
    if sums_bytes:
        yield Row("sums of steps", sums_bytes)
    dither = _DITHER_BYTES if compiled.dithered else 0
    yield Row("state", _STATE_BYTES + dither + _EXPONENTS_BYTES * len(compiled.layers))


def _callers(compiled: Plan, core: Core) -> Iterator[Row]:
    network = compiled.network
    yield Row("one sample: input, output, target (yours)", 2 * (network.input_size + network.outputs + network.targets))
    yield Row("stack, at most", stack_bound(compiled, core))


def _buffers(compiled: Plan) -> Iterator[Row]:
    """What lies in the arena, in the order of first use."""
    for place in sorted(compiled.memory.places, key=lambda place: (place.buffer.first, place.buffer.name)):
        yield Row(_buffer_name(place.buffer.name), place.buffer.bytes)


def _buffer_name(name: str) -> str:
    """memory.py's name of a buffer in words."""
    kind = name.rstrip("0123456789_")
    words = _BUFFER_KINDS.get(kind, "scratch of {0}").format(name[len(kind) :].partition("_")[0])
    return f"{name}: {words}"


def _flash(compiled: Plan, core: Core) -> tuple[Row, ...]:
    code = _CODE_ONCE_BYTES[core] + sum(_CODE_BYTES[core][_code_kind(step)] for step in compiled.steps)
    return (
        Row("initial weights", compiled.blob_bytes),
        *_frozen(compiled),
        Row("code, estimated at -O2", code),
    )


def _code_kind(step: OperatorPlan) -> tuple[type[OperatorPlan], str]:
    """What the size of an operator's code depends on."""
    if not isinstance(step, WeightedPlan):
        return type(step), ""
    if step.frozen_rows:
        return type(step), "split" if step.trains else "frozen"
    return type(step), step.weight_format
