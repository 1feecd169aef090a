"""Start and stop a mosquitto of our own."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pwd
import shutil
import subprocess
import tempfile
import time
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from jaragua_broker import guarded, ports
from jaragua_broker.audit import AuditedLog
from jaragua_broker.configuration import LOOPBACK, Endpoint, render
from jaragua_broker.errors import MissingError, StartError
from jaragua_broker.probe import accepts_mqtt

# Debian puts daemons where an ordinary user's PATH does not look.
_EXTRA_PATH = ("/usr/sbin", "/usr/local/sbin", "/opt/homebrew/sbin")
_START_SECONDS = 20.0
#: What an earlier broker takes to end after whoever started it was killed.
_PATIENCE_SECONDS = 3.0


class _PortTaken(Exception):
    """Another program took the port before mosquitto could."""


def find_mosquitto() -> Path:
    """The mosquitto executable, on PATH or where distributions put daemons; MissingError if there is none."""
    search = os.pathsep.join((os.environ.get("PATH", ""), *_EXTRA_PATH))
    found = shutil.which("mosquitto", path=search)
    if found is None:
        raise MissingError(
            "mosquitto is not installed (looked on PATH and in /usr/sbin)",
            "install it: sudo apt-get install mosquitto",
        )
    return Path(found)


class Broker:
    """A mosquitto that lives as long as the `with` block, and never longer than this process.

    port: this one or none; None takes the one that the data folder's broker had, else the endpoint's, else `first_port`
    if it is free, else another. data_dir: where retained messages and the port persist; None uses a temporary folder
    that is removed at the end. endpoint: where it listens and whom it lets in; None: everyone on this machine. Errors:
    MissingError (mosquitto missing), StartError (port refused, folder in use, no start).
    """

    def __init__(
        self,
        port: int | None = None,
        data_dir: Path | str | None = None,
        first_port: int | None = None,
        endpoint: Endpoint | None = None,
    ) -> None:
        self._endpoint = endpoint or Endpoint()
        self._wanted_port = port
        self._first_port = first_port
        self._passed_over: list[ports.Refused] = []
        self._data_dir = None if data_dir is None else Path(data_dir).absolute()
        self._resources = contextlib.ExitStack()
        self._process: subprocess.Popen[bytes] | None = None
        self._lock: int | None = None
        self._port = 0
        self._folder = Path()
        self._audited: AuditedLog | None = None

    @property
    def port(self) -> int:
        """The port it listens on (0 before the start)."""
        return self._port

    @property
    def url(self) -> str:
        """What nodes and the coordinator are given."""
        return self._endpoint.url(self._port)

    @property
    def passed_over(self) -> Sequence[ports.Refused]:
        """Ports that it would have taken, but could not have."""
        return self._passed_over

    @property
    def alive(self) -> bool:
        """Whether mosquitto still runs."""
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Start mosquitto and return once it accepts MQTT connections."""
        executable = find_mosquitto()
        try:
            self._folder = self._open_folder()
            self._start_on_some_port(executable, self._folder)
        except BaseException:
            self.stop()
            raise

    def restart(self) -> None:
        """End mosquitto and start it on the same port: it reads its files anew and drops all connections."""
        executable, folder = find_mosquitto(), self._folder
        self._end_process()
        if not _within_patience(lambda: ports.refused(self._port, self._endpoint.address) is None):
            raise StartError(
                f"the broker cannot start again: port {self._port} is taken", "start it with another --port"
            )
        self._start_on(executable, folder, self._port)

    def stop(self) -> None:
        """Stop mosquitto, letting it write its retained messages; safe to call twice."""
        self._end_process()
        self._resources.close()

    def _open_folder(self) -> Path:
        if self._data_dir is None:
            return Path(self._resources.enter_context(tempfile.TemporaryDirectory(prefix="jaragua-broker-")))
        _check_name(self._data_dir)
        try:
            self._data_dir.mkdir(parents=True, exist_ok=True)
            self._lock = self._resources.enter_context(_locked(self._data_dir))
        except OSError as error:
            raise StartError(
                f"the broker's data folder {self._data_dir} cannot be used: {_reason(error)}",
                "give a folder you may write to with --data",
            ) from error
        return self._data_dir

    def _start_on_some_port(self, executable: Path, folder: Path) -> None:
        kept = ports.kept(folder) if self._data_dir else None
        choice = ports.choose(self._wanted_port, kept, self._endpoint.port, self._first_port)
        for number, port in enumerate(choice.ports):
            refused = _refused(port, self._endpoint.address, is_patient=number == 0) or self._try(
                executable, folder, port
            )
            if refused is None:
                break
            if choice.is_fixed:
                raise _no_start(refused, choice.whose)
            self._passed_over.append(refused)
        else:
            raise StartError("the broker cannot start: no free port was found", "give one with --port")
        if self._data_dir:
            ports.keep(folder, port)

    def _try(self, executable: Path, folder: Path, port: int) -> ports.Refused | None:
        """Start on a port that was free a moment ago; another process may have taken it since."""
        try:
            self._start_on(executable, folder, port)
        except _PortTaken:
            return ports.taken(port)
        return None

    def _start_on(self, executable: Path, folder: Path, port: int) -> None:
        configuration = folder / "mosquitto.conf"
        text = render(port, folder, pwd.getpwuid(os.getuid()).pw_name, endpoint=self._endpoint)
        configuration.write_bytes(os.fsencode(text))  # a folder's name may be no text
        log = folder / "mosquitto.log"
        held = () if self._lock is None else (self._lock,)  # until mosquitto has ended
        command = [str(executable), "-c", str(configuration)]
        if self._endpoint.secured is None:
            with log.open("wb") as sink:
                self._process = guarded.start(command, sink, held)
        else:
            self._audited = AuditedLog(log, self._endpoint.secured.access_list)
            self._process = guarded.start(command, self._audited.sink, held)
            self._audited.started()
        self._port = port
        self._await_ready(log, port)

    def _await_ready(self, log: Path, port: int) -> None:
        """Wait until this mosquitto, not another one on the same port, accepts a connection."""
        deadline = time.monotonic() + _START_SECONDS
        while time.monotonic() < deadline:
            if not self.alive:
                self._end_process()
                raise _why_not_started(log.read_text(encoding="utf-8", errors="replace"))
            if " running" in log.read_text(encoding="utf-8", errors="replace") and self._answers(port):
                return
            time.sleep(0.01)
        raise StartError(
            f"mosquitto did not accept a connection within {_START_SECONDS:.0f} s", "look at its log: " + str(log)
        )

    def _answers(self, port: int) -> bool:
        """mosquitto says that it runs once it has its port; one that asks for certificates is not asked more."""
        return self._endpoint.secured is not None or accepts_mqtt(self._reachable_address, port)

    @property
    def _reachable_address(self) -> str:
        """An address of this machine at which the broker listens."""
        return {"0.0.0.0": LOOPBACK, "::": "::1"}.get(self._endpoint.address, self._endpoint.address)

    def _end_process(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            guarded.end(process)
        if self._audited is not None:
            self._audited.close()
            self._audited = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def _check_name(folder: Path) -> None:
    """mosquitto reads its configuration line by line, as UTF-8. Raises: StartError."""
    try:
        str(folder).encode()
    except UnicodeEncodeError:
        raise StartError(f"the data folder {folder} has a name that is not UTF-8", "give another with --data") from None
    if any(unicodedata.category(letter) == "Cc" for letter in str(folder)):
        raise StartError(
            f"the data folder {str(folder)!r} has a name with control characters", "give another with --data"
        )


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[int]:
    """The folder is this broker's alone; the lock as a descriptor. Raises: StartError if another has it, OSError."""
    with (folder / "lock").open("ab") as lock:
        if not _within_patience(lambda: _take(lock.fileno())):
            hint = "use that broker, end it, or give another folder with --data"
            raise StartError(f"a broker that runs already has the data folder {folder}", hint)
        yield lock.fileno()


def _take(lock: int) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _refused(port: int, address: str, *, is_patient: bool) -> ports.Refused | None:
    """Why a port cannot be had; None: it can. The broker that was killed a moment ago may still have it."""
    if is_patient:
        _within_patience(lambda: not (refused := ports.refused(port, address)) or not refused.may_pass)
    return ports.refused(port, address)


def _within_patience(condition: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while not condition():
        if time.monotonic() >= deadline:
            return False
        time.sleep(0.05)
    return True


def _no_start(refused: ports.Refused, whose: str) -> StartError:
    """whose: why no other port is taken, "" if the user said it."""
    message = f"the broker cannot start: port {refused.port} {refused.reason}"
    hint = f"{refused.hint} ({whose})" if whose else refused.hint
    return StartError(message, hint)


def _why_not_started(log: str) -> Exception:
    """The reason in mosquitto's own words, or that the port was taken."""
    if "Address already in use" in log:
        return _PortTaken()
    lines = [line for line in log.splitlines() if "Error" in line] or log.splitlines()[-1:]
    reason = lines[0].partition(": ")[2] or lines[0] if lines else "it said nothing"
    return StartError(f"mosquitto did not start: {reason}", "look at the data folder, its rights and its disk")


def _reason(error: OSError) -> str:
    if isinstance(error, FileExistsError):
        return "a file is in its place"
    if isinstance(error, NotADirectoryError):
        return "a part of its path is a file"
    return error.strerror or str(error)
