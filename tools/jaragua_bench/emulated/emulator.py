"""Run a program of the bench on QEMU: bytes in, bytes out.

A Cortex-M4F is QEMU's mps2-an386. A Cortex-M0+ is its microbit, a Cortex-M0: the same instruction set (ARMv6-M), where
an instruction of a larger core or an access that is not aligned is a fault. It gets the memory of the other machine.
RISC-V is its machine virt; an instruction of an extension that its compiler was not told of is no fault there.
"""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from jaragua_bench.emulated.toolchain import (
    CORTEX_M0PLUS,
    CORTEX_M4,
    EMULATOR,
    RISCV_EMULATOR,
    RV32,
    ToolError,
    find_tool,
)

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
    RV32: ("virt", "-bios", "none", "-cpu", "rv32"),
}
#: Nanoseconds of virtual time that an instruction takes, as a power of two: what the counter of the machine needs.
_COUNTING_SHIFT = {CORTEX_M4: 6, CORTEX_M0PLUS: 6, RV32: 0}
_EXIT_CODES = {
    2: "the program could not read its input",
    3: "the program could not write its output",
    4: "the engine refused a blob or a learning rate",
    99: "the processor took a fault",
}


def run(elf: Path, data: bytes, *, counted: bool, core: str = CORTEX_M4) -> bytes:
    """Run `elf` with `data` as its in.bin; returns its out.bin. Raises ToolError if it does not end well.

    `counted` makes virtual time follow the number of instructions, which the program's counter needs. Of the two Arm
    machines only that with the Cortex-M4 has a counter, so it also counts programs for the Cortex-M0+: it executes
    their instructions, one for one.
    """
    with TemporaryDirectory(prefix="jaragua-bench-") as name:
        folder = Path(name)
        (folder / "in.bin").write_bytes(data)
        _emulate([program_of(core), *options(elf, core, counted)], folder, expected=(0,))
        return (folder / "out.bin").read_bytes()


def exit_code(elf: Path, core: str, expected: Sequence[int]) -> int:
    """Run a program without files to its end; returns what its main returned. Raises ToolError for any other end."""
    with TemporaryDirectory(prefix="jaragua-bench-") as name:
        return _emulate([program_of(core), *options(elf, core, counted=False)], Path(name), expected)


def program_of(core: str) -> str:
    """The path of a core's emulator. Raises ToolError if it is not there."""
    return find_tool(RISCV_EMULATOR if core == RV32 else EMULATOR)


def options(elf: Path, core: str, counted: bool) -> list[str]:
    silent = ["-display", "none", "-monitor", "none", "-serial", "none"]
    time = ["-icount", f"shift={_COUNTING_SHIFT[core]},sleep=off"] if counted else []
    machine = _MACHINES[CORTEX_M4 if counted and core == CORTEX_M0PLUS else core]
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
