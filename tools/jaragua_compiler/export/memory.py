"""What a compiled network takes of a board's memory, row by row, and the refusal of what does not fit."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from jaragua_compiler.boards import Board, Core, boards
from jaragua_compiler.errors import CompileError
from jaragua_compiler.export.choice import LAST, Choice, planned
from jaragua_compiler.network import Dense, Layer, Network
from jaragua_compiler.plan import Plan
from jaragua_compiler.plan_operators import (
    ActivationPlan,
    AddPlan,
    ConvPlan,
    DensePlan,
    DepthwisePlan,
    OperatorPlan,
    PoolPlan,
    WeightedPlan,
)

ARENA = "arena: activations, errors, scratch"
_LARGEST_NAMED = 3
_STATE_BYTES = 12  # beside the exponents: pointer to the weights, rate, fy
_EXPONENTS_BYTES = 4  # a layer's, in static memory, and on the stack of jrg_model_bind
# Below any call built with -O2, less the exponents jrg_model_bind holds; measured at most: 340 and 624.
_STACK_BYTES: dict[Core, int] = {"cortex_m4": 512, "cortex_m0plus": 768}
_DITHER_BYTES = 12  # of int8 weights: seed, step, what the step begins with
# Code at -O2, on the safe side of what was measured (tests/compiler/test_export_memory.py): once, and an operator.
_CODE_ONCE_BYTES: dict[Core, int] = {"cortex_m4": 1600, "cortex_m0plus": 2200}
_CODE_BYTES: dict[Core, dict[tuple[type[OperatorPlan], str], int]] = {
    "cortex_m4": {
        (DensePlan, "w16"): 3600,
        (DensePlan, "w8"): 4700,
        (ConvPlan, "w16"): 4000,
        (ConvPlan, "w8"): 4900,
        (DepthwisePlan, "w16"): 2100,
        (PoolPlan, ""): 1000,
        (AddPlan, ""): 700,
        (ActivationPlan, ""): 500,
    },
    "cortex_m0plus": {
        (DensePlan, "w16"): 1000,
        (DensePlan, "w8"): 1400,
        (ConvPlan, "w16"): 2400,
        (ConvPlan, "w8"): 3200,
        (DepthwisePlan, "w16"): 1800,
        (PoolPlan, ""): 600,
        (AddPlan, ""): 700,
        (ActivationPlan, ""): 700,
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


def figures(compiled: Plan, core: Core) -> Figures:
    """The memory of a plan: RAM as the generated C declares it and a bound of the stack; flash with an estimate."""
    ram = (*_weights(compiled), *_static(compiled), *_callers(compiled, core))
    return Figures(ram, _flash(compiled, core), tuple(_buffers(compiled)))


def check_fits(network: Network, choice: Choice, board: Board) -> Figures:
    """The figures of a network on a board. Raises CompileError, naming the largest tensors, if it is too large."""
    found = figures(planned(network, choice), board.core)
    places = (
        ("RAM", _parts(found), found.ram_bytes, board.free_ram_bytes, board.ram_bytes),
        ("flash", found.flash, found.flash_bytes, board.free_flash_bytes, board.flash_bytes),
    )
    for place, rows, needed, free, whole in places:
        if needed > free:
            raise CompileError(
                f"network {network.name!r} needs {needed:,} bytes of {place}, {board.name} has {free:,} for it "
                f"({whole:,} less {whole - free:,} for the rest of the firmware); the largest: {_largest(rows)}.",
                _remedy(network, choice, board),
            )
    return found


def _parts(found: Figures) -> tuple[Row, ...]:
    """The rows of RAM, with the arena's buffers in its place."""
    return (*(row for row in found.ram if row.name != ARENA), *found.buffers)


def _fits(found: Figures, board: Board) -> bool:
    return found.ram_bytes <= board.free_ram_bytes and found.flash_bytes <= board.free_flash_bytes


