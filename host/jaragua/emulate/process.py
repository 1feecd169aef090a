"""A child process that never outlives this one, and whose last words are kept."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from typing import Final

_PR_SET_PDEATHSIG: Final = 1
_GRACE_S: Final = 3.0
_STDERR_BYTES: Final = 4000


class BoundProcess:
    """Ended with `stop`, or by the kernel when the thread that started it ends, however it does."""

    def __init__(self, command: Sequence[str], pass_fds: Sequence[int] = ()) -> None:
        self._stderr = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as the process
        try:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=self._stderr,
                pass_fds=pass_fds,
                preexec_fn=_end_with(os.getpid()),
                # Ctrl-C is for us: we stop the boards in our own order.
                start_new_session=True,
            )
        except BaseException:
            self._stderr.close()
            raise

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    @property
    def is_running(self) -> bool:
        """Whether it has not ended yet."""
        return self._process.poll() is None

    def read_line(self) -> str:
        """Waits for the next line of its standard output, "" if it has ended."""
        assert self._process.stdout is not None
        return self._process.stdout.readline().decode(errors="replace").rstrip("\n")

    def last_words(self) -> str:
        """The end of its standard error so far."""
        end = self._stderr.seek(0, os.SEEK_END)
        self._stderr.seek(max(0, end - _STDERR_BYTES))
        return self._stderr.read().decode(errors="replace").strip()

    def stop(self) -> None:
        """Ends it and waits until it has; a second call does nothing."""
        self._process.terminate()
        try:
            self._process.wait(_GRACE_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()
        self._stderr.close()


def _end_with(parent: int) -> Callable[[], None]:
    """What the child does before it becomes the command: ask Linux to be killed when its parent dies."""
    prctl = getattr(ctypes.CDLL(None, use_errno=True), "prctl", None)

    def bind() -> None:
        if prctl is not None:
            prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
            if os.getppid() != parent:  # it died before we could ask
                os._exit(1)

    return bind
