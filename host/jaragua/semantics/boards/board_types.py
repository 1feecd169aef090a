"""A type of board by its name: board_types.toml, and what `jaragua compile` knows of its memory (S2.6)."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files

from jaragua_compiler.planning.boards import boards as compiled_boards

#: S2.7: kept free for the rest of a firmware where nobody says how much it takes: (RAM, flash) from that much RAM on.
_LARGE_RAM_BYTES = 65_536
_RESERVES = {True: (16_384, 65_536), False: (8_192, 32_768)}


@dataclass(frozen=True)
class BoardType:
    """What is known of a type of board. None: no source says it. `reserve_*`: for the rest of the firmware."""

    name: str
    title: str
    core: str
    mcu: str | None = None
    clock_hz: int | None = None
    ram_bytes: int | None = None
    flash_bytes: int | None = None
    reserve_ram_bytes: int | None = None
    reserve_flash_bytes: int | None = None
    dsp: bool | None = None
    fpu: str | None = None
    supply_millivolt: int | None = None
    current_microampere: int | None = None
    current_range_microampere: tuple[int, int] | None = None
    sensors: tuple[str, ...] | None = None
    sources: Mapping[str, str] = field(default_factory=dict, hash=False)
    note: str = ""


@cache
def board_types() -> Mapping[str, BoardType]:
    """All types by name."""
    text = files("jaragua.semantics.boards").joinpath("board_types.toml").read_text(encoding="utf-8")
    entries: dict[str, dict[str, object]] = tomllib.loads(text)["boards"]
    for board in compiled_boards():
        entry = entries.setdefault(board.name, {"title": board.title, "core": board.core})
        entry |= {"ram_bytes": board.ram_bytes, "flash_bytes": board.flash_bytes}
        entry |= {"reserve_ram_bytes": board.reserve_ram_bytes, "reserve_flash_bytes": board.reserve_flash_bytes}
    return {name: _made(name, entry) for name, entry in entries.items()}


def board_type(name: str) -> BoardType | None:
    """The type of that name; a firmware's `-` counts as `_`."""
    return board_types().get(name.replace("-", "_"))


def _made(name: str, entry: Mapping[str, object]) -> BoardType:
    tuples = {key: tuple(value) if isinstance(value, list) else value for key, value in entry.items()}
    return BoardType(name=name, **tuples)  # type: ignore[arg-type]


def reserves(kind: BoardType) -> tuple[int, int] | None:
    """Bytes of RAM and flash for the rest of the firmware: stated, or the allowance of S2.7; None: RAM unknown."""
    if kind.reserve_ram_bytes is not None and kind.reserve_flash_bytes is not None:
        return kind.reserve_ram_bytes, kind.reserve_flash_bytes
    return None if kind.ram_bytes is None else _RESERVES[kind.ram_bytes >= _LARGE_RAM_BYTES]
