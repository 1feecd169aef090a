"""`jaragua compile`: a network's C for a board, as a folder that builds on its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast, get_args

import typer

from jaragua.cli import output
from jaragua.errors import UsageError

if TYPE_CHECKING:
    from jaragua_compiler.boards import Board
    from jaragua_compiler.export import Attempt, Choice, Compiled, Row
    from jaragua_compiler.initial import FloatArray, Weights
    from jaragua_compiler.network import Loss, Network, WeightFormat
    from jaragua_compiler.ranges import Ranges

app = typer.Typer()


@app.command()
def compile(
    model: Annotated[str, typer.Argument(help="A model of the zoo, or a model file (.keras, .onnx, .tflite).")],
    board: Annotated[str, typer.Option(help="Board it is for; `jaragua boards` lists them.")],
    weights: Annotated[str | None, typer.Option(help="Format of trained weights: w16 or w8.")] = None,
    train: Annotated[
        str | None,
        typer.Option(help="What trains: all, last, auto, or layers (0,2; 0:8 or 0:1-3+7 for some channels)."),
    ] = None,
    ram_budget: Annotated[
        int | None, typer.Option(help="Bytes of RAM it may take; by default all the board has.")
    ] = None,
    start: Annotated[Path | None, typer.Option(help="Weights to start with: a run's .safetensors file.")] = None,
    loss: Annotated[str | None, typer.Option(help="Loss of a model file that does not say its own.")] = None,
    out: Annotated[Path | None, typer.Option(help="Folder to make; by default NETWORK-BOARD here.")] = None,
    samples: Annotated[Path | None, typer.Option(help="Typical inputs: a .npy file, one row a sample.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace the folder, whatever is in it.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout.")] = False,
) -> None:
    """Write the C of a network that trains on a board: a folder that builds on its own, in anyone's firmware."""
    from jaragua_compiler.export import Choice, check_fits, check_replaceable, compile_model, load_model, write_folder

    target = _board(board, ram_budget)
    choice = Choice(_weights(weights), train)
    network, values = load_model(model, loss_of(loss))
    folder = out or Path(f"{network.name}-{target.name}")
    check_replaceable(folder, force=force)
    choice = _chosen(network, choice, target)
    check_fits(network, choice, target)  # before any data is read
    shown, ranges = _samples(model, samples, network), _ranges(model, loss_of(loss), start)
    _say_what_decides_the_formats(shown, ranges)
    values = _started(start, network) or values
    compiled = compile_model(network, values, target, choice, shown, ranges)
    _warn_of_random(model, start, compiled)
    write_folder(compiled.files, folder, force=force)
    if json:
        output.print_result(_document(compiled, target, folder))
    else:
        _print(compiled, target, folder)


def _board(name: str, ram_budget: int | None) -> Board:
    from jaragua_compiler.boards import find_board, with_budget
    from jaragua_compiler.errors import CompileError

    try:
        board = find_board(name)
        return board if ram_budget is None else with_budget(board, ram_budget)
    except CompileError as error:
        raise UsageError(error.message, error.hint) from error


def _chosen(network: Network, choice: Choice, board: Board) -> Choice:
    """The choice with layers in the place of "auto", which are said with their reason."""
    from jaragua_compiler.export import choose_layers, resolved
    from jaragua_compiler.export.choice import AUTO

    if choice.train != AUTO:
        return choice
    attempts = choose_layers(network, choice, board)
    for attempt in attempts if attempts[0].trains else ():
        output.say(_attempt(network, attempt, board))
    return resolved(network, choice, board)


def _started(start: Path | None, network: Network) -> Weights | None:
    from jaragua_compiler.export import read_start

    return None if start is None else read_start(start, network)


def _warn_of_random(model: str, start: Path | None, compiled: Compiled) -> None:
    from jaragua_compiler.export import is_file

    if start is None and not is_file(model) and compiled.plan.network.frozen:
        output.say("no --start: the weights of frozen layers are random ones")


