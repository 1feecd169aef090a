"""Reads environments.toml."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from importlib.resources import files
from typing import Any, Final, Literal

from jaragua.errors import UsageError

BoardKind = Literal["board", "cortex-m0", "cortex-m0+", "cortex-m3", "cortex-m4", "cortex-m7", "cortex-m33", "risc-v"]
Emulator = Literal["", "qemu", "rp2040js", "process"]


@dataclass(frozen=True)
class Region:
    """One block of memory: its first address and its size in bytes."""

    origin: int = 0
    size_bytes: int = 0


@dataclass(frozen=True)
class Environment:
    """One entry of environments.toml, which explains the fields."""

    name: str
    title: str
    core: str
    port: str
    shared: tuple[str, ...] = ()
    framework: str = ""
    model: str = "digits"
    flash: Region = Region()
    ram: Region = Region()
    stack_bytes: int = 4096
    ring_bytes: int = 2048
    window: int = 8
    model_ram_bytes: int = 229376
    keep_bytes: int = 0
    serial: str = ""
    usb: tuple[str, ...] = ()
    usb_upload: tuple[str, ...] = ()
    upload: tuple[str, ...] = ()
    volume: str = ""
    openocd: tuple[str, ...] = ()
    image: str = "elf"
    uf2_family: int = 0
    emulator: Emulator = ""
    machine: str = ""
    uart: int = 0
    clock_khz: int = 0
    qemu: str = "qemu-system-arm"

    @property
    def is_emulated(self) -> bool:
        """Whether `jaragua emulate` runs its image."""
        return self.emulator != ""

    @property
    def is_a_board(self) -> bool:
        """Whether there is a board of it that a person can hold."""
        return bool(self.upload)

    @property
    def needs_a_framework(self) -> bool:
        """Whether PlatformIO has to download the vendor's framework to build it."""
        return self.framework != ""


def _read(name: str, entry: dict[str, Any]) -> Environment:
    values: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in entry.items()}
    regions: dict[str, Any] = {key: Region(*values.pop(key)) for key in ("flash", "ram") if key in values}
    return Environment(name=name, **values, **regions)


#: Core -> kind of device in a fleet (protocol.md, M1). A process stands for the board that its arithmetic is that of.
KINDS: Final[Mapping[str, BoardKind]] = {
    "cortex_m0": "cortex-m0",
    "cortex_m0plus": "cortex-m0+",
    "cortex_m3": "cortex-m3",
    "cortex_m4": "cortex-m4",
    "cortex_m7": "cortex-m7",
    "cortex_m33": "cortex-m33",
    "rv32imc": "risc-v",
    "host": "cortex-m4",
}


def kind_of(board: str) -> BoardKind:
    """The kind of device that a board is which says this name of itself; one of another's making is a "board"."""
    cores = {one.name: one.core for one in environments()}
    return KINDS[cores[board]] if board in cores else "board"


@cache
def environments() -> tuple[Environment, ...]:
    """All environments, in the order of environments.toml."""
    text = files("jaragua.boards").joinpath("environments.toml").read_text(encoding="utf-8")
    return tuple(_read(name, entry) for name, entry in tomllib.loads(text).items())


def environment(name: str) -> Environment:
    """The environment of that name. Raises UsageError, which suggests the nearest."""
    known = {one.name: one for one in environments()}
    if name in known:
        return known[name]
    matches = get_close_matches(name.lower().replace("-", "_"), list(known), n=1, cutoff=0.4)
    suggestion = f"Did you mean {matches[0]!r}? " if matches else ""
    raise UsageError(f"there is no board {name!r}", f"{suggestion}The boards are: {', '.join(known)}.")


def find_by_usb(vendor: int, product: int) -> list[Environment]:
    """The environments whose board has this USB id, while it runs or while it waits for an image."""
    wanted = f"{vendor:04x}:{product:04x}"
    return [one for one in environments() if wanted in (*one.usb, *one.usb_upload)]
