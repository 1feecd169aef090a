"""Does a network fit a board: the refusal of what does not, and the layers that train where the user leaves it open."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from jaragua_compiler.errors import CompileError
from jaragua_compiler.export.choice import AUTO, LAST, Choice, planned
from jaragua_compiler.export.memory import ARENA, Figures, Row, figures
from jaragua_compiler.graph.network import Conv2D, Dense, Layer, Network
from jaragua_compiler.planning.boards import Board, boards

_LARGEST_NAMED = 3
_INPUT = -1  # in the place of a layer's number: the network's input


@dataclass(frozen=True)
class Attempt:
    """One layer of `--train auto`: the figures of everything if it trains too, and whether it does."""

    layer: int
    figures: Figures
    trains: bool


def choose_layers(network: Network, choice: Choice, board: Board) -> list[Attempt]:
    """Which layers train: from the last one down, each one with which everything still fits (compile.md).

    If the last one does not fit there is but one attempt. Raises CompileError if the device cannot train it.
    """
    chosen = [network.weighted[-1]]
    least = figures(planned(network, _explicit(choice, chosen)), board.core)
    attempts = [Attempt(chosen[0], least, least.fit(board))]
    for index in reversed(network.weighted[:-1]) if least.fit(board) else ():
        found = _tried(network, _explicit(choice, [index, *chosen]), board)
        if found is None:
            continue
        fits = found.fit(board)
        chosen = [index, *chosen] if fits else chosen
        attempts.append(Attempt(index, found, fits))
    return attempts


def resolved(network: Network, choice: Choice, board: Board) -> Choice:
    """The choice with numbers of layers in the place of "auto"."""
    if choice.train != AUTO:
        return choice
    chosen = sorted(attempt.layer for attempt in choose_layers(network, choice, board) if attempt.trains)
    return _explicit(choice, chosen) if chosen else replace(choice, train=LAST)


def _explicit(choice: Choice, layers: list[int]) -> Choice:
    return replace(choice, train=",".join(map(str, layers)))


def check_fits(network: Network, choice: Choice, board: Board) -> Figures:
    """The figures of a network on a board. Raises CompileError, naming the largest tensors, if it is too large."""
    found = figures(planned(network, resolved(network, choice, board)), board.core)
    places = (
        ("RAM", _parts(found), found.ram_bytes, board.free_ram_bytes, board.ram_bytes),
        ("flash", found.flash, found.flash_bytes, board.free_flash_bytes, board.flash_bytes),
    )
    for place, rows, needed, free, whole in places:
        if needed > free:
            room = f"{board.name} has {free:,} for it ({whole:,} less {whole - free:,} for the rest of the firmware)"
            if place == "RAM" and board.budget_bytes is not None:
                room = f"--ram-budget allows {free:,}"
            raise CompileError(
                f"network {network.name!r} needs {needed:,} bytes of {place}, {room}; the largest: {_largest(rows)}.",
                _remedy(network, choice, board),
            )
    return found


def _parts(found: Figures) -> tuple[Row, ...]:
    """The rows of RAM, with the arena's buffers in its place."""
    return (*(row for row in found.ram if row.name != ARENA), *found.buffers)


def _largest(rows: tuple[Row, ...]) -> str:
    chosen = sorted(rows, key=lambda row: -row.bytes)[:_LARGEST_NAMED]
    return "; ".join(f"{row.name} ({row.bytes:,} bytes)" for row in chosen)


def _remedy(network: Network, choice: Choice, board: Board) -> str:
    """What would make it fit: only what was tried and does."""
    ways = [
        *_other_choices(network, choice, board),
        *_fewer_units(network, choice, board),
        *_other_boards(network, choice, board),
    ]
    return f"It fits with {' or '.join(ways)}." if ways else "It fits no board known here: make it smaller."