def _weights(compiled: Plan) -> Iterator[Row]:
    yield Row("weights: header", compiled.header_bytes)
    for layer in compiled.layers:
        number = compiled.network.weighted[layer.index]
        kind = type(compiled.network.layers[number]).__name__
        size = layer.end_offset - layer.weights_offset
        yield Row(f"weights: layer {number}, {kind} {layer.inputs} -> {layer.outputs}", size)


def _static(compiled: Plan) -> Iterator[Row]:
    yield Row(ARENA, compiled.memory.bytes)
    yield Row("list of live rows", compiled.arena_bytes - compiled.memory.bytes)
    dither = _DITHER_BYTES if "w8" in compiled.weight_formats else 0
    yield Row("state", _STATE_BYTES + dither + _EXPONENTS_BYTES * len(compiled.layers))


def _callers(compiled: Plan, core: Core) -> Iterator[Row]:
    network = compiled.network
    yield Row("one sample: input, output, target (yours)", 2 * (network.input_size + network.outputs + network.targets))
    yield Row("stack, at most", _STACK_BYTES[core] + _EXPONENTS_BYTES * len(compiled.layers))


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
    return Row("initial weights", compiled.blob_bytes), Row("code, estimated at -O2", code)


def _code_kind(step: OperatorPlan) -> tuple[type[OperatorPlan], str]:
    """What the size of an operator's code depends on."""
    return type(step), step.weight_format if isinstance(step, WeightedPlan) else ""


def _largest(rows: tuple[Row, ...]) -> str:
    chosen = sorted(rows, key=lambda row: -row.bytes)[:_LARGEST_NAMED]
    return "; ".join(f"{row.name} ({row.bytes:,} bytes)" for row in chosen)


def _remedy(network: Network, choice: Choice, board: Board) -> str:
    """What would make it fit: only what was tried and does."""
    ways = [
        *_other_choices(network, choice, board),
        *_fewer_units(network, choice, board),
        *_other_boards(network, choice),
    ]
    return f"It fits with {' or '.join(ways)}." if ways else "It fits no board known here: make it smaller."


def _other_choices(network: Network, choice: Choice, board: Board) -> Iterator[str]:
    options = {
        "--weights w8": Choice("w8", choice.train),
        f"--train {LAST}": Choice(choice.weights, LAST),
        f"--weights w8 --train {LAST}": Choice("w8", LAST),
    }
    for words, other in options.items():
        found = _tried(network, other, board)
        if found is not None and _fits(found, board):
            yield f"`{words}`"
            return


def _other_boards(network: Network, choice: Choice) -> Iterator[str]:
    names = [other.name for other in boards() if _fits(figures(planned(network, choice), other.core), other)]
    if names:
        yield f"`--board {names[0]}`" + (f" (also {', '.join(names[1:])})" if names[1:] else "")


def _fewer_units(network: Network, choice: Choice, board: Board) -> Iterator[str]:
    """The widest hidden layer, as wide as it may be."""
    hidden = network.weighted[:-1]
    if not hidden:
        return
    index = max(hidden, key=lambda number: _width(network.layers[number])[1])
    name, width = _width(network.layers[index])
    least, most = 0, width  # `least` fits (0: none does), `most` does not
    while most - least > 1:
        middle = (least + most) // 2
        found = _tried(_narrowed(network, index, middle), choice, board)
        least, most = (middle, most) if found is not None and _fits(found, board) else (least, middle)
    if least:
        yield f"at most {least} {name} in layer {index}"


def _width(layer: Layer) -> tuple[str, int]:
    """What a layer calls its outputs, and how many it has; a layer that cannot choose has none."""
    return ("units", layer.units) if isinstance(layer, Dense) else ("filters", getattr(layer, "filters", 0))


def _narrowed(network: Network, index: int, width: int) -> Network:
    layers = list(network.layers)
    layers[index] = replace(layers[index], **{_width(layers[index])[0]: width})
    return replace(network, layers=tuple(layers))


def _tried(network: Network, choice: Choice, board: Board) -> Figures | None:
    """The figures under another choice, or None if the device cannot do it."""
    try:
        return figures(planned(network, choice), board.core)
    except CompileError:
        return None
