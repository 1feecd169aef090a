"""Reads environments.toml."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from importlib.resources import files
from typing import Any, Literal

from jaragua.errors import UsageError

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
    serial: str = ""
    usb: tuple[str, ...] = ()
    usb_upload: tuple[str, ...] = ()
    upload: tuple[str, ...] = ()
    volume: str = ""
    openocd: tuple[str, ...] = ()
    image: str = "elf"
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
