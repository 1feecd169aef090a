"""`jaragua new`: a project of one's own that runs at once."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated

import typer

from jaragua.cli import output
from jaragua.cli.options import from_fields
from jaragua.errors import StoreError, UsageError

if TYPE_CHECKING:
    from jaragua.cli.project.contents import Columns

app = typer.Typer()


@dataclass(frozen=True)
class NewOptions:
    """The options of `jaragua new`."""

    name: Annotated[str, typer.Argument(help="Name of the project and of its folder: a-z, 0-9 and -.")]
    data: Annotated[
        Path | None, typer.Option(help="Your own CSV file; without it the project gets a small example.")
    ] = None
    label: Annotated[str | None, typer.Option(help="With --data: the column with the class.")] = None
    device: Annotated[str | None, typer.Option(help="With --data: the column that names the device of a row.")] = None
    time: Annotated[str | None, typer.Option(help="With --data: the column that tells when a row was measured.")] = None
    json: Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout.")] = False


@app.command()
@from_fields(NewOptions)
def new(options: NewOptions) -> None:
    """Make a project: data, task, run file, README and a PlatformIO project with the network's C. It runs at once."""
    from jaragua_compiler.graph.network import NAME_HINT, is_name

    if not is_name(options.name) or not options.name[0].isalpha():
        raise UsageError(f"{options.name!r} is no name of a project", f"{NAME_HINT} It begins with a letter.")
    folder = Path(options.name)
    if folder.exists():
        raise StoreError(f"{folder} is there already", "take another name, or move it away")
    with TemporaryDirectory(prefix=".jaragua-new-", dir=Path.cwd()) as draft:
        place = Path(draft) / options.name
        _write(options, place)
        place.rename(folder)
    written = sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())
    if options.json:
        output.print_result({"folder": str(folder), "files": written})
    else:
        output.show(f"{folder}: {len(written)} files; {folder / 'README.md'} has the next commands")


def _write(options: NewOptions, folder: Path) -> None:
    """All files of the project. Raises: DataError, ModelError, UsageError for the user's table."""
    from jaragua.cli.project.contents import BOARD, task_text, texts
    from jaragua_compiler.export import Choice, Component, compile_model, write_folder
    from jaragua_compiler.planning.boards import find_board
    from jaragua_models.loading import load_model

    (folder / "data").mkdir(parents=True)
    columns, first = _placed(options, folder / "data")
    task = folder / f"{options.name}.toml"
    task.write_text(task_text(options.name, columns), encoding="utf-8")
    loaded = load_model(str(task))
    component = Component(None, loaded.inputs, loaded.classes)
    prefix = component.checked(loaded.network)
    for place, text in texts(options.name, prefix, columns, loaded.inputs, first).items():
        path = folder / place
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    shown = loaded.typical_inputs()
    board, choice = find_board(BOARD), Choice()
    compiled = compile_model(loaded.network, loaded.weights, board, choice, shown, None, loaded.source, component)
    library = folder / "firmware" / "lib" / options.name
    library.parent.mkdir()
    write_folder(compiled.files, library, force=False)


def _placed(options: NewOptions, folder: Path) -> tuple[Columns, list[str]]:
    """Put the table in its folder; what its columns are, and the readings of its first row as text."""
    from jaragua.cli.project.contents import EXAMPLE_DEVICE, EXAMPLE_LABEL, example_table

    if options.data is None:
        if options.label or options.device or options.time:
            raise UsageError("--label, --device and --time are columns of --data", "give your CSV file with --data")
        place = folder / f"{options.name}.csv"
        place.write_text(example_table(), encoding="utf-8")
        return _columns(place, place.name, EXAMPLE_LABEL, EXAMPLE_DEVICE, "")
    if not options.label or not options.device:
        told = f"give --label COLUMN and --device COLUMN, and --time if there is one{_header(options.data)}"
        raise UsageError(f"which columns of {options.data} are what?", told)
    name = f"{options.name}{options.data.suffix or '.csv'}"
    found = _columns(options.data, name, options.label, options.device, options.time)
    try:
        shutil.copyfile(options.data, folder / name)
    except OSError as error:
        raise StoreError(f"{options.data} cannot be copied: {error.strerror or error}", "check the path") from error
    return found


def _header(table: Path) -> str:
    """Names of a table's columns, for a hint; "" if it cannot be read."""
    from jaragua_models import DataError
    from jaragua_models.own_data.reading.table import header_of

    try:
        return f"; it has: {', '.join(header_of(table))}"
    except DataError:
        return ""


def _columns(table: Path, name: str, label: str, device: str, time: str | None) -> tuple[Columns, list[str]]:
    """Of a table that will have that name. Raises: DataError for what is wrong in it."""
    import numpy as np

    from jaragua.cli.project.contents import Columns
    from jaragua_models.own_data.description import Description
    from jaragua_models.own_data.model import held_out_of
    from jaragua_models.own_data.reading import files

    description = Description("new", "", "table", table, label=label, device=device, time=(time,) if time else None)
    found = files.read(description)
    devices = tuple(np.unique(found.devices).tolist())
    kept = tuple(sorted(held_out_of(description, found)))
    first = [f"{reading:.7g}" for reading in found.x[0]]
    return Columns(name, label, device, found.columns, found.classes, kept, devices, time), first
