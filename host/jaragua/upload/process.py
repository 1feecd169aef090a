"""An upload as a process of its own: it can be stopped, it ends in time, and its tool's words become one sentence."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from jaragua.errors import ToolError
from jaragua.upload.methods import Upload, why

#: M42: for how long an upload may take.
MOST_S: Final = 300.0
_LONGEST_LINE_BYTES: Final = 65_536


async def upload(one: Upload, on_line: Callable[[str], None] = lambda line: None, method: str = "") -> None:
    """Puts an image on a board. on_line: called with each line of the tool. Raises: ToolError.

    If it is cancelled, or if this process is killed, the tool is killed (M54).
    """
    words = ["--environment", one.board.name, "--port", one.port, "--method", method, "--end-with-input"]
    words += [] if one.volume is None else ["--volume", str(one.volume)]
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "jaragua.upload",
        *words,
        str(one.image),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        limit=_LONGEST_LINE_BYTES,
        start_new_session=True,
    )
    lines: list[str] = []
    try:
        async with asyncio.timeout(MOST_S):
            await _read(process, lines, on_line)
            await process.wait()
    except TimeoutError:
        raise ToolError(f"the upload did not end within {MOST_S:.0f} s", "connect the board and retry") from None
    finally:
        if process.returncode is None:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            await process.wait()
    if process.returncode != 0:
        raise _error(lines)


async def _read(process: asyncio.subprocess.Process, lines: list[str], on_line: Callable[[str], None]) -> None:
    assert process.stdout is not None
    while True:
        try:
            line = (await process.stdout.readline()).decode(errors="replace")
        except ValueError:  # longer than a line is; a tool that draws a bar
            continue
        if not line:
            return
        lines.append(line.strip())
        del lines[:-200]
        on_line(line.rstrip())


def _error(lines: list[str]) -> ToolError:
    """What the process said at its end."""
    for place in range(len(lines) - 1, -1, -1):
        if lines[place].startswith("Error: "):
            hint = next((line for line in lines[place:] if line.startswith("hint: ")), "hint: ")
            return ToolError(lines[place].removeprefix("Error: "), hint.removeprefix("hint: "))
    return ToolError(f"the upload failed: {why(lines)}", "connect the board and retry")
