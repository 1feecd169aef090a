"""A line as text, for terminals and files."""

from __future__ import annotations

from typing import Final

from jaragua.printable import printable
from jaragua.serial.lines import Line

_KIND_WIDTH: Final = 10


def plain_text(line: Line, stamp: str, port: str) -> str:
    """Time, port, kind, words; further lines of one event stand below its first."""
    head = f"{stamp}{f'{port} ' if port else ''}{line.kind:<{_KIND_WIDTH}} "
    return head + printable(line.text, keep="\n").replace("\n", "\n" + " " * len(head))
