"""Run a program of the bench on QEMU: bytes in, bytes out.

A Cortex-M4F is QEMU's mps2-an386. A Cortex-M0+ is its microbit, a Cortex-M0: the same instruction set (ARMv6-M), where
an instruction of a larger core or an access that is not aligned is a fault. It gets the memory of the other machine.
"""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from jaragua_bench.emulated.toolchain import CORTEX_M0PLUS, CORTEX_M4, EMULATOR, ToolError, find_tool

TIMEOUT_SECONDS = 300
_MACHINES = {
    CORTEX_M4: ("mps2-an386",),
    CORTEX_M0PLUS: (
        "microbit",
        "-global",
        "nrf51-soc.sram-size=262144",
        "-global",
        "nrf51-soc.flash-size=1048576",
    ),
}
_EXIT_CODES = {
    2: "the program could not read its input",
    3: "the program could not write its output",
    4: "the engine refused a blob or a learning rate",
    99: "the processor took a fault",
}


def run(elf: Path, data: bytes, *, counted: bool, core: str = CORTEX_M4) -> bytes:
    """Run `elf` with `data` as its in.bin; returns its out.bin. Raises ToolError if it does not end well.

    `counted` makes virtual time follow the number of instructions (64 ns each), which the program's counter needs. Only
    the machine with the Cortex-M4 has that counter, so it also counts programs for the Cortex-M0+: it executes their
    instructions, one for one.
    """
    with TemporaryDirectory(prefix="jaragua-bench-") as name:
        folder = Path(name)
        (folder / "in.bin").write_bytes(data)
        _emulate([find_tool(EMULATOR), *options(elf, core, counted)], folder, expected=(0,))
        return (folder / "out.bin").read_bytes()


def exit_code(elf: Path, core: str, expected: Sequence[int]) -> int:
    """Run a program without files to its end; returns what its main returned. Raises ToolError for any other end."""
    with TemporaryDirectory(prefix="jaragua-bench-") as name:
        return _emulate([find_tool(EMULATOR), *options(elf, core, counted=False)], Path(name), expected)


def options(elf: Path, core: str, counted: bool) -> list[str]:
    silent = ["-display", "none", "-monitor", "none", "-serial", "none"]
    time = ["-icount", "shift=6,sleep=off"] if counted else []
    machine = _MACHINES[CORTEX_M4 if counted else core]
    return ["-M", *machine, *silent, *time, "-semihosting", "-kernel", str(elf.resolve())]


def _emulate(command: list[str], folder: Path, expected: Sequence[int]) -> int:
    try:
        done = subprocess.run(
            command, cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, timeout=TIMEOUT_SECONDS, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise ToolError(f"the emulated board did not finish within {TIMEOUT_SECONDS} s") from error
    if done.returncode not in expected:
        reason = _EXIT_CODES.get(done.returncode) or done.stderr.decode(errors="replace").strip()
        raise ToolError(f"the emulated board stopped with code {done.returncode}: {reason}")
    return done.returncode
