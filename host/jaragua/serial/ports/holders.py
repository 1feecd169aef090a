"""Which processes have a port open."""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from jaragua.serial.ports.system import HERE, System

_TERMINALS: Final = "/dev/pts/"
_MASTERS: Final = frozenset({"/dev/ptmx", "/dev/pts/ptmx"})


@dataclass(frozen=True)
class Holder:
    """A process that has a port open."""

    pid: int
    name: str

    def __str__(self) -> str:
        return f"{self.name} (process {self.pid})"


def holders(path: str, system: System = HERE) -> list[Holder]:
    """Processes other than this one with `path` open, as far as this user may see them."""
    target = os.path.realpath(path)
    numbers = sorted(int(entry.name) for entry in _entries(system) if entry.name.isdecimal())
    return [
        Holder(number, _name(number, system))
        for number in numbers
        if number != os.getpid() and _has(number, target, system)
    ]


def running(name: str, system: System = HERE) -> bool:
    """Whether a process of that name runs."""
    return any(system.text(system.proc / entry.name / "comm") == name for entry in _entries(system))


def _entries(system: System) -> list[os.DirEntry[str]]:
    try:
        return list(os.scandir(system.proc))
    except OSError:  # not Linux
        return []


def _has(number: int, target: str, system: System) -> bool:
    folder = system.proc / str(number) / "fd"
    try:
        links = os.listdir(folder)
    except OSError:  # of another user, or gone
        return False
    targets = set()
    for link in links:
        with suppress(OSError):  # closed meanwhile
            targets.add(os.readlink(folder / link))
    # Who made a pseudo terminal is the board at its other end, not another user of the port.
    return target in targets and not (target.startswith(_TERMINALS) and targets & _MASTERS)


def _name(number: int, system: System) -> str:
    """The program, for Python the script or module that it runs."""
    try:
        words = (system.proc / str(number) / "cmdline").read_bytes().decode(errors="replace").split("\0")
    except OSError:
        words = []
    program = os.path.basename(words[0]) if words and words[0] else system.text(system.proc / str(number) / "comm")
    if program.startswith("python"):
        rest = [word for word in words[1:] if word and word != "-m"]
        verb = f" {rest[1]}" if len(rest) > 1 and not rest[1].startswith("-") else ""
        program = os.path.basename(rest[0]) + verb if rest else program
    return program or "a program"
