"""A line as text, for terminals and files."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from jaragua.printable import printable
from jaragua.serial.lines import Line
from jaragua.wire.definitions import LogLevel

if TYPE_CHECKING:
    from rich.text import Text

_KIND_WIDTH: Final = 10
_LEVEL_STYLES: Final = {LogLevel.ERROR: "red", LogLevel.WARNING: "yellow", LogLevel.DEBUG: "bright_black"}
_KIND_STYLES: Final = {
    "session": "cyan",
    "identity": "cyan",
    "hello": "cyan",
    "round": "green",
    "adaptation": "green",
    "request": "magenta",
    "link": "cyan",
}


def plain_text(line: Line, stamp: str, port: str) -> str:
    """Time, port, kind, words; further lines of one event stand below its first."""
    head = f"{stamp}{f'{port} ' if port else ''}{line.kind:<{_KIND_WIDTH}} "
    return head + printable(line.text, keep="\n").replace("\n", "\n" + " " * len(head))


def styled(line: Line, stamp: str, port: str) -> Text:
    """The same with colours: of the level, else of the kind."""
    from rich.text import Text

    style = _LEVEL_STYLES.get(line.level) or _KIND_STYLES.get(line.kind, "")
    return Text(plain_text(line, stamp, port), style=style)
