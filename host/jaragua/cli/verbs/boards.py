"""`jaragua boards`: what is plugged in, or the boards a network can be compiled for by name."""

from __future__ import annotations

import asyncio
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from jaragua.cli import output

if TYPE_CHECKING:
    from jaragua.serial.ports.survey import Found

app = typer.Typer()


@app.command()
def boards(
    known: Annotated[bool, typer.Option("--known", help="List the boards that are known by name.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout.")] = False,
) -> None:
    """List the boards that are plugged in, and what each says of itself.

    With --known: the boards a network can be compiled for, with their memory and what of it a network may use.
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
    columns = ((heading, False) for heading in ("port", "what", "serial number", "board", "firmware", "model", "state"))
    table = output.new_table("", *columns)
    for one in found:
        who = one.identity
        words = (who.board, f"{who.firmware} ({who.build.hex()[:8]})", who.model) if who is not None else ("", "", "")
        table.add_row(one.port.path, one.port.title, one.port.serial_number, *words, one.state)
    output.show_table(table)
    for one in found:
        if one.why:
            output.say(f"{one.port.path}: {one.why}")


def _entry(one: Found) -> dict[str, Any]:
    """A board as JSON; keys that nobody knows a value of are null."""
    usb, who = one.port.usb, one.identity
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
        "board": who.board if who is not None else None,
        "uid": who.uid.hex() if who is not None else None,
        "firmware": who.firmware if who is not None else None,
        "build": who.build.hex() if who is not None else None,
        "model": who.model if who is not None else None,
        "architecture": who.architecture.hex() if who is not None else None,
    }


def _print_known(json: bool) -> None:
    from jaragua_compiler.planning.boards import boards as known

    if json:
        output.print_result({"boards": [asdict(board) for board in known()]})
        return
    title = "Memory for a network (of all there is), in bytes"
    columns = ((heading, heading in ("RAM", "flash")) for heading in ("board", "", "core", "RAM", "flash"))
    table = output.new_table(title, *columns)
    for board in known():
        ram = f"{board.free_ram_bytes:,} ({board.ram_bytes:,})"
        flash = f"{board.free_flash_bytes:,} ({board.flash_bytes:,})"
        table.add_row(board.name, board.title, board.core, ram, flash)
    output.show_table(table)
