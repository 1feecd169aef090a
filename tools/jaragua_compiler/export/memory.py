"""What a compiled network takes of a board's memory, row by row."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from jaragua_compiler.planning import operators
from jaragua_compiler.planning.boards import Board, Core
from jaragua_compiler.planning.plan import SUM_BYTES, Plan
from jaragua_compiler.planning.stack import stack_bound

ARENA = "arena: activations, errors, scratch"
_STATE_BYTES = 16  # beside the exponents: pointer to the weights, rate, loss threshold, clip
_OUTPUT_EXPONENT_BYTES = 4  # fy of a regression, a byte that the linker aligns; a classifier's is a constant
_EXPONENTS_BYTES = 4  # a layer's
_DITHER_BYTES = 8  # of the next step and of this one
_PROTOTYPE_STATE_BYTES = 12  # temperature, threshold, the class that is nearest


def _on_cores(cortex_m4: int, cortex_m0plus: int, rv32imc: int) -> dict[Core, int]:
    return {"cortex_m4": cortex_m4, "cortex_m0plus": cortex_m0plus, "rv32imc": rv32imc}


# Code at -O2, on the safe side of what was measured (tests/compiler/export/test_export_memory): once, and an operator.
_CODE_ONCE_BYTES = _on_cores(1664, 2624, 2624)
_CODE_BYTES: dict[tuple[type[operators.OperatorPlan], str], dict[Core, int]] = {
    (operators.DensePlan, "w16"): _on_cores(3600, 1100, 1100),
    (operators.DensePlan, "w8"): _on_cores(4700, 1400, 1400),
    (operators.ConvPlan, "w16"): _on_cores(5100, 2400, 2400),
    (operators.ConvPlan, "w8"): _on_cores(4900, 3200, 3200),
    (operators.DensePlan, "frozen"): _on_cores(2000, 1300, 1300),
    (operators.ConvPlan, "frozen"): _on_cores(2100, 1600, 1600),
    (operators.DensePlan, "split"): _on_cores(4200, 2600, 2600),
    (operators.ConvPlan, "split"): _on_cores(6000, 3900, 3900),
    (operators.DepthwisePlan, "w16"): _on_cores(2700, 1800, 1800),
    (operators.DepthwisePlan, "w8"): _on_cores(4700, 2900, 2900),
    (operators.DepthwisePlan, "frozen"): _on_cores(3000, 1600, 1600),
    (operators.PoolPlan, ""): _on_cores(1000, 600, 600),
    (operators.AddPlan, ""): _on_cores(700, 700, 700),
    (operators.ActivationPlan, ""): _on_cores(500, 800, 800),
}
_PROTOTYPES_CODE_BYTES = _on_cores(4100, 4100, 4100)  # with the calls that keep enrolled classes
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
        if layer.trained_rows:
            name = f"weights: {_layer_name(compiled, layer)}{_part(layer, layer.trained_rows)}"
            yield Row(name, layer.end_offset - layer.weights_offset)


def _frozen(compiled: Plan) -> Iterator[Row]:
    for layer in compiled.layers:
        if layer.frozen_rows:
            name = f"frozen weights: {_layer_name(compiled, layer)}{_part(layer, layer.frozen_rows)}"
            yield Row(name, layer.frozen_bytes)


def _layer_name(compiled: Plan, layer: operators.WeightedPlan) -> str:
    number = compiled.network.weighted[layer.index]
    kind = type(compiled.network.layers[number]).__name__
    return f"layer {number}, {kind} {layer.inputs} -> {layer.outputs}"


def _part(layer: operators.WeightedPlan, rows: int) -> str:
    return "" if rows == layer.outputs else f", {rows} channels"


def _static(compiled: Plan) -> Iterator[Row]:
    yield Row(ARENA, compiled.memory.bytes)
    sums_bytes = SUM_BYTES * compiled.sums
    yield Row("list of active rows", compiled.arena_bytes - compiled.memory.bytes - sums_bytes)
    if sums_bytes:
        yield Row("sums of steps", sums_bytes)
    if compiled.prototypes:
        yield Row(f"prototypes of {compiled.prototypes} classes", compiled.prototype_bytes)
    more = (_DITHER_BYTES if compiled.dithered else 0) + (_PROTOTYPE_STATE_BYTES if compiled.prototypes else 0)
    more += 0 if compiled.network.classifier else _OUTPUT_EXPONENT_BYTES
    yield Row("state", _STATE_BYTES + more + _EXPONENTS_BYTES * len(compiled.layers))


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
    code = _CODE_ONCE_BYTES[core] + sum(_CODE_BYTES[_code_kind(step)][core] for step in compiled.steps)
    code += _PROTOTYPES_CODE_BYTES[core] if compiled.prototypes else 0
    return (
        Row("initial weights", compiled.blob_bytes),
        *_frozen(compiled),
        Row("code, estimated at -O2", code),
    )


def _code_kind(step: operators.OperatorPlan) -> tuple[type[operators.OperatorPlan], str]:
    """What the size of an operator's code depends on."""
    if not isinstance(step, operators.WeightedPlan):
        return type(step), ""
    if step.frozen_rows:
        return type(step), "split" if step.trains else "frozen"
    return type(step), step.weight_format
