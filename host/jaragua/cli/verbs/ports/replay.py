"""`jaragua replay`: a recorded link, decoded without a board."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from jaragua.cli.options import from_fields
from jaragua.cli.output import say
from jaragua.cli.shown_lines import AllHealth, AsJson, Grep, Hex, Hide, Level, LineTime, Only
from jaragua.monitor.levels import LevelName
from jaragua.monitor.stamps import Stamps, Timestamp

if TYPE_CHECKING:
    from jaragua.cli.monitor_output import PortOutput
    from jaragua.monitor.capture import Capture

app = typer.Typer()


@dataclass(frozen=True)
class ReplayOptions:
    """The options of `jaragua replay`."""

    capture: Annotated[Path, typer.Argument(help="File of `jaragua monitor --capture`, or the bytes of a board.")]
    speed: Annotated[
        float, typer.Option(min=0, help="1: as fast as it was recorded, 10: ten times as fast, 0: at once.")
    ] = 0.0
    only: Only = None
    hide: Hide = None
    level: Level = LevelName.DEBUG
    grep: Grep = ""
    health: AllHealth = False
    timestamp: LineTime = Timestamp.CLOCK
    hex: Hex = False
    json: AsJson = False


@app.command()
@from_fields(ReplayOptions)
def replay(options: ReplayOptions) -> None:
    """Decode a recorded link: requests, answers, logs, and what was wrong with its frames."""
    from jaragua.cli.monitor_output import PortOutput, shower
    from jaragua.monitor.capture import open_capture
    from jaragua.monitor.filters import filter_of

    capture = open_capture(options.capture)
    started_s = capture.started_s or time.time()
    show = shower(options.json, Stamps(options.timestamp, started_s), None)
    chosen = filter_of(options.only or [], options.hide or [], options.level, options.grep)
    shown = PortOutput(show, chosen, all_health=options.health, limited=False)
    asyncio.run(_play(capture, shown, started_s, options))
    for number, why in list(capture.faults.items())[:1]:
        say(f"{options.capture}:{number}: this line cannot be read and was skipped: {why}")
    if len(capture.faults) > 1:
        say(f"lines that were skipped: {len(capture.faults)}")


async def _play(capture: Capture, shown: PortOutput, started_s: float, options: ReplayOptions) -> None:
    from jaragua.monitor.hexdump import line_of_bytes
    from jaragua.monitor.overheard import Eavesdropper
    from jaragua.serial import lines

    link, time_s = Eavesdropper(), 0.0
    for chunk in capture.chunks():
        if options.speed > 0:
            await asyncio.sleep(max(0.0, chunk.time_s - time_s) / options.speed)
        time_s = chunk.time_s
        if options.hex:
            shown(line_of_bytes(chunk.data, out=chunk.out), started_s + time_s)
        for line in link.feed(chunk.data, out=chunk.out):
            shown(line, started_s + time_s)
    shown(lines.of_counters(link.counters, time_s), started_s + time_s)
