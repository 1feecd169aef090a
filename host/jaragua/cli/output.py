"""Results go to stdout, chatter to stderr, and `--json` prints exactly one document.

Everything that a verb prints goes through this module: here it is decided how wide tables are and what happens when a
stream cannot be written.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import cache
from typing import TYPE_CHECKING, Any, TextIO

from jaragua.errors import JaraguaError
from jaragua.printable import printable, printable_json

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

SCHEMA_VERSION = 1

#: Columns of what is not a terminal: tables in a pipe or a file are complete, one line a row.
_WIDEST = 10_000
#: What this program itself writes to lay out its lines; any other control character came from a peer or a file.
_OWN = "\n\t"


def result_document(data: Mapping[str, Any]) -> dict[str, Any]:
    """The document of a verb that ended well."""
    return {"schema_version": SCHEMA_VERSION, "status": "ok", "data": dict(data)}


def error_document(code: str, message: str, hint: str) -> dict[str, Any]:
    """The document of a verb that failed."""
    return {
        "schema_version": SCHEMA_VERSION,
        "status": "error",
        "error": {"code": code, "message": message, "hint": hint},
    }


def print_document(document: Mapping[str, Any]) -> None:
    """Print JSON in one line on stdout. Raises: JaraguaError if nothing can be written there, BrokenPipeError."""
    with _stdout() as stream:
        stream.write(_json(document, stream) + "\n")


def show(text: str) -> None:
    """Print a line, or several, of the result on stdout. Raises: JaraguaError as `print_document`, BrokenPipeError."""
    with _stdout() as stream:
        stream.write(printable(text, keep=_OWN) + "\n")


def show_table(table: Table) -> None:
    """Print a table on stdout: folded to a terminal's width, complete elsewhere. Raises: as `show`."""
    with _stdout():
        console().print(table)


def new_table(title: str, *columns: tuple[str, bool]) -> Table:
    """An empty table whose cells are folded where there is no room, never cut. columns: heading, whether of numbers."""
    from rich.table import Table

    table = Table(title=title, title_justify="left")
    for heading, is_number in columns:
        table.add_column(heading, justify="right" if is_number else "left", overflow="fold")
    return table


def console(*, stderr: bool = False) -> Console:
    """The only place where consoles are made. A terminal has the width it says, or COLUMNS; nothing else has one."""
    from rich.console import Console

    stream = sys.stderr if stderr else sys.stdout
    width = None if stream is not None and stream.isatty() else _WIDEST
    return _printable_console(Console)(stderr=stderr, width=width, highlight=False, markup=False)


@cache
def _printable_console(base: type[Console]) -> type[Console]:
    """A console whose strings (cells, titles, lines) are printable, and text: `[red]` stays `[red]`."""

    class PrintableConsole(base):  # type: ignore[misc, valid-type]
        def render_str(self, text: str, **options: Any) -> Any:
            return super().render_str(printable(text, keep=_OWN), **options)

    return PrintableConsole


@contextmanager
def _stdout() -> Iterator[TextIO]:
    """stdout, flushed at the end. Raises: JaraguaError if it is closed or cannot be written, BrokenPipeError."""
    if sys.stdout is None:
        raise JaraguaError("the result cannot be printed: stdout is closed", "leave it open, or send it to a file")
    try:
        yield sys.stdout
        sys.stdout.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        forget(sys.stdout)
        raise JaraguaError(f"the result cannot be printed: {error.strerror}", "make room where stdout goes") from error


def _json(document: Mapping[str, Any], stream: TextIO) -> str:
    """With escapes where the stream cannot carry the letters, or a file's name is no text: the same JSON."""
    text = printable_json(json.dumps(document, ensure_ascii=False, allow_nan=False))
    try:
        text.encode(stream.encoding or "utf-8")
    except UnicodeEncodeError:
        return json.dumps(document, allow_nan=False)
    return text


def forget(stream: TextIO) -> None:
    """What is not written yet is given up: else the interpreter tries it again at its exit, and complains."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def print_result(data: Mapping[str, Any]) -> None:
    """Print a verb's result as its one JSON document."""
    print_document(result_document(data))


def say(text: str) -> None:
    """Tell the person something that is not the result: a line on stderr. One that cannot be told ends nothing."""
    try:
        sys.stderr.write(printable(text, keep=_OWN) + "\n")
        sys.stderr.flush()
    except OSError:
        with suppress(OSError):  # of a stream that is no file
            forget(sys.stderr)
