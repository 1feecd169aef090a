"""How much flash and RAM a linked program takes, from its ELF sections."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

from jaragua_bench.emulated.toolchain import reader_of

_WORD_BYTES = 4


@dataclass(frozen=True)
class Sizes:
    """Bytes in flash (code, constants, initial values of variables) and static bytes in RAM (variables; no stack)."""

    flash_bytes: int
    ram_bytes: int

    def __sub__(self, other: Sizes) -> Sizes:
        return Sizes(self.flash_bytes - other.flash_bytes, self.ram_bytes - other.ram_bytes)


def variables(elf: Path, prefix: str) -> int:
    """Bytes of the variables whose names begin with `prefix`, each rounded up to the words that the linker gives it."""
    command = [reader_of(elf, "nm"), "-S", str(elf)]
    report = subprocess.run(command, capture_output=True, encoding="utf-8", errors="replace", check=True).stdout
    rows = [line.split() for line in report.splitlines()]
    found = [int(row[1], 16) for row in rows if len(row) == 4 and row[2] in "bBdDsS" and row[3].startswith(prefix)]
    return sum(-(-size // _WORD_BYTES) * _WORD_BYTES for size in found)


def sizes(elf: Path) -> Sizes:
    """Sum the sections of `elf` as its `size` reports them: text, data and bss."""
    command = [reader_of(elf, "size"), str(elf)]
    report = subprocess.run(command, capture_output=True, encoding="utf-8", errors="replace", check=True).stdout
    text, data, bss = (int(field) for field in report.splitlines()[1].split()[:3])
    return Sizes(flash_bytes=text + data, ram_bytes=data + bss)