def _attempt(network: Network, attempt: Attempt, board: Board) -> str:
    """One line of `--train auto`: a layer, what everything takes if it trains, and so whether it does."""
    needed, free, place = attempt.figures.ram_bytes, board.free_ram_bytes, "RAM"
    if needed <= free and not attempt.trains:
        needed, free, place = attempt.figures.flash_bytes, board.free_flash_bytes, "flash"
    verdict = "it trains" if attempt.trains else "it stays frozen"
    kind = type(network.layers[attempt.layer]).__name__
    return f"layer {attempt.layer}, {kind}: with it {needed:,} of {free:,} bytes of {place}: {verdict}"


def _weights(wanted: str | None) -> WeightFormat | None:
    from jaragua_compiler.network import WeightFormat

    return cast("WeightFormat | None", _one_of("--weights", wanted, get_args(WeightFormat)))


def loss_of(wanted: str | None) -> Loss | None:
    """The loss that an option names; UsageError if there is none of that name."""
    from jaragua_compiler.network import Loss

    return cast("Loss | None", _one_of("--loss", wanted, get_args(Loss)))


def _one_of(option: str, wanted: str | None, known: Sequence[str]) -> str | None:
    if wanted is not None and wanted not in known:
        raise UsageError(f"{option} has no value '{wanted}'", f"use one of: {', '.join(known)}")
    return wanted


def _samples(model: str, path: Path | None, network: Network) -> FloatArray | None:
    from jaragua_compiler.export import read_samples, zoo_samples

    return zoo_samples(model) if path is None else read_samples(path, network)


def _ranges(model: str, loss: Loss | None, start: Path | None) -> Ranges | None:
    """Those of a model file; under other weights than its own that of its input still holds."""
    from jaragua_compiler.export import file_ranges

    found = file_ranges(model, loss)
    return found if found is None or start is None else found.of_input_alone()


def _say_what_decides_the_formats(samples: FloatArray | None, ranges: Ranges | None) -> None:
    if samples is None:
        output.say(f"no --samples: the formats are made for {ranges or 'inputs from -1 to 1'}")


def _document(compiled: Compiled, board: Board, folder: Path) -> dict[str, Any]:
    plan, figures = compiled.plan, compiled.figures
    network = plan.network
    trained = [index for index in network.weighted if network.trains(index)]
    return {
        "folder": str(folder),
        "network": network.name,
        "architecture": plan.architecture.hex(),
        "board": board.name,
        "core": board.core,
        "weights": sorted({network.weight_format(index) for index in trained}),
        "trained_layers": trained,
        "trained_channels": {str(index): network.trained_rows(index) for index in trained},
        "channel_order": {str(index): asdict(order) for index, order in compiled.orders.items()},
        "blob_bytes": plan.blob_bytes,
        "ram_bytes": figures.ram_bytes,
        "ram_free_bytes": board.free_ram_bytes,
        "ram": [asdict(row) for row in figures.ram],
        "buffers": [asdict(row) for row in figures.buffers],
        "flash_bytes": figures.flash_bytes,
        "flash_free_bytes": board.free_flash_bytes,
        "flash": [asdict(row) for row in figures.flash],
        "files": sorted(compiled.files),
    }


def _print(compiled: Compiled, board: Board, folder: Path) -> None:
    figures = compiled.figures
    output.show_table(_table("RAM", figures.ram, figures.ram_bytes, board.free_ram_bytes))
    output.show_table(_table("flash", figures.flash, figures.flash_bytes, board.free_flash_bytes))
    output.show(f"{compiled.plan.network.name} for {board.title}: {len(compiled.files)} files in {folder}")


def _table(place: str, rows: Sequence[Row], total: int, free: int) -> Any:
    table = output.new_table(f"{place}, bytes", ("", False), ("bytes", True))
    table.show_footer = True
    table.columns[0].footer, table.columns[1].footer = f"all, of {free:,}", f"{total:,}"
    for row in rows:
        table.add_row(row.name, f"{row.bytes:,}")
    return table
