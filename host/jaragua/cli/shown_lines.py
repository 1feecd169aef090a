"""Options of which lines of a board are shown, of `jaragua monitor` and `jaragua replay`."""

from __future__ import annotations

from typing import Annotated, TypeAlias

import typer

from jaragua.monitor.levels import LevelName
from jaragua.monitor.stamps import Timestamp

Only: TypeAlias = Annotated[
    list[str] | None, typer.Option(help="Show only these kinds of lines, for example log,round.")
]
Hide: TypeAlias = Annotated[list[str] | None, typer.Option(help="Do not show these kinds of lines.")]
Level: TypeAlias = Annotated[LevelName, typer.Option(help="Least level that is shown.")]
Grep: TypeAlias = Annotated[str, typer.Option(help="Regular expression that a line's words contain.")]
AllHealth: TypeAlias = Annotated[bool, typer.Option("--health", help="Show all health lines, not only changes.")]
LineTime: TypeAlias = Annotated[Timestamp, typer.Option(help="How the time of a line is written.")]
Hex: TypeAlias = Annotated[bool, typer.Option("--hex", help="Show the bytes of both directions, too.")]
AsJson: TypeAlias = Annotated[bool, typer.Option("--json", help="Print one JSON object per line.")]
