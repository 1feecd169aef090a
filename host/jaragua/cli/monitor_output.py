"""Lines of a monitor on the terminal, in a log file, or as JSON."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TextIO

from jaragua.bases.closing import Closing
from jaragua.cli import output
from jaragua.errors import StoreError
from jaragua.monitor.filters import Filter, HealthChanges
from jaragua.monitor.limit import LineLimit
from jaragua.monitor.stamps import Stamps
from jaragua.monitor.text import plain_text, styled
from jaragua.serial.lines import Line

#: Shows a line of a port at a time.
Show = Callable[[Line, str, float], None]


class LogFile(Closing):
    """Lines appended to a file as they are shown, without colours, each written at once."""

    def __init__(self, path: Path) -> None:
        """Raises: StoreError if the file cannot be written."""
        try:
            self._file: TextIO = path.open("a", encoding="utf-8")
        except OSError as error:
            raise StoreError(f"{path} cannot be written: {error.strerror}", "name another file with --log") from error
        self._path = path

    def write(self, text: str) -> None:
        """One line, or several. Raises: StoreError."""
        try:
            self._file.write(text + "\n")
            self._file.flush()
        except OSError as error:
            raise StoreError(f"{self._path} cannot be written: {error.strerror}", "make room on that disk") from error

    def close(self) -> None:
        """Closes it; what a full disk did not take was said before."""
        with suppress(OSError):
            self._file.close()


def shower(as_json: bool, stamps: Stamps, log: LogFile | None) -> Show:
    """Shows lines on stdout, and in the log file if there is one."""
    show = _show_json if as_json else _show_coloured(stamps) if _has_colours() else _plain(stamps, output.show)
    if log is None:
        return show
    write = log.write
    in_file = _json(write) if as_json else _plain(Stamps(stamps.kind, stamps.started_s), write)

    def both(line: Line, port: str, time_s: float) -> None:
        show(line, port, time_s)
        in_file(line, port, time_s)

    return both


class PortOutput:
    """Lines of one port: filtered, limited (T5), shown."""

    def __init__(self, show: Show, chosen: Filter, *, all_health: bool, port: str = "", limited: bool = True) -> None:
        """port: the name that stands in each line, "" for none. limited: T5 holds."""
        self._chosen = chosen
        self._health = None if all_health else HealthChanges()
        self._show = show
        self._port = port
        self._time_s = 0.0
        self._limit = LineLimit(self._show_now)
        self._limited = limited

    def __call__(self, line: Line, time_s: float | None = None) -> None:
        """A line as it comes; time_s: of a capture, else now."""
        self._time_s = time.time() if time_s is None else time_s
        if (self._health is None or self._health.passes(line)) and self._chosen.passes(line):
            (self._limit if self._limited else self._show_now)(line)

    def _show_now(self, line: Line) -> None:
        self._show(line, self._port, self._time_s)

    def end(self) -> None:
        """Says how many lines were not shown."""
        self._limit.say_suppressed()


def _has_colours() -> bool:
    return sys.stdout is not None and sys.stdout.isatty() and not os.environ.get("NO_COLOR")


def _show_json(line: Line, port: str, time_s: float) -> None:
    output.print_document(_document(line, port, time_s))


def _json(write: Callable[[str], None]) -> Show:
    import json

    return lambda line, port, time_s: write(json.dumps(_document(line, port, time_s)))


def _document(line: Line, port: str, time_s: float) -> dict[str, object]:
    named = {"port": port} if port else {}
    return {"time": round(time_s, 3), **named, "event": line.kind, "level": line.level.name.lower(), **line.fields}


def _plain(stamps: Stamps, write: Callable[[str], None]) -> Show:
    return lambda line, port, time_s: write(plain_text(line, stamps.text(time_s, port), port))


def _show_coloured(stamps: Stamps) -> Show:
    console = output.console()
    return lambda line, port, time_s: console.print(styled(line, stamps.text(time_s, port), port), soft_wrap=True)
