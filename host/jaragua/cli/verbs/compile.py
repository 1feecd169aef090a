"""`jaragua compile`: a network's C for a board, as a folder that builds on its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast, get_args

import typer

from jaragua.cli import completions, output
from jaragua.cli.options import from_fields
from jaragua.cli.tool_errors import tool_errors
from jaragua.errors import ModelError, UsageError

if TYPE_CHECKING:
    from jaragua_compiler.export import Attempt, Calibrate, Choice, Compiled, LoadedModel, Row, Source
    from jaragua_compiler.graph.initial_weights import FloatArray
    from jaragua_compiler.graph.network import Loss, Network, WeightFormat
    from jaragua_compiler.planning.boards import Board
    from jaragua_compiler.quantisation.ranges import Ranges
    from jaragua_models import Model

app = typer.Typer()


@dataclass(frozen=True)
class CompileOptions:
    """The options of `jaragua compile`."""

    model: Annotated[
        str,
        typer.Argument(
            help="A model of the zoo, a model file (.keras, .onnx, .tflite) or the TOML file of a task.",
            autocompletion=completions.models,
        ),
    ]
    board: Annotated[
        str, typer.Option(help="Target board; `jaragua boards --known` lists them.", autocompletion=completions.boards)
    ]
    weights: Annotated[str | None, typer.Option(help="Format of trained weights: w16 or w8.")] = None
    train: Annotated[
        str | None,
        typer.Option(help="Layers that train: all, last, auto, or numbers (0,2; 0:8 or 0:1-3+7 for some channels)."),
    ] = None
    ram_budget: Annotated[
        int | None, typer.Option(help="Bytes of RAM that the network may use; default: all of the table.")
    ] = None
    start: Annotated[
        Path | None, typer.Option(help="Weights to start from: the .safetensors file of a run or simulation.")
    ] = None
    prototypes: Annotated[
        int | None,
        typer.Option(help="Classes that the C has room to enrol and recognise without training.", min=1, max=255),
    ] = None
    episodes: Annotated[
        bool, typer.Option("--episodes", help="Also the C for enrolled samples that teach, with --prototypes (A12.10).")
    ] = False
    false_accepts: Annotated[
        float | None,
        typer.Option(help="Part of unknown samples that the threshold accepts, with --prototypes; default: 0.05."),
    ] = None
    unseen: Annotated[
        Path | None,
        typer.Option(
            help="Weights that have not seen the validation devices, on which the threshold is then calibrated."
        ),
    ] = None
    loss: Annotated[str | None, typer.Option(help="Loss, for a model file that does not name one.")] = None
    prefix: Annotated[
        str | None, typer.Option(help="First part of every name and file of the C; default: the network's name.")
    ] = None
    out: Annotated[Path | None, typer.Option(help="Folder to write; default: NETWORK-BOARD.")] = None
    samples: Annotated[Path | None, typer.Option(help="Typical inputs: a .npy file, one row per sample.")] = None
    arduino: Annotated[
        bool, typer.Option("--arduino", help="Also write a ZIP library for the Arduino IDE, with --prototypes.")
    ] = False
    run: Annotated[
        bool, typer.Option("--run", help="Build the self-test for the board's core and run it on an emulated one.")
    ] = False
    force: Annotated[bool, typer.Option("--force", help="Overwrite files that `jaragua compile` did not write.")] = (
        False
    )
    json: Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout.")] = False


@app.command()
@from_fields(CompileOptions)
def compile(options: CompileOptions) -> None:
    """Write a network as a folder of C that trains on a board, for any firmware."""
    from jaragua.semantics.models.writing import with_description
    from jaragua_compiler.export import (
        Choice,
        Component,
        check_fits,
        check_replaceable,
        compile_model,
        read_weights,
        write_folder,
    )
    from jaragua_models.loading import load_model

    if options.run:
        _check_tools()
    if options.arduino and options.prototypes is None:
        raise UsageError("--arduino needs --prototypes", "its example enrols classes: say how many there is room for")
    if options.episodes and options.prototypes is None:
        raise UsageError("--episodes needs --prototypes", "say for how many classes there is room")
    target = _board(options.board, options.ram_budget)
    choice = Choice(_weights(options.weights), options.train, options.prototypes, options.episodes)
    loaded = load_model(options.model, loss_of(options.loss), options.start)
    network, component = loaded.network, Component(options.prefix, loaded.inputs, loaded.classes, _rejection(options))
    component.checked(network)
    folder = options.out or Path(f"{network.name}-{target.name}")
    check_replaceable(folder, force=options.force)
    choice = _chosen(network, choice, target)
    check_fits(network, choice, target)  # before any data is read
    shown, start = _samples(loaded, options.samples), options.start
    loaded = loaded if start is None else loaded.started(read_weights(start, network))
    _say_what_decides_the_formats(shown, loaded.ranges)
    compiled = compile_model(network, loaded.weights, target, choice, shown, loaded.ranges, loaded.source, component)
    _say_what_is_unusual(loaded.source, compiled)
    compiled = with_description(compiled, options.model, loaded.network)
    compiled = _with_arduino(compiled) if options.arduino else compiled
    write_folder(compiled.files, folder, force=options.force)
    if options.run:
        _run_selftest(compiled, target, folder)
    if options.json:
        output.print_result(_document(compiled, loaded.source, target, folder) | {"selftest_ran": options.run})
    else:
        _print(compiled, target, folder)


def _with_arduino(compiled: Compiled) -> Compiled:
    from jaragua import __version__
    from jaragua_compiler.export.arduino import with_arduino

    return with_arduino(compiled, __version__)


def _rejection(options: CompileOptions) -> Calibrate | None:
    """What calibrates the threshold of unknown classes; None if there are no prototypes, or no tasks to draw from."""
    from jaragua.tuning.rejection import calibration_for
    from jaragua_models.loading import model_with_tasks

    def model() -> Model | None:
        return model_with_tasks(options.model, options.start)

    return calibration_for(model, options.prototypes, options.false_accepts, output.say, options.unseen)


def _board(name: str, ram_budget: int | None) -> Board:
    from jaragua_compiler.errors import CompileError
    from jaragua_compiler.planning.boards import find_board

    try:
        return find_board(name, ram_budget)
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


def _say_what_is_unusual(source: Source, compiled: Compiled) -> None:
    """Weights that nobody trained, and samples in another order than the C takes them."""
    if source.weights == "random":
        frozen = ", and frozen layers keep theirs" if compiled.plan.network.frozen else ""
        output.say(f"no --start: the weights are random ones, not trained{frozen}")
    if source.samples is not None and source.transposed:
        shape, inputs = (" x ".join(map(str, sizes)) for sizes in (source.samples.shape, source.samples.inputs))
        output.say(f"the model file's samples are {shape}, the C takes them as {inputs}: README.md says how")


def _attempt(network: Network, attempt: Attempt, board: Board) -> str:
    """One line of `--train auto`: a layer, what everything takes if it trains, and so whether it does."""
    needed, free, place = attempt.figures.ram_bytes, board.free_ram_bytes, "RAM"
    if needed <= free and not attempt.trains:
        needed, free, place = attempt.figures.flash_bytes, board.free_flash_bytes, "flash"
    verdict = "it trains" if attempt.trains else "it stays frozen"
    kind = type(network.layers[attempt.layer]).__name__
    return f"layer {attempt.layer}, {kind}: with it {needed:,} of {free:,} bytes of {place}: {verdict}"


def _check_tools() -> None:
    from jaragua_bench.emulated import toolchain

    with tool_errors():
        toolchain.require_tools()


def _run_selftest(compiled: Compiled, board: Board, folder: Path) -> None:
    """Says that the self-test passed on an emulated core of the board's kind; ModelError if it did not."""
    from jaragua_bench.emulated import selftest

    with tool_errors():
        right = selftest.passes(folder, compiled.prefix, board.core)
    if not right:
        raise ModelError(
            f"the self-test of {folder} found a wrong bit on an emulated {board.core}",
            "a fault of the compiler of C or of Jaragua: report it with the versions of both",
        )
    output.say(f"the self-test of {folder} passed on an emulated {board.core}: every bit is right")


