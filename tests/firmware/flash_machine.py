"""A board's own machine code on an emulated core (Unicorn), with a model of its flash controller beside it.

Unicorn has cores and memory, and no devices: what the code reads and writes of the chip's registers is asked of the
model. Functions of an image are called by name, one by one; the image is not started.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from elftools.elf.elffile import ELFFile
from unicorn import (
    UC_ARCH_ARM,
    UC_HOOK_CODE,
    UC_HOOK_MEM_WRITE,
    UC_MODE_MCLASS,
    UC_MODE_THUMB,
    UC_PROT_EXEC,
    UC_PROT_NONE,
    UC_PROT_READ,
    Uc,
    UcError,
)
from unicorn.arm_const import (
    UC_ARM_REG_LR,
    UC_ARM_REG_PC,
    UC_ARM_REG_PRIMASK,
    UC_ARM_REG_R0,
    UC_ARM_REG_R1,
    UC_ARM_REG_R2,
    UC_ARM_REG_R3,
    UC_ARM_REG_SP,
    UC_CPU_ARM_CORTEX_M0,
    UC_CPU_ARM_CORTEX_M3,
    UC_CPU_ARM_CORTEX_M4,
    UC_CPU_ARM_CORTEX_M7,
    UC_CPU_ARM_CORTEX_M33,
)

from jaragua.boards import Environment
from jaragua.emulate.elf import Image

CORES = {
    "cortex_m0": UC_CPU_ARM_CORTEX_M0,
    "cortex_m0plus": UC_CPU_ARM_CORTEX_M0,  # the same instructions
    "cortex_m3": UC_CPU_ARM_CORTEX_M3,
    "cortex_m4": UC_CPU_ARM_CORTEX_M4,
    "cortex_m7": UC_CPU_ARM_CORTEX_M7,
    "cortex_m33": UC_CPU_ARM_CORTEX_M33,
}
ARGUMENTS = (UC_ARM_REG_R0, UC_ARM_REG_R1, UC_ARM_REG_R2, UC_ARM_REG_R3)
BLOCK = 4096
#: Of one call, at most: a loop that waits for ever ends here.
INSTRUCTIONS = 20_000_000


class Machine:
    """Core, RAM, flash with the image, and whatever a model of devices adds."""

    def __init__(self, board: Environment, path: Path) -> None:
        self.board = board
        self.symbols = Image(path)
        self.core = Uc(UC_ARCH_ARM, UC_MODE_THUMB | UC_MODE_MCLASS, CORES[board.core])
        self._segments = _segments(path)
        self._failure: Exception | None = None
        self._undone: list[tuple[int, bytes]] = []
        self.keep_start = self.symbols.address("jrg_port_keep_start")
        self.core.mem_map(board.flash.origin, board.flash.size_bytes, UC_PROT_READ | UC_PROT_EXEC)
        self.core.mem_protect(self.keep_start, board.keep_bytes)
        self.core.mem_map(board.ram.origin, board.ram.size_bytes)
        self.core.mem_write(self.keep_start, b"\xff" * board.keep_bytes)
        for address, _, data in self._segments:
            self.core.mem_write(address, data)
        self.start()
        self._free = self.symbols.address("jrg_port_bss_start") + 7 & ~7
        self._end = board.ram.origin + board.ram.size_bytes - 64  # of the RAM, above which a call returns

    def start(self) -> None:
        """As after a reset: variables have their first values, and code that runs from RAM is there."""
        self.core.mem_write(self.board.ram.origin, bytes(self.board.ram.size_bytes))
        for stored_at, address, data in self._segments:
            if stored_at != address:
                self.core.mem_write(address, data)
        self.core.reg_write(UC_ARM_REG_PRIMASK, 0)

    def add_device(self, address: int, read: Callable[[int], int], write: Callable[[int, int], None]) -> None:
        """read(offset) and write(offset, value) of 32-bit registers. Whatever else is done with them is an error."""

        def reads(_core: Uc, offset: int, size: int, _data: Any) -> int:
            assert size == 4 or self._failure, f"a register is read with {8 * size} bits"
            return self._ask(read, offset) or 0

        def writes(_core: Uc, offset: int, size: int, value: int, _data: Any) -> None:
            assert size == 4 or self._failure, f"a register is written with {8 * size} bits"
            self._ask(write, offset, value)

        self.core.mmio_map(address, BLOCK, reads, None, writes, None)

    def on_write(self, address: int, size_bytes: int, told: Callable[[int, int, int], None]) -> None:
        """told(address, size, value) before the core writes there. What it writes after an exception is undone."""

        def writes(_core: Uc, _kind: int, address: int, size: int, value: int, _data: Any) -> None:
            if self._failure:
                self._undone.append((address, bytes(self.core.mem_read(address, size))))
            self._ask(told, address, size, value)

        self.core.hook_add(UC_HOOK_MEM_WRITE, writes, None, address, address + size_bytes - 1)

    def on_code(self, address: int, size_bytes: int, told: Callable[[int], None]) -> None:
        """told(address) before an instruction there is run."""
        self.core.hook_add(
            UC_HOOK_CODE,
            lambda _core, at, _size, _data: self._ask(told, at),
            None,
            address,
            address + size_bytes - 1,
        )

    def _ask(self, model: Callable[..., Any], *arguments: int) -> Any:
        """The core stops some instructions after an exception; meanwhile nobody is asked."""
        if self._failure:
            return None
        try:
            return model(*arguments)
        except Exception as failure:  # noqa: BLE001 - it comes out of `call_at`
            self._failure = failure
            self.core.emu_stop()
            return None

    def call(self, name: str, *arguments: int) -> int:
        """What the function of that name returns. Exceptions of a model's functions come out of it."""
        return self.call_at(self.symbols.address(name), *arguments)

    def call_at(self, address: int, *arguments: int) -> int:
        """The same of a function by its address."""
        pushed = arguments[4:]
        stack = self.symbols.address("jrg_port_stack_top") - (4 * len(pushed) + 7 & ~7)
        self.write_words(stack, pushed)
        self.core.reg_write(UC_ARM_REG_SP, stack)
        for register, value in zip(ARGUMENTS, arguments, strict=False):
            self.core.reg_write(register, value)
        self.core.reg_write(UC_ARM_REG_LR, self._end | 1)
        stopped: UcError | None = None
        try:
            self.core.emu_start(address | 1, self._end, count=INSTRUCTIONS)
        except UcError as error:
            stopped = error
        if self._failure:
            failure, self._failure = self._failure, None
            while self._undone:
                self.core.mem_write(*self._undone.pop())
            raise failure
        if stopped:
            raise stopped
        assert self.core.reg_read(UC_ARM_REG_PC) == self._end, "it does not come back"
        return int(self.core.reg_read(UC_ARM_REG_R0))

    def are_interrupts_off(self) -> bool:
        """PRIMASK."""
        return bool(self.core.reg_read(UC_ARM_REG_PRIMASK) & 1)

    def set_readable(self, address: int, size_bytes: int, is_readable: bool) -> None:
        """Whether code can be read there; if it is, the call ends with UcError."""
        self.core.mem_protect(address, size_bytes, UC_PROT_READ | UC_PROT_EXEC if is_readable else UC_PROT_NONE)

    def reserve(self, size_bytes: int) -> int:
        """Bytes of RAM where the image's variables would be if it ran; `start` clears them.

        Flash functions and jrg_keep have no variables that last. The smallest board has no other RAM left.
        """
        address, self._free = self._free, self._free + (size_bytes + 7 & ~7)
        assert self._free <= self._end, "the board has no RAM left for what the test saves"
        return address

    def words(self, address: int, count: int) -> list[int]:
        return list(struct.unpack(f"<{count}I", self.core.mem_read(address, 4 * count)))

    def write_words(self, address: int, words: Sequence[int]) -> None:
        self.core.mem_write(address, struct.pack(f"<{len(words)}I", *words))


def _segments(path: Path) -> list[tuple[int, int, bytes]]:
    """Where a loader puts them, where they are used, and their bytes."""
    with path.open("rb") as file:
        loaded = [one for one in ELFFile(file).iter_segments() if one["p_type"] == "PT_LOAD" and one["p_filesz"]]
        return [(one["p_paddr"], one["p_vaddr"], one.data()) for one in loaded]
