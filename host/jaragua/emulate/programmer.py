"""`python -m jaragua.emulate.programmer IMAGE`: what `upload_command` of platformio.ini calls for emulated boards.

It hands the image to the `jaragua emulate` that runs the board, which switches the board off and on again with it.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from jaragua.emulate.registry import Running, running_boards, upload_to
from jaragua.errors import JaraguaError, ToolError, UsageError


def main(words: Sequence[str] | None = None) -> int:
    """The command; returns its exit code."""
    parser = argparse.ArgumentParser(prog="python -m jaragua.emulate.programmer")
    parser.add_argument("image", type=Path)
    parser.add_argument("--environment", required=True)
    parser.add_argument("--port", default="")
    said = parser.parse_args(words)

    try:
        asyncio.run(upload_to(board_of(said.port, said.environment), said.image))
    except JaraguaError as error:
        print(f"Error: {error.message}\nhint: {error.hint}", file=sys.stderr)
        return error.exit_code
    return 0


def board_of(port: str, environment: str) -> Running:
    """The board that runs on a port, or the only one of an environment. Raises: ToolError, UsageError."""
    running = running_boards()
    found = [one for one in running if (_is_port(one, port) if port else one.environment == environment)]
    if len(found) == 1:
        if found[0].environment != environment:
            message = f"the emulated board on {port} is {found[0].environment}, the image is for {environment}"
            raise UsageError(message, f"build with `pio run -e {found[0].environment}`")
        return found[0]
    if found:
        names = ", ".join(one.url for one in found)
        raise UsageError(f"several boards of {environment} run: {names}", "name one with --upload-port")
    where = f"on {port}" if port else f"of {environment}"
    raise ToolError(f"no emulated board {where} runs", f"start one: jaragua emulate --environment {environment}")


def _is_port(board: Running, port: str) -> bool:
    return board.url == port or ("://" not in port and os.path.realpath(board.url) == os.path.realpath(port))


if __name__ == "__main__":
    raise SystemExit(main())
