"""Run a command and end it when the parent goes away.

The parent holds the write end of this process's standard input and never writes to it: end of file means
that the parent stopped or was killed (SIGKILL included), so nothing is left behind in either case.
Run as a file (`python -I guard.py COMMAND…`), so it imports nothing of the project.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading

GRACE_SECONDS = 5.0


def end(process: subprocess.Popen[bytes]) -> None:
    """Ask the process to stop; insist after a grace time."""
    process.terminate()
    try:
        process.wait(GRACE_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()


def end_with_parent(process: subprocess.Popen[bytes]) -> None:
    """Block until the parent closes our standard input, then end the process."""
    with contextlib.suppress(OSError):
        while os.read(0, 1):
            pass
    end(process)


def main(command: list[str]) -> int:
    """Run the command as long as it and the parent live; returns its exit status."""
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # Ctrl-C is for the parent; it tells us by closing the pipe
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL)
    signal.signal(signal.SIGTERM, lambda *_: process.terminate())
    threading.Thread(target=end_with_parent, args=(process,), daemon=True).start()
    return process.wait()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
