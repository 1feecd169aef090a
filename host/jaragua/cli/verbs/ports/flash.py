"""`jaragua flash`: a new image on a board."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from jaragua.cli.options import from_fields
from jaragua.cli.output import print_result, say, show
from jaragua.cli.port_choice import PORT_HELP, all_ports, chosen_port

if TYPE_CHECKING:
    from jaragua.flash.flash import Flashed
    from jaragua.flash.target import Target
    from jaragua.gateway.deployed import Deployed
    from jaragua.serial.ports.discovery import Port
    from jaragua.wire.messages import Identity

app = typer.Typer()


@dataclass(frozen=True)
class FlashOptions:
    """The options of `jaragua flash`."""

    port: Annotated[str | None, typer.Option(help=PORT_HELP)] = None
    model: Annotated[
        str | None, typer.Option(help="Model of the zoo, or a TOML file; default: the one the board has.")
    ] = None
    start: Annotated[
        Path | None, typer.Option(help="Weights to send afterwards: the .safetensors file of a run or simulation.")
    ] = None
    environment: Annotated[str | None, typer.Option(help="Of platformio.ini; default: that of the board.")] = None
    json: Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout.")] = False


@app.command()
@from_fields(FlashOptions)
def flash(options: FlashOptions) -> None:
    """Build an image, upload it, check that it runs, and say what it replaced."""
    from jaragua.flash.flash import flash as put

    target = _target(options)
    start = _start(options.start, target.model)
    done = asyncio.run(put(target, say))
    if start is not None:
        from jaragua.gateway.deployed import deploy

        asyncio.run(deploy([target.port.path], start))
    if options.json:
        print_result(_document(done, options.start))
    else:
        show(_text(done, options.start))


def _target(options: FlashOptions) -> Target:
    from jaragua.flash.flash import who_is_there
    from jaragua.flash.target import Target, environment_of, model_of
    from jaragua.models import absolute
    from jaragua_models import names

    port = _port_of(chosen_port(options.port))
    before = asyncio.run(who_is_there(port.path))
    environment = environment_of(options.environment, port, before)
    return Target(port, environment, absolute(model_of(options.model, environment, before, names())), before)


def _port_of(path: str) -> Port:
    """What is known of a port; of one that nothing is known of, its path."""
    from jaragua.serial.ports.discovery import Port

    return next((port for port in all_ports() if path in (port.path, port.stable)), Port(path, "built-in"))


def _start(path: Path | None, model: str) -> Deployed | None:
    """Read before anything is built. Raises: CompileError if the weights are of another network."""
    from jaragua.gateway.deployed import start_of
    from jaragua.models import model_started

    return None if path is None else start_of(model_started(model, path), path)


def _text(done: Flashed, start: Path | None) -> str:
    before = done.target.before
    lines = [
        f"{done.target.port.path}: {done.after.board} runs the new image, after {done.seconds:.1f} s",
        f"  before  {_words(before) if before is not None else 'nothing that speaks the protocol'}",
        f"  now     {_words(done.after)}",
    ]
    if before is not None and (before.build, before.architecture) == (done.after.build, done.after.architecture):
        lines.append("  the image is the same as before")
    if start is not None:
        lines.append(f"  weights {start}")
    return "\n".join(lines)


def _words(identity: Identity) -> str:
    return f"firmware {identity.firmware}, build {identity.build.hex()}, model {identity.model}"


def _document(done: Flashed, start: Path | None) -> dict[str, Any]:
    from jaragua.serial.lines import of_message

    before = done.target.before
    return {
        "port": done.target.port.path,
        "environment": done.target.environment,
        "before": of_message(before).fields if before is not None else None,
        "after": of_message(done.after).fields,
        "start": str(start) if start is not None else None,
        "seconds": round(done.seconds, 3),
    }
