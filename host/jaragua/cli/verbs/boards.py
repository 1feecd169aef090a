"""`jaragua boards`: the boards a network can be compiled for by name."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from jaragua.cli import output

app = typer.Typer()


@app.command()
def boards(json: Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout.")] = False) -> None:
    """List the boards known by name, with their memory and the part of it that a network may use."""
    from jaragua_compiler.planning.boards import boards as known

    if json:
        output.print_result({"boards": [asdict(board) for board in known()]})
    else:
        _print_table()


def _print_table() -> None:
    from jaragua_compiler.planning.boards import boards as known

    title = "Memory for a network (of all there is), in bytes"
    columns = ((heading, heading in ("RAM", "flash")) for heading in ("board", "", "core", "RAM", "flash"))
    table = output.new_table(title, *columns)
    for board in known():
        ram = f"{board.free_ram_bytes:,} ({board.ram_bytes:,})"
        flash = f"{board.free_flash_bytes:,} ({board.flash_bytes:,})"
        table.add_row(board.name, board.title, board.core, ram, flash)
    output.show_table(table)
