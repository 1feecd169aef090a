"""Programs: those that build, emulate and run a broker."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path

from jaragua.doctor.check import Check, install_command

_VERSION_SECONDS = 20.0
#: Debian puts daemons where an ordinary user's PATH does not look.
_EXTRA_PATH = ("/usr/sbin", "/usr/local/sbin", "/opt/homebrew/sbin")


@dataclass(frozen=True)
class Tool:
    """A program. version: the options with which it says its version. packages: Debian's, that bring it."""

    name: str
    purpose: str
    version: tuple[str, ...]
    packages: tuple[str, ...]


CROSS_COMPILER = Tool("arm-none-eabi-gcc", "builds the firmware", ("--version",), ("gcc-arm-none-eabi",))
NEWLIB = Tool("newlib", "is the C library of the firmware", (), ("libnewlib-arm-none-eabi",))
EMULATOR = Tool("qemu-system-arm", "emulates boards", ("--version",), ("qemu-system-arm",))
#: For boards that few have: RISC-V, the emulated Pico, uploads through a debug probe or a boot loader.
FOR_OTHER_BOARDS = (
    Tool("riscv64-unknown-elf-gcc", "builds for RISC-V", ("--version",), ("gcc-riscv64-unknown-elf",)),
    Tool("qemu-system-riscv32", "emulates RISC-V", ("--version",), ("qemu-system-misc",)),
    Tool("node", "emulates a Pico", ("--version",), ("nodejs", "npm")),
    Tool("openocd", "uploads through a debug probe", ("--version",), ("openocd",)),
    Tool("dfu-util", "uploads to a boot loader", ("--version",), ("dfu-util",)),
)
BROKER = Tool("mosquitto", "is the MQTT broker", ("-h",), ("mosquitto",))
COMPILER = Tool("cc", "builds the native engine", ("--version",), ("gcc", "libc6-dev"))


def check_tool(tool: Tool, *, needed: bool) -> Check:
    """Whether a program is there; it is started, as one that does not start is not there."""
    path = _find(tool.name)
    version = first_line([path, *tool.version]) if path else ""
    return _check(tool, bool(version), needed, _found(path, version))


def _check(tool: Tool, is_there: bool, needed: bool, found: str) -> Check:
    mend = install_command(tool.packages)
    return Check(tool.name, tool.purpose, is_there, needed, found, mend, tool.packages)


def check_compiler(*, needed: bool) -> Check:
    """The C compiler of this machine, $CC or cc."""
    name = os.environ.get("CC") or COMPILER.name
    tool = Tool(name, COMPILER.purpose, COMPILER.version, COMPILER.packages)
    found = check_tool(tool, needed=needed)
    if found.ok and not _compiles(name):
        return replace(found, ok=False, found=f"{found.found} cannot compile: the C library's headers are missing")
    return found


def _compiles(name: str) -> bool:
    """Debian's gcc comes without the headers of the C library."""
    command = [_find(name) or name, "-fsyntax-only", "-x", "c", "-"]
    done = subprocess.run(command, input=b"#include <string.h>\n", capture_output=True, check=False)
    return done.returncode == 0


def check_newlib(*, needed: bool) -> Check:
    """GCC prints the bare name of a file that it does not have."""
    compiler = _find(CROSS_COMPILER.name)
    library = first_line([compiler, "-print-file-name=libc.a"]) if compiler else ""
    there = os.sep in library
    return _check(NEWLIB, there, needed, library if there else "")


def first_line(command: list[str]) -> str:
    """The first line that a program prints, "" if it does not start."""
    try:
        done = subprocess.run(
            command, capture_output=True, encoding="utf-8", errors="replace", timeout=_VERSION_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return next(iter((done.stdout or done.stderr).splitlines()), "")


def _find(name: str) -> str | None:
    """On PATH, among this environment's own scripts, and where daemons live."""
    folders = (str(Path(sys.executable).parent), os.environ.get("PATH", ""), *_EXTRA_PATH)
    return shutil.which(name, path=os.pathsep.join(folders))


def _found(path: str | None, version: str) -> str:
    if path is None:
        return ""
    return f"{version} ({path})" if version else f"{path} does not start"
