"""`jaragua boards`: what is plugged in, or the boards a network can be compiled for by name."""

from __future__ import annotations

import asyncio
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from jaragua.cli import output

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jaragua.boards import Environment
    from jaragua.serial.ports.survey import Found

app = typer.Typer()

#: Fields of a board's identity (L4.1) in the JSON document.
_OF_IDENTITY = ("board", "uid", "firmware", "build", "model", "architecture")

#: Of an environment in the JSON document.
_OF_ENVIRONMENT = ("name", "title", "core", "upload", "emulator")


@app.command()
def boards(
    known: Annotated[bool, typer.Option("--known", help="List the boards that are known by name.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout.")] = False,
) -> None:
    """List the boards that are plugged in, and what each says of itself.

    With --known: the boards that the firmware runs on, and those a network can be compiled for, with their memory and
    what of it a network may use.
    """
    if known:
        _print_known(json)
    else:
        _print_plugged_in(json)


def _print_plugged_in(json: bool) -> None:
    from jaragua.cli.port_choice import all_ports
    from jaragua.serial.ports import diagnosis, system
    from jaragua.serial.ports.survey import survey

    found = asyncio.run(survey(all_ports()))
    if json:
        output.print_result({"boards": [_entry(one) for one in found]})
    elif found:
        _print_table(found)
    if not found:
        problem = diagnosis.no_port(system.HERE)
        output.say(f"{problem.what}\nhint: {problem.mend}")


def _print_table(found: list[Found]) -> None:
    from jaragua.wire.wear import wear_of

    columns = ((heading, False) for heading in ("port", "what", "serial number", "board", "firmware", "model", "state"))
    table = output.new_table("", *columns)
    for one in found:
        who = one.who
        firmware = f"{who.get('firmware')} ({str(who.get('build'))[:8]})" if who else ""
        words = str(who.get("board", "")), firmware, str(who.get("model", ""))
        table.add_row(one.port.path, one.port.title, one.port.serial_number, *words, one.state)
    output.show_table(table)
    for one in found:
        wear = wear_of(one.health)
        for sentence in (one.why, wear.words if wear else ""):
            if sentence:
                output.say(f"{one.port.path}: {sentence}")


def _entry(one: Found) -> dict[str, Any]:
    """A board as JSON; keys that nobody knows a value of are null. flash: its wear (K9), null if it keeps nothing."""
    from jaragua.wire.wear import wear_of

    usb, wear = one.port.usb, wear_of(one.health)
    return {
        "port": one.port.path,
        "stable_name": one.port.stable or None,
        "kind": one.port.kind,
        "title": one.port.title,
        "usb": usb.number if usb is not None else None,
        "serial_number": one.port.serial_number or None,
        "environments": list(one.port.environments),
        "state": one.state,
        "reason": one.why or None,
        **{name: one.who.get(name) for name in _OF_IDENTITY},
        "flash": None if wear is None else asdict(wear) | {"erases_per_1000_jobs": wear.erases_per_thousand_jobs},
    }


def _print_environments(found: Sequence[Environment]) -> None:
    title = "What the firmware runs on: jaragua flash --environment NAME"
    table = output.new_table(
        title, *((heading, False) for heading in ("environment", "", "core", "upload", "emulator"))
    )
    for one in found:
        table.add_row(one.name, one.title, one.core, ", ".join(one.upload), one.emulator)
    output.show_table(table)


def _print_known(json: bool) -> None:
    from jaragua.boards import environments
    from jaragua_compiler.planning.boards import boards as known

    flashed = environments()
    if json:
        entries = [{name: getattr(one, name) for name in _OF_ENVIRONMENT} for one in flashed]
        output.print_result({"boards": [asdict(board) for board in known()], "environments": entries})
        return
    _print_environments(flashed)
    title = "Memory for a network (of all there is), in bytes"
    columns = ((heading, heading in ("RAM", "flash")) for heading in ("board", "", "core", "RAM", "flash"))
    table = output.new_table(title, *columns)
    for board in known():
        ram = f"{board.free_ram_bytes:,} ({board.ram_bytes:,})"
        flash = f"{board.free_flash_bytes:,} ({board.flash_bytes:,})"
        table.add_row(board.name, board.title, board.core, ram, flash)
    output.show_table(table)