def _other_choices(network: Network, choice: Choice, board: Board) -> Iterator[str]:
    ways = {"--weights w8": replace(choice, weights="w8"), f"--train {AUTO}": replace(choice, train=AUTO)}
    found = [words for words, other in ways.items() if _fits(network, other, board)]
    both = f"--weights w8 --train {AUTO}"
    if not found and _fits(network, replace(choice, weights="w8", train=AUTO), board):
        found = [both]
    yield from (f"`{words}`" for words in found)


def _other_boards(network: Network, choice: Choice, board: Board) -> Iterator[str]:
    if board.budget_bytes is not None:
        found = _tried(network, choice, replace(board, budget_bytes=None))
        if found is not None and found.fit(replace(board, budget_bytes=None)):
            yield f"`--ram-budget {found.ram_bytes}` or more"
        return
    names = [other.name for other in boards() if _fits(network, choice, other)]
    if names:
        yield f"`--board {names[0]}`" + (f" (also {', '.join(names[1:])})" if names[1:] else "")


def _fewer_units(network: Network, choice: Choice, board: Board) -> Iterator[str]:
    """The widest hidden layers, as wide as they may be; the next ones if none of their widths fits."""
    groups = sorted(width_groups(network), key=lambda layers: -_width(network.layers[layers[0]]))
    found = ((group, _largest_width(network, group, choice, board)) for group in groups)
    best = next(((group, width) for group, width in found if width), None)
    if best is not None:
        yield f"at most {best[1]} {_outputs_of(network, best[0])}"


def _largest_width(network: Network, group: tuple[int, ...], choice: Choice, board: Board) -> int:
    """The largest width below that of a group of layers with which the network was tried and fits; 0 if none does."""
    least, most = 0, _width(network.layers[group[0]])  # `least` fits (0: none does), `most` does not
    while most - least > 1:
        middle = (least + most) // 2
        other = narrowed(network, group, middle)
        fits = other is not None and _fits(other, choice, board)
        least, most = (middle, most) if fits else (least, middle)
    return least


def width_groups(network: Network) -> list[tuple[int, ...]]:
    """The hidden layers that choose their width, those together whose outputs an Add joins: they have one width.

    Layers whose width the network's input or its outputs decide are in none.
    """
    makers: list[set[int]] = [{_INPUT}]  # of each tensor the layers that decide its channels; shared by joined ones
    for index, layer in enumerate(network.layers):
        if isinstance(layer, Dense | Conv2D):
            makers.append({index})
            continue
        first, *others = (makers[tensor] for tensor in network.operands(index))
        joined = first.union(*others)
        makers = [joined if known <= joined else known for known in makers] + [joined]
    fixed = {_INPUT} | makers[-1]
    return sorted({tuple(sorted(group)) for group in makers if not group & fixed})


def narrowed(network: Network, group: tuple[int, ...], width: int) -> Network | None:
    """The network with another width of these layers; None if there is no such network."""
    layers = list(network.layers)
    for index in group:
        layers[index] = replace(layers[index], **{_width_name(layers[index]): width})
    try:
        return replace(network, layers=tuple(layers))
    except CompileError:
        return None


def _outputs_of(network: Network, group: tuple[int, ...]) -> str:
    """ "filters in layers 0 and 2"."""
    names = {_width_name(network.layers[index]) for index in group}
    name = names.pop() if len(names) == 1 else "outputs"
    *others, last = map(str, group)
    return f"{name} in layers {', '.join(others)} and {last}" if others else f"{name} in layer {last}"


def _width(layer: Layer) -> int:
    width: int = getattr(layer, _width_name(layer))
    return width


def _width_name(layer: Layer) -> str:
    """What a layer that chooses its width calls it."""
    return "units" if isinstance(layer, Dense) else "filters"


def _fits(network: Network, choice: Choice, board: Board) -> bool:
    found = _tried(network, choice, board)
    return found is not None and found.fit(board)


def _tried(network: Network, choice: Choice, board: Board) -> Figures | None:
    """The figures under another choice, or None if the device cannot do it."""
    try:
        return figures(planned(network, resolved(network, choice, board)), board.core)
    except CompileError:
        return None
