"""`python -m jaragua.monitor.pipe`: the link of a board whose port another program has (firmware/monitor).

Standard input: the bytes of the board. Standard output: one JSON object a line, `{"text": …}` to show or `{"send":
hexadecimal digits}` to write to the port. It ends with its input.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from typing import Any, Final

from jaragua.errors import JaraguaError
from jaragua.monitor.filters import HealthChanges
from jaragua.monitor.limit import LineLimit
from jaragua.monitor.session import Monitor, Notice
from jaragua.monitor.stamps import Stamps, Timestamp
from jaragua.monitor.text import plain_text
from jaragua.serial.lines import Line
from jaragua.serial.transport import Transport

_NAME: Final = "the port"


class Pipe(Transport):
    """A port whose bytes another program reads and writes."""

    def __init__(self, reader: asyncio.StreamReader) -> None:
        self.url = _NAME
        self._input = reader

    async def read(self) -> bytes:
        """The next bytes, b"" at the end of the input."""
        return await self._input.read(4096)

    def write(self, data: bytes) -> None:
        """Has the bytes written to the port."""
        _tell({"send": data.hex()})

    async def close(self) -> None:
        """The other program closes the port."""


def main() -> int:
    """The command; returns its exit code."""
    try:
        asyncio.run(_watch())
    except JaraguaError as error:
        _tell({"text": f"error: {error.message}\nhint: {error.hint}"})
        return error.exit_code
    except (KeyboardInterrupt, BrokenPipeError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    return 0


async def _watch() -> None:
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    stamps, health = Stamps(Timestamp.CLOCK, time.time()), HealthChanges()
    show = LineLimit(lambda line: _tell({"text": plain_text(line, stamps.text(time.time()), "")}))

    def on_line(line: Line) -> None:
        if health.passes(line):
            show(line)

    def on_notice(notice: Notice) -> None:
        if notice is Notice.SILENT:
            _tell({"text": "no board of Jaragua answers yet; what it prints is shown"})

    await Monitor(_NAME, on_notice, on_line).watch(Pipe(reader))


def _tell(document: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(document) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    raise SystemExit(main())
