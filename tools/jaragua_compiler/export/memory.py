"""What a compiled network takes of a board's memory, row by row, and the refusal of what does not fit."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from jaragua_compiler.boards import Board, Core, boards
from jaragua_compiler.errors import CompileError
from jaragua_compiler.export.choice import LAST, Choice, planned
from jaragua_compiler.network import Dense, Layer, Network
from jaragua_compiler.plan import Plan

_LARGEST_NAMED = 3
_STATE_BYTES = 12  # beside the exponents: pointer to the weights, rate, fy
_EXPONENTS_BYTES = 4  # a layer's, as the C keeps them
# The deepest call, jrg_model_bind or jrg_model_train, less the exponents the former holds. Measured: 144 bytes at -O2.
_STACK_BYTES = 256
# Code at -O2, on the safe side of what was measured (tests/compiler/test_export_sizes.py): (once, each layer).
_CODE_BYTES: dict[Core, tuple[int, int]] = {"cortex_m4": (1400, 3600), "cortex_m0plus": (2200, 1000)}


@dataclass(frozen=True)
class Row:
    """One thing that takes memory."""

    name: str
    bytes: int


@dataclass(frozen=True)
class Figures:
    """Rows of RAM and flash. RAM is all a network needs, the caller's sample and the stack included."""

    ram: tuple[Row, ...]
    flash: tuple[Row, ...]

    @property
    def ram_bytes(self) -> int:
        """All rows of RAM."""
        return sum(row.bytes for row in self.ram)

    @property
    def flash_bytes(self) -> int:
        """All rows of flash."""
        return sum(row.bytes for row in self.flash)


def figures(compiled: Plan, core: Core) -> Figures:
    """The memory of a plan: RAM exactly as the generated C declares it and a stack bound, flash with an estimate."""
    once, each = _CODE_BYTES[core]
    flash = (
        Row("initial weights", compiled.blob_bytes),
        Row("code, estimated at -O2", once + each * len(compiled.layers)),
    )
    return Figures((*_weights(compiled), *_arena(compiled), *_rest(compiled)), flash)


def check_fits(network: Network, choice: Choice, board: Board) -> Figures:
    """The figures of a network on a board. Raises CompileError, naming the largest tensors, if it is too large."""
    found = figures(planned(network, choice), board.core)
    places = (
        ("RAM", found.ram, found.ram_bytes, board.free_ram_bytes, board.ram_bytes),
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


def _fits(found: Figures, board: Board) -> bool:
    return found.ram_bytes <= board.free_ram_bytes and found.flash_bytes <= board.free_flash_bytes


def _weights(compiled: Plan) -> Iterator[Row]:
    yield Row("weights: header", compiled.header_bytes)
    for layer in compiled.layers:
        number = compiled.network.weighted[layer.index]
        kind = type(compiled.network.layers[number]).__name__
        size = layer.end_offset - layer.weights_offset
        yield Row(f"weights: layer {number}, {kind} {layer.inputs} -> {layer.outputs}", size)


def _arena(compiled: Plan) -> Iterator[Row]:
    last = len(compiled.tensor_elements) - 1
    for index, elements in enumerate(compiled.tensor_elements):
        name = "the input" if index == 0 else f"output of layer {compiled.network.weighted[index - 1]}"
        yield Row(f"tensor x{index}: {name}" + (" (the network's)" if index == last else ""), 2 * elements)
    yield Row("errors of one layer", 8 * compiled.error_elements)
    yield Row("list of live rows", 8 * compiled.live_elements)


def _rest(compiled: Plan) -> Iterator[Row]:
    network = compiled.network
    exponents = _EXPONENTS_BYTES * len(compiled.layers)
    yield Row("state", _STATE_BYTES + exponents)
    yield Row("one sample: input, output, target (yours)", 2 * (network.input_size + network.outputs + network.targets))
    yield Row("stack, at most", _STACK_BYTES + exponents)


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
