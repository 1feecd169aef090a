"""`jaragua monitor`: what boards say, decoded live."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from jaragua.cli.options import from_fields
from jaragua.cli.output import say
from jaragua.cli.port_choice import PORT_HELP, all_ports, chosen_ports
from jaragua.cli.shown_lines import AllHealth, AsJson, Grep, Hex, Hide, Level, LineTime, Only
from jaragua.errors import StoreError, ToolError, UsageError

# Only names: these modules import nothing heavy.
from jaragua.monitor.levels import LevelName
from jaragua.monitor.stamps import Stamps, Timestamp

if TYPE_CHECKING:
    from jaragua.cli.monitor_output import PortOutput, Show
    from jaragua.monitor.capture import CaptureWriter
    from jaragua.monitor.session import Monitor, Notice, Watching
    from jaragua.serial.lines import Line

app = typer.Typer()

#: Requests of `--send` have numbers that the monitor's own do not come near.
_FIRST_SENT = 0x8000


@dataclass(frozen=True)
class MonitorOptions:
    """The options of `jaragua monitor`."""

    port: Annotated[list[str] | None, typer.Option(help=f"May be repeated. {PORT_HELP}")] = None
    all: Annotated[bool, typer.Option("--all", help="Watch every board that is plugged in.")] = False
    last: Annotated[bool, typer.Option("--last", help="Watch the port of the last time.")] = False
    baud: Annotated[int, typer.Option(help="Baud rate of a serial port.")] = 115200
    wait: Annotated[bool, typer.Option("--wait", help="Wait for a port that is not there yet.")] = False
    only: Only = None
    hide: Hide = None
    level: Level = LevelName.DEBUG
    grep: Grep = ""
    health: AllHealth = False
    timestamp: LineTime = Timestamp.CLOCK
    hex: Hex = False
    raw: Annotated[bool, typer.Option("--raw", help="Pass the board's bytes on unchanged; send nothing.")] = False
    send: Annotated[list[str] | None, typer.Option(help="Request to send in each session, such as health-read.")] = None
    tui: Annotated[bool, typer.Option("--tui", help="Draw a screen with a command line (jaragua[terminal]).")] = False
    log: Annotated[Path | None, typer.Option(help="File to append the lines to.")] = None
    capture: Annotated[Path | None, typer.Option(help="File to record every byte in, for `jaragua replay`.")] = None
    json: AsJson = False


@app.command()
@from_fields(MonitorOptions)
def monitor(options: MonitorOptions) -> None:
    """Show what boards send, decoded live; Ctrl-C prints the state of the link."""
    from jaragua.cli.monitor_output import LogFile, shower
    from jaragua.monitor.last_port import remember
    from jaragua.node.program import run_until_signal

    urls = _ports(options)
    _check(options, urls)
    if options.tui:
        _draw(options, urls)
        return
    started_s = time.time()
    with ExitStack() as stack:
        log = stack.enter_context(LogFile(options.log)) if options.log else None
        show = shower(options.json, Stamps(options.timestamp, started_s), log)
        watched = [_watched(url, options, show, len(urls) > 1, stack) for url in urls]
        if len(urls) == 1:
            remember(urls[0], all_ports())
        run_until_signal(_run([one for one, _ in watched]))
        _sum_up(watched, started_s, options)


def _draw(options: MonitorOptions, urls: Sequence[str]) -> None:
    """The terminal interface. Raises: ToolError if textual is not installed, UsageError without a terminal."""
    from jaragua.monitor.filters import filter_of

    try:
        from jaragua.monitor.terminal.app import MonitorApp
    except ModuleNotFoundError as error:
        raise ToolError(f"{error.name} is not installed", "run: pip install 'jaragua[terminal]'") from error
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise UsageError("--tui needs a terminal", "leave it out where the output goes to a file or a pipe")
    chosen = filter_of(options.only or [], options.hide or [], options.level, options.grep)
    MonitorApp(urls, _how(options), chosen).run()


def _sum_up(watched: Sequence[tuple[Monitor, PortOutput]], started_s: float, options: MonitorOptions) -> None:
    from jaragua.serial import lines

    for one, shown in watched:
        shown.end()
        if not options.raw:
            shown(lines.of_counters(one.counters, time.time() - started_s))


def _ports(options: MonitorOptions) -> list[str]:
    """The ports that are meant. Raises: UsageError, PortError."""
    from jaragua.monitor.last_port import last_port

    if sum((bool(options.port), options.all, options.last)) > 1:
        raise UsageError("give one of --port, --all and --last", "without any, the board that is plugged in is watched")
    if options.last:
        return [last_port(all_ports())]
    boards = [port.path for port in all_ports() if port.kind != "built-in"] if options.all else []
    return boards or chosen_ports(options.port or [])


def _check(options: MonitorOptions, urls: Sequence[str]) -> None:
    if options.raw and (len(urls) > 1 or options.json or options.hex or options.send):
        raise UsageError("--raw passes on the bytes of one port, and nothing else", "leave the other options out")
    if options.tui and (options.raw or options.json or options.log or options.capture):
        raise UsageError("--tui does not go with --raw, --json, --log or --capture", "leave one of them out")
    if options.capture and len(urls) > 1:
        raise UsageError("--capture records one port", "name it with --port")


async def _run(monitors: Sequence[Monitor]) -> None:
    from jaragua.node.program import until_first_ends

    await until_first_ends(*(monitor.run() for monitor in monitors))


def _watched(
    url: str, options: MonitorOptions, show: Show, several: bool, stack: ExitStack
) -> tuple[Monitor, PortOutput]:
    """The monitor of a port, and where its lines go."""
    from jaragua.cli.monitor_output import PortOutput
    from jaragua.monitor.filters import filter_of
    from jaragua.monitor.hexdump import line_of_bytes
    from jaragua.monitor.session import Monitor

    chosen = filter_of(options.only or [], options.hide or [], options.level, options.grep)
    shown = PortOutput(show, chosen, all_health=options.health, port=_short(url) if several else "")
    recorder = _recorder(options, url, stack)

    def on_bytes(data: bytes, out: bool) -> None:
        if recorder is not None:
            recorder.add(data, out, time.time())
        if options.hex:
            shown(line_of_bytes(data, out=out))
        if options.raw:
            _pass_on(data)

    def on_line(line: Line) -> None:
        if not options.raw:
            shown(line)

    return Monitor(url, lambda notice: say(_sentence(url, notice)), on_line, _how(options), on_bytes), shown


def _recorder(options: MonitorOptions, url: str, stack: ExitStack) -> CaptureWriter | None:
    from jaragua.monitor.capture import CaptureWriter

    if options.capture is None:
        return None
    try:
        return stack.enter_context(CaptureWriter(options.capture, url, time.time()))
    except OSError as error:
        message = f"{options.capture} cannot be written: {error.strerror}"
        raise StoreError(message, "name another file with --capture") from error


def _how(options: MonitorOptions) -> Watching:
    from jaragua.monitor import requests
    from jaragua.monitor.session import Watching

    return Watching(
        baud=options.baud,
        wait=options.wait,
        silent=options.raw,
        wants_bytes=options.hex or options.raw or options.capture is not None,
        requests=tuple(requests.parse(text, _FIRST_SENT + place) for place, text in enumerate(options.send or [])),
    )


def _pass_on(data: bytes) -> None:
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()


def _short(url: str) -> str:
    """A port's name in a line."""
    return url if "://" in url else Path(url).name


def _sentence(port: str, notice: Notice) -> str:
    """What is said of the port."""
    from jaragua.monitor.session import Notice

    sentences = {
        Notice.WAITING: f"port {port} is not there yet; waiting for it, Ctrl-C ends",
        Notice.LISTENING: f"listening on {port}; Ctrl-C ends",
        Notice.ATTACHED: f"a gateway has {port}; watching what it does there, Ctrl-C ends",
        Notice.SILENT: _silence(port),
        Notice.GONE: f"port {port} went away; waiting for it, Ctrl-C ends",
        Notice.BACK: f"port {port} is back",
        Notice.LET_GO: f"the gateway has let go of {port}; waiting for the port, Ctrl-C ends",
    }
    return sentences[notice]


def _silence(port: str) -> str:
    return (
        f"no board of Jaragua answers on {port} yet: another program (a gateway) may have the port, the board may be "
        "off or run other firmware, or --baud may not be the board's"
    )
