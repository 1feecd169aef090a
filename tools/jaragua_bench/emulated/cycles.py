"""Cycles of a function from the instructions that the emulator executes and the timing tables of the cores.

QEMU counts instructions, not cycles. It can log the address of every instruction, though. Each executed instruction
falls into a class of the core's technical reference manual: Cortex-M0+ (DDI 0484, table 3-1), Cortex-M0 (DDI 0432,
table 3-1), Cortex-M3 (DDI 0337, table 3-1), Cortex-M4 (DDI 0439, table 3-1). Where the manual gives a range (pipelined
loads, refill of the pipeline, division), the sum is a range, too. Memory without wait states and a single-cycle
multiplier are assumed.
"""

from __future__ import annotations

import re
import subprocess
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from jaragua_bench.emulated import emulator
from jaragua_bench.emulated.toolchain import CORTEX_M0PLUS, CORTEX_M4, EMULATOR, ToolError, find_tool

#: Cores whose cycles follow from the program of another: instruction sets are the same, timings are not.
TIMED_AS: Final = {CORTEX_M0PLUS: ("cortex_m0plus", "cortex_m0", "cortex_m3"), CORTEX_M4: ("cortex_m4",)}
_LINE: Final = re.compile(rb"^Trace \d+: 0x[0-9a-f]+ \[[0-9a-f]+/([0-9a-f]+)/")
_CODE: Final = re.compile(r"^\s*([0-9a-f]+):\s+(\S+)(?:\s+(.*))?$")
_FUNCTION: Final = re.compile(r"^([0-9a-f]+) <([^>]+)>:$")
_CONDITIONS: Final = r"(?:eq|ne|cs|cc|mi|pl|vs|vc|hi|ls|ge|lt|gt|le|hs|lo)"
_SINGLE_LOADS: Final = re.compile(rf"(?:ldr|str)(?:b|h|sb|sh)?{_CONDITIONS}?$")
_DOUBLE: Final = re.compile(rf"(?:ldrd|strd){_CONDITIONS}?$")
_MULTIPLE: Final = re.compile(rf"(?:ldm|stm)(?:ia|db)?{_CONDITIONS}?$")
_BRANCH: Final = re.compile(rf"b{_CONDITIONS}?$|cbn?z$")

#: On Cortex-M3; one cycle each on M4. The long ones end early for small values.
_MULTIPLIED_ON_M3: Final = {
    "mla": (2, 2),
    "mls": (2, 2),
    "smull": (3, 5),
    "umull": (3, 5),
    "smlal": (4, 7),
    "umlal": (4, 7),
}


@dataclass(frozen=True)
class Instruction:
    """An instruction of the program: mnemonic without its width, operands."""

    name: str
    operands: str

    @property
    def registers(self) -> int:
        """How many registers a list of them names."""
        found = re.search(r"\{([^}]*)\}", self.operands)
        if found is None:
            return 0
        parts = [part.strip().split("-") for part in found[1].split(",")]
        order = [f"r{number}" for number in range(13)] + ["sp", "lr", "pc"]
        names = {"sl": "r10", "fp": "r11", "ip": "r12"}
        return sum(
            1
            if len(part) == 1
            else order.index(names.get(part[1], part[1])) - order.index(names.get(part[0], part[0])) + 1
            for part in parts
        )

    @property
    def writes_pc(self) -> bool:
        """Whether it loads the program counter from memory."""
        return "pc" in self.operands and self.name.startswith(("pop", "ldm"))


@dataclass(frozen=True)
class Cycles:
    """Of all traced calls of a function: instructions, and the least and the most cycles that they take."""

    instructions: int
    low: int
    high: int


def cycles_of(elf: Path, data: bytes, core: str, function: str) -> dict[str, Cycles]:
    """Run a program and add up what the calls of `function` execute: core -> cycles (TIMED_AS).

    data: the program's in.bin. Raises ToolError as `emulator.run`, or if the program has no such function.
    """
    program, functions = disassembled(elf)
    if function not in functions:
        raise ToolError(f"{elf.name} has no function {function}")
    executed = _executed(elf, data, core, functions[function], functions["main"])
    return {timed: _sum(timed, program, executed) for timed in TIMED_AS[core]}


