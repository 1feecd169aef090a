"""`python -m jaragua.upload IMAGE --environment E`: uploads a finished image; PlatformIO and gateways call it.

It builds nothing, so it needs neither PlatformIO nor a compiler (but for the method `platformio`).
"""

from __future__ import annotations

import argparse
import contextlib
import os
import signal
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

from jaragua import boards
from jaragua.errors import JaraguaError
from jaragua.upload.methods import Upload, carry_out


def main(words: Sequence[str] | None = None) -> int:
    """The command; returns its exit code."""
    parser = argparse.ArgumentParser(prog="python -m jaragua.upload")
    parser.add_argument("image", type=Path)
    parser.add_argument("--environment", required=True)
    parser.add_argument("--port", default="")
    parser.add_argument("--method", default="")
    parser.add_argument("--volume", type=Path)
    parser.add_argument("--end-with-input", action="store_true", help="end, tool and all, when standard input does")
    said = parser.parse_args(words)
    if said.end_with_input:
        threading.Thread(target=_end_with_input, daemon=True).start()
    try:
        carry_out(Upload(boards.environment(said.environment), said.image, said.port, said.volume), said.method)
    except JaraguaError as error:
        print(f"Error: {error.message}\nhint: {error.hint}", file=sys.stderr, flush=True)
        return error.exit_code
    return 0


def _end_with_input() -> None:
    """M54: whoever started this holds the other end of our standard input and writes nothing to it.

    The end of it means that it was killed. This process leads its group, in which the tool is.
    """
    with contextlib.suppress(OSError):
        while os.read(sys.stdin.fileno(), 1):
            pass
    os.killpg(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    raise SystemExit(main())
