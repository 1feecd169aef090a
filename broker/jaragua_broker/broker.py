"""Start and stop a mosquitto of our own."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from jaragua.errors import BrokerError, ToolError
from jaragua_broker import guard
from jaragua_broker.configuration import LOOPBACK, render
from jaragua_broker.probe import accepts_mqtt

# Debian puts daemons where an ordinary user's PATH does not look.
_EXTRA_PATH = ("/usr/sbin", "/usr/local/sbin", "/opt/homebrew/sbin")
_START_SECONDS = 20.0
_FREE_PORT_ATTEMPTS = 8
_STOP_SECONDS = guard.GRACE_SECONDS + 5.0


class _PortTaken(Exception):
    """mosquitto could not bind the port it was given."""


def find_mosquitto() -> Path:
    """The mosquitto executable, on PATH or where distributions put daemons; ToolError if there is none."""
    search = os.pathsep.join((os.environ.get("PATH", ""), *_EXTRA_PATH))
    found = shutil.which("mosquitto", path=search)
    if found is None:
        raise ToolError(
            "mosquitto is not installed (looked on PATH and in /usr/sbin)",
            "install it: sudo apt-get install mosquitto",
        )
    return Path(found)


def free_port() -> int:
    """A port of the loopback interface that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        port: int = probe.getsockname()[1]
        return port


class Broker:
    """A mosquitto that lives as long as the `with` block, and never longer than this process.

    port: None picks a free one. data_dir: where retained messages persist; None uses a temporary folder that is
    removed at the end. Errors: ToolError (mosquitto missing), BrokerError (port taken, no start).
    """

    def __init__(self, port: int | None = None, data_dir: Path | str | None = None) -> None:
        self._wanted_port = port
        self._data_dir = None if data_dir is None else Path(data_dir).absolute()
        self._resources = contextlib.ExitStack()
        self._process: subprocess.Popen[bytes] | None = None
        self._port = 0

    @property
    def port(self) -> int:
        """The port it listens on (0 before the start)."""
        return self._port

    @property
    def url(self) -> str:
        """What nodes and the coordinator are given."""
        return f"mqtt://{LOOPBACK}:{self._port}"

    @property
    def alive(self) -> bool:
        """Whether mosquitto still runs."""
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Start mosquitto and return once it accepts MQTT connections."""
        executable = find_mosquitto()
        folder = self._open_folder()
        try:
            self._start_on_some_port(executable, folder)
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Stop mosquitto, letting it write its retained messages; safe to call twice."""
        self._end_process()
        self._resources.close()

    def _open_folder(self) -> Path:
        if self._data_dir is None:
            return Path(self._resources.enter_context(tempfile.TemporaryDirectory(prefix="jaragua-broker-")))
        try:
            self._data_dir.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise BrokerError(
                f"the broker's data folder {self._data_dir} cannot be used: {error.strerror}",
                "give a folder you may write to with --data",
            ) from error
        return self._data_dir

    def _start_on_some_port(self, executable: Path, folder: Path) -> None:
        attempts = _FREE_PORT_ATTEMPTS if self._wanted_port is None else 1
        for _ in range(attempts):
            # Another process may take the port before mosquitto binds it: then the next one is tried.
            with contextlib.suppress(_PortTaken):
                self._start_on(executable, folder, self._wanted_port or free_port())
                return
        wanted = "no free port was found" if self._wanted_port is None else f"port {self._wanted_port} is taken"
        raise BrokerError(
            f"the broker cannot start: {wanted}", "give another one with --port, or none to pick a free one"
        )

    def _start_on(self, executable: Path, folder: Path, port: int) -> None:
        configuration = folder / "mosquitto.conf"
        text = render(port, folder, pwd.getpwuid(os.getuid()).pw_name)
        configuration.write_bytes(os.fsencode(text))  # a folder's name may be no text
        log = folder / "mosquitto.log"
        with log.open("wb") as sink:
            self._process = subprocess.Popen(
                [sys.executable, "-I", guard.__file__, str(executable), "-c", str(configuration)],
                stdin=subprocess.PIPE,
                stdout=sink,
                stderr=sink,
                start_new_session=True,  # a Ctrl-C in the terminal is ours to handle
            )
        self._port = port
        self._await_ready(log, port)

    def _await_ready(self, log: Path, port: int) -> None:
        """Wait until this mosquitto, not another one on the same port, accepts a connection."""
        deadline = time.monotonic() + _START_SECONDS
        while time.monotonic() < deadline:
            if not self.alive:
                self._end_process()
                raise _why_not_started(log.read_text(encoding="utf-8", errors="replace"))
            if " running" in log.read_text(encoding="utf-8", errors="replace") and accepts_mqtt(LOOPBACK, port):
                return
            time.sleep(0.01)
        raise BrokerError(
            f"mosquitto did not accept a connection within {_START_SECONDS:.0f} s", "look at its log: " + str(log)
        )

    def _end_process(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        if process.stdin is not None:
            process.stdin.close()
        try:
            process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def _why_not_started(log: str) -> Exception:
    """The reason in mosquitto's own words, or that the port was taken."""
    if "Address already in use" in log:
        return _PortTaken()
    lines = [line for line in log.splitlines() if "Error" in line] or log.splitlines()[-1:]
    reason = lines[0].partition(": ")[2] or lines[0] if lines else "it said nothing"
    return BrokerError(f"mosquitto did not start: {reason}", "check the data folder and the port")