def disassembled(elf: Path) -> tuple[dict[int, Instruction], dict[str, range]]:
    """Address -> instruction, and function -> its addresses."""
    command = [find_tool("arm-none-eabi-objdump"), "-d", "--no-show-raw-insn", str(elf)]
    text = subprocess.run(command, capture_output=True, encoding="utf-8", errors="replace", check=True).stdout
    program: dict[int, Instruction] = {}
    begins: list[tuple[int, str]] = []
    for line in text.splitlines():
        if found := _FUNCTION.match(line):
            begins.append((int(found[1], 16), found[2]))
        elif found := _CODE.match(line):
            program[int(found[1], 16)] = Instruction(found[2].split(".")[0], found[3] or "")
    ends = [begin for begin, _ in begins[1:]] + [max(program) + 4]
    return program, {name: range(begin, end) for (begin, name), end in zip(begins, ends, strict=True)}


def _executed(elf: Path, data: bytes, core: str, function: range, caller: range) -> Counter[tuple[int, int]]:
    """(address, address of the next instruction) -> how often, within calls of the function from `caller`."""
    with TemporaryDirectory(prefix="jaragua-bench-") as name:
        folder = Path(name)
        (folder / "in.bin").write_bytes(data)
        traced = ["-singlestep", "-d", "exec,nochain", "-D", "/dev/stdout"]
        command = [find_tool(EMULATOR), *emulator.options(elf, core, counted=True), *traced]
        with subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as running:
            assert running.stdout is not None
            return _counted(_addresses(running.stdout), function, caller)


def _addresses(lines: Iterator[bytes]) -> Iterator[int]:
    """The executed addresses in order. An instruction that is executed again for an access to a device counts once."""
    kept: int | None = None
    for line in lines:
        found = _LINE.match(line)
        if found is not None:
            if kept is not None:
                yield kept
            kept = int(found[1], 16)
        elif b"rewound" in line:
            kept = None
    if kept is not None:
        yield kept


def _counted(addresses: Iterator[int], function: range, caller: range) -> Counter[tuple[int, int]]:
    counts: Counter[tuple[int, int]] = Counter()
    before: int | None = None
    for address in addresses:
        if before is not None:
            counts[before, address] += 1
        if before is None:
            before = address if address == function.start else None
        else:
            before = None if address in caller else address
    return counts


def _sum(core: str, program: Mapping[int, Instruction], executed: Mapping[tuple[int, int], int]) -> Cycles:
    instructions = low = high = 0
    for (address, following), count in executed.items():
        least, most = cycles(core, program[address], jumps=_jumps(program, address, following))
        instructions += count
        low, high = low + count * least, high + count * most
    return Cycles(instructions, low, high)


def _jumps(program: Mapping[int, Instruction], address: int, following: int) -> bool:
    """Whether what follows is not what stands behind: instructions have two or four bytes."""
    return following != next((address + size for size in (2, 4) if address + size in program), -1)


def cycles(core: str, instruction: Instruction, *, jumps: bool) -> tuple[int, int]:
    """The least and the most cycles of one execution; jumps: whether a branch was taken."""
    name = instruction.name
    if core == "cortex_m3" and name in _MULTIPLIED_ON_M3:
        return _MULTIPLIED_ON_M3[name]
    if core in ("cortex_m3", "cortex_m4"):
        return _cycles_v7(name, instruction, jumps)
    refill = 1 if core == "cortex_m0plus" else 2  # stages of the pipeline that a branch fills again
    if _SINGLE_LOADS.match(name):
        return (2, 2)
    if name in ("push", "pop") or _MULTIPLE.match(name):
        found = 1 + instruction.registers + (1 + refill if instruction.writes_pc else 0)
        return (found, found)
    if name == "bl":
        return (2 + refill, 2 + refill)
    taken = 1 + refill if jumps or name in ("bx", "blx") else 1
    return (taken, taken)


def _cycles_v7(name: str, instruction: Instruction, jumps: bool) -> tuple[int, int]:
    """Cortex-M3 and M4. A refill takes 1 to 3 cycles; a load or store behind another takes one cycle less."""
    refill = (1, 3) if jumps else (0, 0)
    if _SINGLE_LOADS.match(name):
        return (1 + refill[0], 2 + refill[1])
    if _DOUBLE.match(name):
        return (2, 3)
    if name in ("push", "pop") or _MULTIPLE.match(name):
        found = 1 + instruction.registers
        return (found - 1 + refill[0], found + refill[1])
    if name in ("udiv", "sdiv"):
        return (2, 12)
    if name.startswith("it"):
        return (0, 1)
    if name in ("tbb", "tbh"):
        return (2 + refill[0], 2 + refill[1])
    return (1 + refill[0], 1 + refill[1])
