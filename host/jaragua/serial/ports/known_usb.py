"""USB identities that Jaragua knows: of the boards in environments.toml, and of serial adapters in adapters.toml."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Final

from jaragua.boards.environments import environments

_FILE: Final = "adapters.toml"
#: The driver of boards with a USB port of their own.
_BOARDS_DRIVER: Final = "cdc_acm"


@dataclass(frozen=True)
class KnownUsb:
    """What an identity stands for. `environments`: none for an adapter. `driver`: of Linux, or ""."""

    title: str
    environments: tuple[str, ...]
    driver: str
    is_bootloader: bool = False
    """Whether the board waits for an upload, and has no port of a running firmware."""


@cache
def known_usb() -> dict[tuple[int, int], KnownUsb]:
    """All identities by vendor and product. Several boards may share one, such as a probe's."""
    entries = tomllib.loads(files(__package__).joinpath(_FILE).read_text(encoding="utf-8"))
    found = {_key(number): KnownUsb(entry["title"], (), entry["driver"]) for number, entry in entries.items()}
    for board in environments():
        for number in board.usb:
            found[_key(number)] = _with(found.get(_key(number)), KnownUsb(board.title, (board.name,), _BOARDS_DRIVER))
        for number in board.usb_upload:
            waiting = KnownUsb(board.title, (board.name,), "", is_bootloader=True)
            found[_key(number)] = _with(found.get(_key(number)), waiting)
    return found


def _with(first: KnownUsb | None, other: KnownUsb) -> KnownUsb:
    if first is None:
        return other
    title = f"{first.title} or {other.title}"
    return KnownUsb(title, first.environments + other.environments, other.driver, other.is_bootloader)


def _key(number: str) -> tuple[int, int]:
    vendor, _, product = number.partition(":")
    return int(vendor, 16), int(product, 16)
