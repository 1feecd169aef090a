"""The fleet's processes: a gateway and a client as a user would start them, each with a log, none left behind."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import BinaryIO, Self

from jaragua.bases.closing import Closing
from jaragua.errors import RunError, StoreError
from jaragua.reasons import reason_of
from jaragua_broker import guarded

_LAST_LINES = 5


class Program(Closing):
    """`jaragua VERB …` as a process; it ends with the `with` block, and with this process if that one is killed."""

    def __init__(self, name: str, arguments: list[str], log: Path) -> None:
        self.name = name
        self._arguments = arguments
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        command = [sys.executable, "-m", "jaragua.cli.main", *self._arguments]
        with self._open_log() as sink:
            self._process = guarded.start(command, sink)
        return self

    def _open_log(self) -> BinaryIO:
        """StoreError: the run's folder cannot be written."""
        try:
            self._log.parent.mkdir(parents=True, exist_ok=True)
            return self._log.open("wb")
        except OSError as error:
            raise StoreError(
                f"the log {self._log} cannot be written: {reason_of(error)}",
                "give a folder you may write to with --directory",
            ) from None

    def close(self) -> None:
        """End the process and wait until it has ended."""
        if self._process is not None:
            guarded.end(self._process)

    def check_alive(self) -> None:
        """Raises RunError with the last lines of its log if it has ended."""
        if self._process is None or self._process.poll() is None:
            return
        said = (
            " / ".join(self._log.read_text(encoding="utf-8", errors="replace").splitlines()[-_LAST_LINES:])
            or "it said nothing"
        )
        raise RunError(f"the {self.name} ended before its time: {said}", f"its whole log is {self._log}")
