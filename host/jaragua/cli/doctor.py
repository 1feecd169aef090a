"""`jaragua doctor`: which tools are there, and the command that mends what is missing."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

import typer

from jaragua.cli import output
from jaragua.errors import ToolError

app = typer.Typer()

_VERSION_SECONDS = 20.0
#: Debian puts daemons where an ordinary user's PATH does not look.
_EXTRA_PATH = ("/usr/sbin", "/usr/local/sbin", "/opt/homebrew/sbin")
_SERIAL_PATTERNS = ("ttyACM*", "ttyUSB*")


@dataclass(frozen=True)
class Check:
    """One thing looked at. needed: whether the demo needs it."""

    name: str
    purpose: str
    ok: bool
    needed: bool
    found: str
    mend: str


@dataclass(frozen=True)
class _Tool:
    name: str
    purpose: str
    version: tuple[str, ...]
    mend: str


_TOOLS = (
    _Tool("arm-none-eabi-gcc", "builds the firmware", ("--version",), "sudo apt-get install gcc-arm-none-eabi"),
    _Tool("qemu-system-arm", "emulates boards", ("--version",), "sudo apt-get install qemu-system-arm"),
    _Tool("mosquitto", "is the MQTT broker", ("-h",), "sudo apt-get install mosquitto"),
    _Tool("cc", "builds the native engine", ("--version",), "sudo apt-get install gcc libc6-dev"),
    _Tool("pio", "builds and uploads images", ("--version",), f"{sys.executable} -m pip install 'platformio>=6.1.16'"),
)


@app.command()
def doctor(json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False) -> None:
    """Check that the tools are there; say how to get those missing."""
    checks = list(all_checks())
    missing = [check for check in checks if check.needed and not check.ok]
    if json:
        output.print_result({"ready": not missing, "checks": [asdict(check) for check in checks]})
    else:
        _print(checks)
    if missing:
        raise typer.Exit(ToolError.exit_code)


def all_checks() -> Iterator[Check]:
    """Look at everything, one after the other."""
    for tool in _TOOLS:
        yield _check_tool(tool)
    yield _check_newlib()
    yield _check_serial()


def _search_path() -> str:
    """PATH, this environment's own scripts, and where daemons live."""
    return os.pathsep.join((str(Path(sys.executable).parent), os.environ.get("PATH", ""), *_EXTRA_PATH))


def _check_tool(tool: _Tool) -> Check:
    path = shutil.which(tool.name, path=_search_path())
    found = _first_line([path, *tool.version]) if path else ""
    return Check(tool.name, tool.purpose, bool(path), True, f"{found} ({path})" if path else "", tool.mend)


def _check_newlib() -> Check:
    """GCC prints the bare name of a file that it does not have."""
    compiler = shutil.which("arm-none-eabi-gcc", path=_search_path())
    library = _first_line([compiler, "-print-file-name=libc.a"]) if compiler else ""
    there = os.sep in library
    mend = "sudo apt-get install libnewlib-arm-none-eabi"
    return Check("newlib", "is the C library of the firmware", there, True, library if there else "", mend)


def _check_serial() -> Check:
    """Only real boards need it, so the demo goes without."""
    ports = sorted(port for pattern in _SERIAL_PATTERNS for port in Path("/dev").glob(pattern))
    closed = [port for port in ports if not os.access(port, os.R_OK | os.W_OK)]
    names = ", ".join(str(port) for port in closed or ports)
    found = f"may not open {names}" if closed else names or "no board is plugged in"
    ok = not closed and (bool(ports) or _may_open_serial())
    mend = "sudo usermod -a -G dialout $USER, then log in again"
    return Check("serial ports", "connect real boards", ok, False, found, mend)


def _may_open_serial() -> bool:
    """Whether a port that is plugged in later could be opened: by root, or by a member of its group."""
    import grp

    names = {group.gr_gid: group.gr_name for group in grp.getgrall()}
    own = {names.get(number) for number in os.getgroups()}
    return os.geteuid() == 0 or bool(own & {"dialout", "uucp", "plugdev"})


def _first_line(command: list[str]) -> str:
    try:
        done = subprocess.run(
            command, capture_output=True, encoding="utf-8", errors="replace", timeout=_VERSION_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return "does not start"
    return next(iter((done.stdout or done.stderr).splitlines()), "")


def _print(checks: list[Check]) -> None:
    for check in checks:
        mark = "ok     " if check.ok else "missing" if check.needed else "note   "
        output.show(f"{mark} {check.name:18} {check.found or check.purpose}")
        if not check.ok:
            output.show(f"        {check.purpose}; mend it with: {check.mend}")
