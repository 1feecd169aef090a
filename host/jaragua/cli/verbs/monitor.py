"""`jaragua monitor`: what a board says, decoded live."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated

import typer

from jaragua.cli import output
from jaragua.cli.output import say
from jaragua.cli.port_choice import PORT_HELP, chosen_port
from jaragua.printable import printable

if TYPE_CHECKING:
    from jaragua.monitor.lines import Line
    from jaragua.monitor.session import Notice

app = typer.Typer()

_KIND_WIDTH = 9


@app.command()
def monitor(
    port: Annotated[str | None, typer.Option(help=PORT_HELP)] = None,
    baud: Annotated[int, typer.Option(help="Baud rate of a serial port.")] = 115200,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object per line.")] = False,
    wait: Annotated[bool, typer.Option("--wait", help="Wait for a port that is not there yet.")] = False,
) -> None:
    """Show what a board sends, decoded live; Ctrl-C prints the state of the link."""
    from jaragua.monitor import lines
    from jaragua.monitor.limit import LineLimit
    from jaragua.monitor.session import Monitor
    from jaragua.node.program import run_until_signal

    url = chosen_port(port)
    show = LineLimit(_shower(json))
    watching = Monitor(
        url,
        baud,
        on_notice=lambda notice: say(_sentence(url, notice)),
        on_event=lambda event: show(lines.of_event(event)),
        wait=wait,
    )
    started_s = time.monotonic()
    run_until_signal(watching.run())
    show(lines.of_counters(watching.counters, time.monotonic() - started_s))


def _sentence(port: str, notice: Notice) -> str:
    """What is said of the port."""
    from jaragua.monitor.session import Notice

    sentences = {
        Notice.WAITING: f"port {port} is not there yet; waiting for it, Ctrl-C ends",
        Notice.LISTENING: f"listening on {port}; Ctrl-C ends",
        Notice.SILENT: _silence(port),
        Notice.GONE: f"port {port} went away; waiting for it, Ctrl-C ends",
        Notice.BACK: f"port {port} is back",
    }
    return sentences[notice]


def _silence(port: str) -> str:
    return (
        f"no board of Jaragua answers on {port} yet: another program (a gateway) may have the port, the board may be "
        "off or run other firmware, or --baud may not be the board's"
    )


def _shower(as_json: bool) -> Callable[[Line], None]:
    if as_json:
        return _show_json
    return _show_coloured() if sys.stdout.isatty() else _show_plain


def _show_json(line: Line) -> None:
    output.print_document({"time": round(time.time(), 3), "event": line.kind, **line.fields})


def _text(line: Line) -> str:
    """Time, kind, words; further lines of one event stand below its first."""
    head = f"{time.strftime('%H:%M:%S')} {line.kind:<{_KIND_WIDTH}} "
    return head + printable(line.text, keep="\n").replace("\n", "\n" + " " * len(head))


def _show_plain(line: Line) -> None:
    output.show(_text(line))


def _show_coloured() -> Callable[[Line], None]:
    from rich.text import Text

    from jaragua.wire.definitions import LogLevel

    console = output.console()
    styles = {LogLevel.ERROR: "red", LogLevel.WARNING: "yellow", LogLevel.DEBUG: "dim"}
    return lambda line: console.print(Text(_text(line), style=styles.get(line.level, "")), soft_wrap=True)
