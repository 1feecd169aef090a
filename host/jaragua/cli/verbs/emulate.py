"""`jaragua emulate`: boards without hardware, one port a line."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from jaragua.cli.output import print_result, say, show

if TYPE_CHECKING:
    from jaragua.emulate import EmulatedFleet

app = typer.Typer()

_CHECK_SECONDS = 0.5


@app.command()
def emulate(
    count: Annotated[int, typer.Option(min=1, max=256, help="Number of boards.")] = 1,
    model: Annotated[str, typer.Option(help="Model of the zoo the image is built for.")] = "digits",
    environment: Annotated[
        str, typer.Option(help="qemu_m4 (Cortex-M4 on QEMU) or native (a process on a pty).")
    ] = "qemu_m4",
    json: Annotated[bool, typer.Option("--json", help="Print one JSON document with the ports.")] = False,
) -> None:
    """Start emulated boards; print one port per line and run until Ctrl-C."""
    from jaragua.emulate import EmulatedFleet, build_image
    from jaragua.emulate.image import check_environment
    from jaragua.models import model_of_images
    from jaragua.node.program import run_until_signal

    check_environment(environment)
    name = model_of_images(model).name
    say(f"building the image of {name} for {environment}")
    image = build_image(environment, name)
    with EmulatedFleet(image, count) as fleet:
        run_until_signal(_announce_and_watch(fleet, image, json))


async def _announce_and_watch(fleet: EmulatedFleet, image: Path, json: bool) -> None:
    """Whoever reads the ports may end us at once, and well. ToolError as soon as a board ends by itself."""
    if json:
        print_result({"image": str(image), "ports": fleet.urls})
    else:
        show("\n".join(fleet.urls))
    say(f"boards running: {len(fleet.boards)}; Ctrl-C ends")
    while True:
        fleet.check()
        await asyncio.sleep(_CHECK_SECONDS)
