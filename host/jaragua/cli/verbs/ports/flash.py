"""`jaragua flash`: a new image on a board, or on each board behind the gateways of a fleet."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from jaragua.cli.broker_options import BrokerOptions
from jaragua.cli.options import from_fields
from jaragua.cli.output import print_result, say, show
from jaragua.cli.port_choice import PORT_HELP, all_ports, chosen_port
from jaragua.errors import UsageError

if TYPE_CHECKING:
    from jaragua.flash.flash import Flashed
    from jaragua.flash.target import Target
    from jaragua.gateway.deployed import Deployed
    from jaragua.serial.ports.discovery import Port
    from jaragua.wire.messages import Identity

app = typer.Typer()


@dataclass(frozen=True, kw_only=True)
class FlashOptions(BrokerOptions):
    """The options of `jaragua flash`; those of the broker go with --fleet."""

    port: Annotated[str | None, typer.Option(help=PORT_HELP)] = None
    model: Annotated[
        str | None, typer.Option(help="Model of the zoo, or a TOML file; default: the one the board has.")
    ] = None
    start: Annotated[
        Path | None, typer.Option(help="Weights to send afterwards: the .safetensors file of a run or simulation.")
    ] = None
    environment: Annotated[str | None, typer.Option(help="Of platformio.ini; default: that of the board.")] = None
    volume: Annotated[
        Path | None, typer.Option(help="Folder of the board's drive, of a board that has no port; default: found.")
    ] = None
    fleet: Annotated[
        bool, typer.Option("--fleet", help="Flash the boards behind the gateways of a fleet, through its broker.")
    ] = False
    fleet_name: Annotated[
        str | None, typer.Option(help="With --fleet: name of the fleet; default: the identity's, or home.")
    ] = None
    only: Annotated[
        list[str] | None, typer.Option(help="With --fleet: a board, gateway or environment; may be repeated.")
    ] = None
    dry_run: Annotated[bool, typer.Option("--dry-run", help="With --fleet: only say what would be done.")] = False
    force: Annotated[bool, typer.Option("--force", help="With --fleet: also boards that have the image already.")] = (
        False
    )
    patience: Annotated[
        int, typer.Option(min=0, max=86_400, help="With --fleet: seconds that a board's job may take to end.")
    ] = 300
    signing_key: Annotated[
        Path | None, typer.Option(help="With --fleet: signing key of the coordinator; default: the identity's.")
    ] = None
    coordinator_key: Annotated[
        Path | None, typer.Option(help="Public key whose signatures the board verifies: a PEM file of `broker init`.")
    ] = None
    without_key: Annotated[
        bool, typer.Option("--without-key", help="Put an image without a key on a board whose image has one.")
    ] = False
    json: Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout.")] = False


@app.command()
@from_fields(FlashOptions)
def flash(options: FlashOptions) -> None:
    """Build an image, upload it, check that it runs, and say what it replaced."""
    from jaragua.cli.verbs.ports.fleet_images import flash_fleet

    _check(options)
    if options.fleet:
        flash_fleet(options)
        return
    without_port = _environment_without_port(options)
    if without_port is not None:
        _flash_without_port(options, without_port)
    else:
        _flash_on_port(options)


def _check(options: FlashOptions) -> None:
    """Raises: UsageError for options that do not go together."""
    of_a_port = options.port or options.environment or options.volume
    of_a_fleet = options.only or options.dry_run or options.force or options.broker or options.fleet_name
    if options.fleet and of_a_port:
        raise UsageError("--fleet flashes boards behind gateways, not one on a port here", "name some with --only")
    if options.fleet and options.start and not options.model:
        raise UsageError("--start with --fleet needs the model of the weights", "name it with --model")
    if of_a_fleet and not options.fleet:
        raise UsageError("--broker, --fleet-name, --only, --dry-run and --force go with --fleet", "add --fleet")


def _environment_without_port(options: FlashOptions) -> str | None:
    """Of a board that shows a drive or waits for an upload, where no board has a port; None: there is none."""
    from jaragua.flash.target import environment_without_port
    from jaragua.serial.ports.discovery import usb_devices

    if options.volume is None and (options.port or any(port.kind != "built-in" for port in all_ports())):
        return None
    known = [one.known for one in usb_devices() if one.known is not None and one.known.is_bootloader]
    waiting = [name for one in known for name in one.environments]
    return environment_without_port(options.environment, options.volume, waiting)


def _flash_without_port(options: FlashOptions, environment: str) -> None:
    from jaragua.flash.flash import flash_without_port
    from jaragua.flash.target import model_of
    from jaragua.models import absolute
    from jaragua_models import names

    if options.start is not None:
        raise UsageError("--start sends weights over a serial port, and the board has none", "leave it out")
    model = absolute(model_of(options.model, environment, None, names()))
    built = asyncio.run(flash_without_port(environment, model, options.volume, say, options.coordinator_key))
    if options.json:
        data = {"port": None, "environment": environment, "before": None, "after": None, "start": None}
        print_result({**data, "build": built.build.hex(), "verified": False})
    else:
        show(f"{environment} has its image (build {built.build.hex()}, model {model})")
        show("  it has no serial port here, so nobody asked it whether the image runs")
        say("connect its serial line, and see: jaragua boards")


def _flash_on_port(options: FlashOptions) -> None:
    from jaragua.flash.flash import flash as put

    target = _target(options)
    start = _start(options.start, target.model)
    _check_key(options, target.before)
    done = asyncio.run(put(target, say, options.coordinator_key))
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


def _check_key(options: FlashOptions, before: Identity | None) -> None:
    """Raises: UsageError if the board would verify signatures no longer (G32)."""
    from jaragua.emulate.image import key_asked_for
    from jaragua.wire.definitions import Operator

    verifies = before is not None and before.operators >> Operator.SIGNED & 1
    if verifies and not (options.coordinator_key or key_asked_for() or options.without_key):
        raise UsageError(
            "the board's image verifies the coordinator's signatures, and the new one would not (G32)",
            "give --coordinator-key FILE, or --without-key",
        )


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
        "verified": True,
    }
