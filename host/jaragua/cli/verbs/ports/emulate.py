"""`jaragua emulate`: boards without hardware, one port a line."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated

import typer

from jaragua.cli import completions
from jaragua.cli.options import from_fields
from jaragua.cli.output import print_result, say, show
from jaragua.errors import BoardError, StoreError, UsageError

if TYPE_CHECKING:
    from jaragua.emulate import EmulatedFleet
    from jaragua.gateway.deployed import Comparison, Deployed

app = typer.Typer()

_CHECK_SECONDS = 0.5


@dataclass(frozen=True)
class EmulateOptions:
    """The options of `jaragua emulate`."""

    count: Annotated[int, typer.Option(min=1, max=256, help="Number of boards.")] = 1
    model: Annotated[
        str,
        typer.Option(
            help="Model of the zoo, or a TOML file, that the image is built for.", autocompletion=completions.models
        ),
    ] = "digits"
    start: Annotated[
        Path | None, typer.Option(help="Weights the boards begin with: the .safetensors file of a run or simulation.")
    ] = None
    check: Annotated[
        bool, typer.Option("--check", help="Ask a board for every row of the data, compare with the simulator, end.")
    ] = False
    environment: Annotated[
        str,
        typer.Option(
            help="Board that is emulated; docs/design/emulator.md lists them.", autocompletion=completions.emulated
        ),
    ] = "qemu_m4"
    json: Annotated[bool, typer.Option("--json", help="Print one JSON document with the ports.")] = False


@app.command()
@from_fields(EmulateOptions)
def emulate(options: EmulateOptions) -> None:
    """Start emulated boards; print one port per line and run until Ctrl-C."""
    from jaragua.emulate import EmulatedFleet, build_image
    from jaragua.emulate.image import check_environment
    from jaragua.gateway.deployed import start_of
    from jaragua.models import model_started
    from jaragua.node.program import run_until_signal

    check_environment(options.environment)
    if options.check and options.start is None:
        raise UsageError("--check compares the answers of trained weights", "give them with --start")
    model = model_started(options.model, options.start)
    start = start_of(model, options.start) if options.start else None
    say(f"building the image of {model.name} for {options.environment}")
    image = build_image(options.environment, options.model)
    with EmulatedFleet(image, 1 if options.check else options.count, links=_folder_of_ports()) as fleet:
        if start is not None and options.check:
            _check(fleet, start, options.json)
        else:
            run_until_signal(_announce_and_watch(fleet, image, start, options))


def _check(fleet: EmulatedFleet, start: Deployed, json: bool) -> None:
    from jaragua.gateway.deployed import compare

    found = asyncio.run(compare(fleet.urls[0], start))
    if found.different:
        message = f"the board answers {len(found.different)} of {found.rows} rows otherwise than the simulator"
        raise BoardError(message, f"report it, with your data if you can; the first such row is {found.different[0]}")
    _print_equal(found, json)


def _print_equal(found: Comparison, json: bool) -> None:
    if json:
        print_result({"rows": found.rows, "equal": found.rows})
    else:
        show(f"{found.rows} rows: the board's answers equal the simulator's, to the bit")


def _folder_of_ports() -> Path | None:
    """Where native boards get ports that keep their names when a new image is put on them."""
    from jaragua.folders import make_runtime_folder

    with suppress(StoreError):
        return make_runtime_folder()
    return None


async def _announce_and_watch(
    fleet: EmulatedFleet, image: Path, start: Deployed | None, options: EmulateOptions
) -> None:
    """Whoever reads the ports may end us at once, and well. ToolError as soon as a board ends by itself."""
    from jaragua.emulate.registry import Running, announced
    from jaragua.gateway.deployed import deploy

    if start is not None:
        await deploy(fleet.urls, start)

    def list_boards(programmer: str) -> list[Running]:
        return [
            Running(board.url, options.environment, options.model, board.uid.hex(), programmer)
            for board in fleet.boards
        ]

    with TemporaryDirectory(prefix="jaragua-emulate-") as folder:

        async def program(url: str, image: Path) -> None:
            fleet.program(url, image, Path(folder))
            say(f"{url}: started with {image}")

        async with announced(list_boards, program):
            if options.json:
                print_result({"image": str(image), "ports": fleet.urls})
            else:
                show("\n".join(fleet.urls))
            say(f"boards running: {len(fleet.boards)}; Ctrl-C ends")
            while True:
                fleet.check()
                await asyncio.sleep(_CHECK_SECONDS)