def _weights(wanted: str | None) -> WeightFormat | None:
    from jaragua_compiler.graph.network import WeightFormat

    return cast("WeightFormat | None", _one_of("--weights", wanted, get_args(WeightFormat)))


def loss_of(wanted: str | None) -> Loss | None:
    """The loss that an option names; UsageError if there is none of that name."""
    from jaragua_compiler.graph.network import Loss

    return cast("Loss | None", _one_of("--loss", wanted, get_args(Loss)))


def _one_of(option: str, wanted: str | None, known: Sequence[str]) -> str | None:
    if wanted is not None and wanted not in known:
        raise UsageError(f"{option} has no value '{wanted}'", f"use one of: {', '.join(known)}")
    return wanted


def _samples(loaded: LoadedModel, path: Path | None) -> FloatArray | None:
    from jaragua_compiler.export import read_samples

    return loaded.typical_inputs() if path is None else read_samples(path, loaded.network, loaded.source.samples)


def _say_what_decides_the_formats(samples: FloatArray | None, ranges: Ranges | None) -> None:
    if samples is None:
        output.say(f"no --samples: the formats are made for {ranges or 'inputs from -1 to 1'}")


def _document(compiled: Compiled, source: Source, board: Board, folder: Path) -> dict[str, Any]:
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
        "prefix": compiled.prefix,
        "source": source.facts(),
        "channel_order": {str(index): asdict(order) for index, order in compiled.orders.items()},
        "prototypes": compiled.component.prototypes(plan),
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
