"""Commands of `jaragua` with all imports done: for tests of what processes do together, not of how one starts.

A new interpreter spends about a second of processor time on imports. Here one process imports, and each command is
forked from it: a process of its own, with its own signals, streams and end.
"""

from __future__ import annotations

import importlib
import importlib.util
import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType

from limits import GENEROUS_S

#: What the commands import when they run.
_MODULES = ("jaragua.client.client", "jaragua.gateway.gateway", "jaragua.coordinator", "jaragua.store")
#: The same, where it is installed.
_OPTIONAL = ("psycopg", "jaragua.store.postgres.session")


class Forked:
    """A running command."""

    def __init__(self, pid: int, forker: Forker, output: Path | None) -> None:
        """Commands are started by a `Forker`."""
        self.pid = pid
        self._forker = forker
        self._output = output

    @property
    def said(self) -> str:
        """What it has written to stderr, if it was given a file."""
        path = Path(f"{self._output}.err")
        return path.read_text() if path.exists() else ""

    def wait_for_line(self, start: str) -> None:
        """Until a line of stderr begins so. Raises TimeoutError."""
        deadline = time.monotonic() + GENEROUS_S
        while not any(line.startswith(start) for line in self.said.splitlines()):
            if time.monotonic() > deadline:
                raise TimeoutError(f"process {self.pid} did not say {start!r}: {self.said}")
            time.sleep(0.01)

    def wait_for_text(self, text: str) -> None:
        """Until it is in stderr. Raises TimeoutError."""
        deadline = time.monotonic() + GENEROUS_S
        while text not in self.said:
            if time.monotonic() > deadline:
                raise TimeoutError(f"process {self.pid} did not say {text!r}: {self.said}")
            time.sleep(0.01)

    def terminate(self) -> None:
        """Send SIGTERM."""
        os.kill(self.pid, signal.SIGTERM)

    def kill(self) -> int:
        """Send SIGKILL; returns the exit code."""
        os.kill(self.pid, signal.SIGKILL)
        return self.wait()

    def kill_after(self, seconds: float) -> int:
        """Kill it unless it ends within that time; returns the exit code."""
        try:
            return self.wait(seconds)
        except TimeoutError:
            return self.kill()

    def wait(self, timeout_s: float = GENEROUS_S) -> int:
        """Its exit code, once it has ended (below 0: the signal that ended it). Raises TimeoutError."""
        descriptor = os.pidfd_open(self.pid)
        try:
            if not select.select([descriptor], [], [], timeout_s)[0]:
                raise TimeoutError(f"process {self.pid} did not end within {timeout_s} s: {self.said}")
        finally:
            os.close(descriptor)
        return self._forker.ask({"wait": self.pid})


class Forker:
    """The process that has imported everything; all that it started is killed with it."""

    def __enter__(self) -> Forker:
        # The last word is for nothing_left_running (conftest.py), which looks for it in command lines.
        command = [sys.executable, __file__, "jaragua"]
        self._server = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.communicate()
        assert self._server.returncode == 0

    def start(
        self,
        words: Sequence[str],
        output: Path | None = None,
        *,
        armed: Mapping[str, object] | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> Forked:
        """`jaragua` with these words; its two streams go to new files (`output`, and that with .err) or nowhere.

        armed: arguments of `kill_points.arm`, which is called in the new process. Its environment is the test's at this
        moment; environment: more variables.
        """
        request = {"words": list(words), "output": str(output or os.devnull), "armed": dict(armed or {})}
        request["environment"] = {**os.environ, **(environment or {})}
        return Forked(self.ask(request), self, output)

    def ask(self, request: dict[str, object]) -> int:
        """The answer to a request."""
        assert self._server.stdin is not None
        assert self._server.stdout is not None
        self._server.stdin.write(json.dumps(request) + "\n")
        self._server.stdin.flush()
        return int(self._server.stdout.readline())


@contextmanager
def until_done(programs: Sequence[Forked]) -> Iterator[None]:
    """Send SIGTERM to each at the end, also to those that came meanwhile, and wait for all."""
    try:
        yield
    finally:
        for one in programs:
            one.terminate()
        for one in programs:
            one.wait()


def _serve() -> None:
    """Until the end of the input: fork commands and wait for them. A command leaves by SystemExit, as always."""
    from jaragua.cli.main import main

    for module in (*_MODULES, *(_OPTIONAL if importlib.util.find_spec(_OPTIONAL[0]) else ())):
        importlib.import_module(module)
    running: set[int] = set()
    for line in iter(sys.stdin.readline, ""):
        request = json.loads(line)
        if "wait" in request:
            answer = os.waitstatus_to_exitcode(os.waitpid(request["wait"], 0)[1])
            running.discard(request["wait"])
        else:
            answer = os.fork()
            if answer == 0:
                _take_streams(request["output"])
                sys.argv[1:] = request["words"]
                os.environ.clear()
                os.environ.update(request["environment"])
                if request["armed"]:
                    importlib.import_module("common.kill_points").arm(**request["armed"])
                main()
            running.add(answer)
        print(answer, flush=True)
    for pid in running:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


def _take_streams(output: str) -> None:
    errors = output if output == os.devnull else f"{output}.err"
    for place, path, flags in ((0, os.devnull, os.O_RDONLY), (1, output, os.O_WRONLY), (2, errors, os.O_WRONLY)):
        new = os.O_CREAT | os.O_EXCL if place and path != os.devnull else 0
        opened = os.open(path, flags | new, 0o600)
        os.dup2(opened, place)
        os.close(opened)


if __name__ == "__main__":
    _serve()
