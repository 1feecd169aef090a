"""Look for floating point in a linked ARM program: FPU instructions, and calls of the soft-float library."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

from jaragua_bench.emulated.toolchain import find_tool

# The AEABI's helpers (__aeabi_fadd, __aeabi_i2d, __aeabi_f2iz, __aeabi_cfcmple, …) and libgcc's own names for them.
_SOFT_FLOAT = re.compile(
    r"^__aeabi_(c?[fd][a-z0-9]+|u?[il]2[fd]|h2f(_alt)?)$"
    r"|^__(fix|float|trunc|extend)(uns)?[a-z]*[sdx]f[a-z0-9]*$"
    r"|^__(add|sub|mul|div|neg|cmp|unord|eq|ne|lt|le|gt|ge|pow)[sdx]f[23]?$"
)
# Every mnemonic of a Cortex-M4's floating-point unit starts with v, and no other of its instructions does.
_FPU_INSTRUCTION = re.compile(r"^\s*([0-9a-f]+):\t(?:[0-9a-f]{4,8} ?)+\s*\t(v[a-z0-9.]+)")


def float_code(elf: Path) -> list[str]:
    """Return one line for each FPU instruction and soft-float symbol in `elf`; an empty list if it is integer only."""
    return [*_symbols(elf), *_instructions(elf)]


def _symbols(elf: Path) -> Iterator[str]:
    for line in _read("arm-none-eabi-nm", "--format=posix", elf):
        name = line.split()[0]
        if _SOFT_FLOAT.match(name):
            yield f"soft-float symbol {name}"


def _instructions(elf: Path) -> Iterator[str]:
    for line in _read("arm-none-eabi-objdump", "--disassemble", elf):
        match = _FPU_INSTRUCTION.match(line)
        if match:
            yield f"float instruction {match[2]} at 0x{match[1]}"


def _read(tool: str, option: str, elf: Path) -> list[str]:
    command = [find_tool(tool), option, str(elf)]
    return subprocess.run(
        command, capture_output=True, encoding="utf-8", errors="replace", check=True
    ).stdout.splitlines()
