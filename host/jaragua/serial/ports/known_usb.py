"""The USB identities of usb.toml."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

_FILE = "usb.toml"


@dataclass(frozen=True)
class KnownUsb:
    """One entry of usb.toml."""

    title: str
    environments: tuple[str, ...]
    driver: str
    mode: str = ""

    @property
    def is_bootloader(self) -> bool:
        """Whether the board waits for an upload."""
        return self.mode == "bootloader"


@cache
def known_usb() -> dict[tuple[int, int], KnownUsb]:
    """All entries by vendor and product."""
    entries = tomllib.loads(files(__package__).joinpath(_FILE).read_text(encoding="utf-8"))
    found = {}
    for name, entry in entries.items():
        vendor, _, product = name.partition(":")
        known = KnownUsb(entry["title"], tuple(entry["environments"]), entry["driver"], entry.get("mode", ""))
        found[int(vendor, 16), int(product, 16)] = known
    return found
