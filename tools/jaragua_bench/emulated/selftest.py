"""Runs the self-test of a folder of `jaragua compile` on an emulated core, with the bench's start-up and memory map."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from jaragua_bench.emulated import toolchain
from jaragua_bench.emulated.emulator import exit_code

RIGHT: Final = 0
_BOARD = "bench_board.c"
_SOURCES = (".c", "_weights.c", "_selftest.c")
_LANGUAGE = "-std=c99"  # of a folder; the bench's own file takes it, too


def passes(folder: Path, prefix: str, core: str) -> bool:
    """Build the C of a folder and run its self-test; False if a bit is wrong.

    prefix: of the folder's names; core: a name of toolchain. Raises ToolError if the compiler or the emulator is
    missing, if the program does not build or does not fit 256 KB of RAM and 1 MB of flash, and if it does not end well.
    """
    toolchain.require_tools()
    sources = (toolchain.bench_folder() / _BOARD, *(folder / f"{prefix}{end}" for end in _SOURCES))
    flags = (*toolchain.c_flags(core), _LANGUAGE, f"-D{prefix.upper()}_SELFTEST_MAIN")
    elf = toolchain.build(toolchain.Program(sources, (toolchain.bench_folder(), folder), flags))
    return exit_code(elf, core, expected=(RIGHT, 1)) == RIGHT
