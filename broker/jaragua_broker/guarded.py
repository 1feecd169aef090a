"""A command under `guard.py`: started with its output in a log, and ended from here or when this process goes away."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Collection, Sequence
from typing import BinaryIO, Final

from jaragua_broker import guard

_STOP_SECONDS: Final = guard.GRACE_SECONDS + 5.0


def start(command: Sequence[str], sink: BinaryIO, pass_fds: Collection[int] = ()) -> subprocess.Popen[bytes]:
    """The guard's process. sink: takes what the command writes. pass_fds: stay open in guard and command."""
    return subprocess.Popen(
        [sys.executable, "-I", guard.__file__, *command],
        stdin=subprocess.PIPE,
        stdout=sink,
        stderr=sink,
        pass_fds=pass_fds,
        start_new_session=True,  # a Ctrl-C in the terminal is this process's to handle
    )


def end(process: subprocess.Popen[bytes]) -> None:
    """Close the pipe that the guard waits on, and wait until guard and command have ended."""
    if process.stdin is not None:
        process.stdin.close()
    try:
        process.wait(_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
