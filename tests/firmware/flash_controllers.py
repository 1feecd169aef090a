"""Models of flash controllers, after the manuals, that take no mistake: what a manual forbids is an AssertionError.

The power fails in the middle of an operation, if `operations_left` says so: PowerCut. An erase that is cut leaves each
bit old or erased, and a write that is cut has cleared some of its bits, as in firmware/test/test_keep.c.
"""

from __future__ import annotations

import struct
from typing import Any, ClassVar

import numpy as np
from flash_machine import ARGUMENTS, Machine
from unicorn.arm_const import UC_ARM_REG_LR, UC_ARM_REG_R0

#: How often a controller that works is seen to be busy.
POLLS = 3
EVERYTHING = 1 << 62
RANDOM_SEED = 20_261_130


class PowerCut(Exception):
    """The power is gone."""


class Flash:
    """Cells: erasing sets bits, writing clears them. `unit_bytes` are written at once, `page_bytes` erased."""

    page_bytes: int
    unit_bytes: int

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self.operations = 0
        self.operations_left = EVERYTHING
        self.erases: dict[int, int] = {}
        self.feeds = 0  # of the watchdog
        self._random = np.random.default_rng(RANDOM_SEED)

    def cells(self, address: int, size_bytes: int) -> np.ndarray[Any, Any]:
        return np.frombuffer(bytes(self.machine.core.mem_read(address, size_bytes)), np.uint8)

    def erase_page(self, page: int) -> None:
        """Of the pages that are kept; the watchdog has been fed since the erase before."""
        assert 0 <= page < self.machine.board.keep_bytes // self.page_bytes, f"page {page} is not the board's to erase"
        assert self.feeds > sum(self.erases.values()), "the watchdog was not fed before an erase"
        address = self.machine.keep_start + page * self.page_bytes
        self.erases[page] = self.erases.get(page, 0) + 1
        old = self.cells(address, self.page_bytes)
        self._change(address, old, np.full_like(old, 0xFF))

    def write_unit(self, address: int, old: bytes, new: bytes, *, onto_anything: bool) -> None:
        """old: what the cells hold; onto_anything: False where only erased cells take what is written."""
        assert len(new) == self.unit_bytes, f"{len(new)} bytes are written at once, not {self.unit_bytes}"
        assert address % self.unit_bytes == 0
        before, after = np.frombuffer(old, np.uint8), np.frombuffer(new, np.uint8)
        assert onto_anything or (before == 0xFF).all(), "it was not erased"
        self._change(address, before, before & after)

    def _change(self, address: int, old: np.ndarray[Any, Any], new: np.ndarray[Any, Any]) -> None:
        self.operations += 1
        self.operations_left -= 1
        is_cut = self.operations_left < 0
        mixture = self._random.integers(0, 256, old.size, np.uint8) if is_cut else np.uint8(0)
        self.machine.core.mem_write(address, (new ^ ((old ^ new) & mixture)).tobytes())
        if is_cut:
            raise PowerCut

    def start(self) -> None:
        """A reset: the cells stay."""
        self.machine.start()
        self.operations_left = EVERYTHING
        self.feeds = sum(self.erases.values())

    def end_of_call(self) -> None:
        """Nothing is under way, and nothing is left open."""

    def feed(self, _offset: int, _value: int) -> None:
        self.feeds += 1


def _nothing(_offset: int) -> int:
    return 0


class Nrf(Flash):
    """nRF51 Series Reference Manual, 6, and nRF52840 product specification, NVMC: a mode, and a page by its address."""

    unit_bytes = 4
    reading, writing, erasing = 0, 1, 2

    def __init__(self, machine: Machine) -> None:
        super().__init__(machine)
        machine.add_device(0x4001E000, self._read, self._write)
        machine.add_device(0x40010000, _nothing, self.feed)
        machine.on_write(machine.keep_start, machine.board.keep_bytes, self._on_cells)
        self._reset()

    def _reset(self) -> None:
        self.mode, self.polls = self.reading, 0
        self.written: tuple[int, bytes, bytes] | None = None

    def start(self) -> None:
        super().start()
        self._reset()

    @property
    def is_busy(self) -> bool:
        return self.polls > 0 or self.written is not None

    def end_of_call(self) -> None:
        assert self.mode == self.reading
        assert not self.is_busy

    def _read(self, offset: int) -> int:
        assert offset == 0x400
        if self.written:
            (address, old, new), self.written = self.written, None
            self.write_unit(address, old, new, onto_anything=False)
        self.polls = max(0, self.polls - 1)
        return int(self.polls == 0)

    def _write(self, offset: int, value: int) -> None:
        assert offset in (0x504, 0x508)
        assert not self.is_busy or (offset == 0x504 and value == self.reading), "a register is written while it is busy"
        if offset == 0x504:
            assert value in (self.reading, self.writing, self.erasing)
            self.mode = value
            return
        assert self.mode == self.erasing, "it erases in its mode for that only"
        assert value % self.page_bytes == 0
        self.erase_page((value - self.machine.keep_start) // self.page_bytes)
        self.polls = POLLS

    def _on_cells(self, address: int, size: int, value: int) -> None:
        assert self.mode == self.writing, "it writes in its mode for that only"
        assert not self.is_busy, "a word is written while it is busy"
        assert self.may_write(), "the framework's memory protection forbids it"
        old = bytes(self.machine.core.mem_read(address, size))
        self.written = (address, old, (value & (1 << 8 * size) - 1).to_bytes(size, "little"))
        self.polls = POLLS

    def may_write(self) -> bool:
        return True


class Nrf51(Nrf):
    """Pages of 1 KB."""

    page_bytes = 1024


class Nano(Nrf):
    """Pages of 4 KB, and the framework's lock of the flash (firmware/test/keep/keep_nano.cpp)."""

    page_bytes = 4096

    def __init__(self, machine: Machine) -> None:
        super().__init__(machine)
        machine.add_device(0x400D0000, _nothing, self._count)

    def _reset(self) -> None:
        super()._reset()
        self.is_counted_in = False

    def _count(self, _offset: int, value: int) -> None:
        assert self.is_counted_in != bool(value)
        self.is_counted_in = bool(value)

    def may_write(self) -> bool:
        return self.is_counted_in

    def end_of_call(self) -> None:
        super().end_of_call()
        assert not self.is_counted_in


KEY_1, KEY_2 = 0x45670123, 0xCDEF89AB


class Stm32(Flash):
    """What F1, F4 and F7 share: keys, lock, busy, and a write to the cells while programming is on."""

    registers: int
    lock_bit: int
    start_bit: int
    errors: int
    busy_bit: int
    program_bits: int
    takes_what_is_not_erased: bool

    def __init__(self, machine: Machine) -> None:
        super().__init__(machine)
        machine.add_device(self.registers & ~0xFFF, self._read, self._write)
        machine.add_device(0x40003000, _nothing, self.feed)
        machine.on_write(machine.keep_start, machine.board.keep_bytes, self._on_cells)
        self._reset()

    def _reset(self) -> None:
        self.control, self.state, self.polls, self.keys = self.lock_bit, self.errors, 0, 0
        self.access = 1 << 10 | 5
        self.written: tuple[int, bytes, bytes] | None = None

    def start(self) -> None:
        super().start()
        self._reset()

    @property
    def is_locked(self) -> bool:
        return bool(self.control & self.lock_bit)

    @property
    def is_busy(self) -> bool:
        return self.polls > 0 or self.written is not None

    def end_of_call(self) -> None:
        assert self.is_locked, "the controller is left unlocked"
        assert not self.is_busy, "it is still busy"

    def _read(self, offset: int) -> int:
        offset -= self.registers & 0xFFF
        if offset == 0x0C:
            return self._state()
        assert self.polls == 0 or offset == 0, "another register than the state is read while it is busy"
        if offset == 0:
            return self.access
        assert offset in (0x10, 0x14), f"nobody needs register {offset:#x}"
        return self.control if offset == 0x10 else self.options()

    def options(self) -> int:
        """The register of option bytes."""
        raise AssertionError("nobody needs it")

    def _state(self) -> int:
        """The cells have changed when it is no longer busy."""
        if self.written:
            (address, old, new), self.written = self.written, None
            self.write_unit(address, old, new, onto_anything=self.takes_what_is_not_erased)
        self.polls = max(0, self.polls - 1)
        return self.state | (self.busy_bit if self.polls else 0)

    def _write(self, offset: int, value: int) -> None:
        offset -= self.registers & 0xFFF
        assert not self.is_busy, "a register is written while it is busy"
        if offset == 0x04:
            self._take_key(value)
        elif offset == 0x0C:
            assert value & ~self.errors == 0
            self.state &= ~value
        elif offset == 0x10:
            self._take_control(value)
        elif offset == 0x00:
            self.access = value
        else:
            self.take_other(offset, value)

    def _take_key(self, value: int) -> None:
        assert self.is_locked, "keys come to what is unlocked, which locks it until a reset"
        assert value == (KEY_1, KEY_2)[self.keys], "a wrong key locks it until a reset"
        self.keys += 1
        if self.keys == 2:
            self.control &= ~self.lock_bit
            self.keys = 0

    def _take_control(self, value: int) -> None:
        if value == self.lock_bit:
            self.control = value
            return
        assert not self.is_locked, "it is locked"
        assert self.state & self.errors == 0, "errors of before are not cleared"
        before, self.control = self.control, value
        if value & self.start_bit:
            assert before == value & ~self.start_bit, "what is to be done is said before it is started"
            self.erase_page(self.page_to_erase())
            self.polls = POLLS
            self.control &= ~self.start_bit

    def page_to_erase(self) -> int:
        raise NotImplementedError

    def take_other(self, offset: int, value: int) -> None:
        raise AssertionError(f"nobody needs register {offset:#x}")

    def _on_cells(self, address: int, size: int, value: int) -> None:
        """Called before the core's memory changes; `_state` makes of it what the cells are."""
        assert not self.is_busy, "a word is written while it is busy"
        assert not self.is_locked, "a word is written while it is locked"
        assert self.control == self.program_bits, "a word is written while programming is off, or with another width"
        old = bytes(self.machine.core.mem_read(address, size))
        self.written = (address, old, (value & (1 << 8 * size) - 1).to_bytes(size, "little"))
        self.polls = POLLS


class Stm32F1(Stm32):
    """PM0075 and PM0063: pages of 1 KB by address; half-words, on erased ones only."""

    registers = 0x40022000
    page_bytes, unit_bytes = 1024, 2
    lock_bit, start_bit, errors, busy_bit, program_bits = 1 << 7, 1 << 6, 1 << 2 | 1 << 4, 1, 1
    takes_what_is_not_erased = False
    address = 0
    size_kb = 64

    def __init__(self, machine: Machine) -> None:
        super().__init__(machine)
        machine.add_device(0x1FFFF000, self._read_size, lambda _offset, _value: None)

    def _read_size(self, offset: int) -> int:
        """The upper half of the word is nobody's."""
        assert offset == 0x7E0
        return 0xABCD0000 | self.size_kb

    def take_other(self, offset: int, value: int) -> None:
        assert offset == 0x14
        assert not self.is_locked, "it is locked"
        self.address = value

    def page_to_erase(self) -> int:
        assert self.control == 1 << 6 | 1 << 1, "it is told to erase a page"
        return (self.address - self.machine.keep_start) // self.page_bytes


class Stm32F4(Stm32):
    """RM0090: sectors by number, 16 KB four times, 64 KB, then 128 KB each; words where PSIZE says so."""

    registers = 0x40023C00
    page_bytes, unit_bytes = 128 * 1024, 4
    lock_bit, start_bit, errors, busy_bit = 1 << 31, 1 << 16, 1 << 1 | 15 << 4, 1 << 16
    program_bits = 1 | 2 << 8
    takes_what_is_not_erased = True
    last_sector_bits = 4
    sizes_kb = (16, 16, 16, 16, 64)

    def page_to_erase(self) -> int:
        assert self.access & 1 << 10 == 0 or self.machine.board.core == "cortex_m7", "the data cache is on"
        sector = self.control >> 3 & (1 << self.last_sector_bits) - 1
        assert self.control == 1 << 16 | 1 << 1 | 2 << 8 | sector << 3, "it is told to erase a sector"
        sizes = [1024 * size for size in self.sizes_kb]
        while sum(sizes) < self.machine.board.flash.size_bytes:
            sizes.append(self.page_bytes)
        assert sector < len(sizes), f"it has no sector {sector}"
        begin = self.machine.board.flash.origin + sum(sizes[:sector]) - self.machine.keep_start
        assert (begin % self.page_bytes, sizes[sector]) == (0, self.page_bytes)
        return begin // self.page_bytes


class Stm32F7(Stm32F4):
    """RM0410, one bank: sectors of twice the size. OPTCR has what makes two banks of it."""

    page_bytes = 256 * 1024
    last_sector_bits = 5
    sizes_kb = (32, 32, 32, 32, 128)
    is_one_bank = True

    def options(self) -> int:
        return 1 << 29 if self.is_one_bank else 0


class Rp2(Flash):
    """What RP2040 and RP2350 share: the boot ROM's functions by their letters, in the one order that works."""

    page_bytes, unit_bytes = 4096, 256
    functions = ("IF", "EX", "RE", "RP", "FC")
    #: After which of them (OP: erase or write) which may come.
    order: ClassVar = {"": "IF", "IF": "EX", "IFEX": "RERP", "IFEXOP": "FC", "IFEXOPFC": ""}
    #: Where this ROM has what; a real one has it elsewhere, and who asks as the data sheet says does not mind.
    lookup_at, table_at, functions_at, end = 0x40, 0x60, 0x80, 0x100
    watchdog: int
    magic: bytes

    def __init__(self, machine: Machine, *, has_rom: bool = True) -> None:
        super().__init__(machine)
        machine.core.mem_map(0, 0x4000)
        if has_rom:
            machine.core.mem_write(0x10, self.magic)
            machine.core.mem_write(self.lookup_at, b"\x70\x47" * ((self.end - self.lookup_at) // 2))  # bx lr
        machine.on_code(self.lookup_at, self.end - self.lookup_at, self._on_rom)
        machine.add_device(self.watchdog, _nothing, self.feed)
        self.add_reader()
        self._reset()

    def add_reader(self) -> None:
        """What makes the flash readable, by a call of `read_again`."""
        raise NotImplementedError

    def letters(self, first: int, second: int) -> int:
        """The function that the two arguments of the lookup ask for."""
        raise NotImplementedError

    def _reset(self) -> None:
        self.done = ""  # since the flash was readable
        self._let_read(True)

    def start(self) -> None:
        self._let_read(True)
        super().start()
        self._reset()

    def end_of_call(self) -> None:
        assert self.done == ""
        assert not self.machine.are_interrupts_off()

    def read_again(self) -> None:
        assert self.done == "IFEXOPFC", "the flash is made readable in another order"
        assert self.machine.are_interrupts_off()
        self._reset()

    def _let_read(self, is_readable: bool) -> None:
        flash = self.machine.board.flash
        self.machine.set_readable(flash.origin, flash.size_bytes, is_readable)

    def _on_rom(self, address: int) -> None:
        first, second, third, fourth = (self.machine.core.reg_read(register) for register in ARGUMENTS)
        if address == self.lookup_at:
            code = self.letters(first, second)
            found = self.functions.index(chr(code & 0xFF) + chr(code >> 8))
            self.machine.core.reg_write(UC_ARM_REG_R0, self.functions_at + 4 * found | 1)
            return
        name = self.functions[(address - self.functions_at) // 4]
        caller = self.machine.core.reg_read(UC_ARM_REG_LR)
        assert caller >= self.machine.board.ram.origin, f"{name} is called from the flash"
        assert self.machine.are_interrupts_off(), "an interrupt would run from the flash"
        assert name in self.order[self.done], f"{name} after {self.done}"
        self.done += "OP" if name in ("RE", "RP") else name
        if name == "IF":
            self._let_read(False)
        elif name == "RE":
            self._erase(first, second, third, fourth)
        elif name == "RP":
            self._program(first, second, third)

    def _erase(self, offset: int, count: int, block_bytes: int, block_command: int) -> None:
        assert (offset % self.page_bytes, count) == (0, self.page_bytes), "sectors of 4 KB are erased"
        assert (block_bytes, block_command) == (1 << 16, 0xD8)
        self.erase_page((self.machine.board.flash.origin + offset - self.machine.keep_start) // self.page_bytes)

    def _program(self, offset: int, data: int, count: int) -> None:
        address = self.machine.board.flash.origin + offset
        assert data >= self.machine.board.ram.origin, "what is written is in RAM"
        assert address >= self.machine.keep_start
        assert count == self.unit_bytes
        new = bytes(self.machine.core.mem_read(data, count))
        self.write_unit(address, self.cells(address, count).tobytes(), new, onto_anything=True)


class Rp2040(Rp2):
    """RP2040 Datasheet, 2.8.3 and 4.10: the SSI makes the flash readable, as the image's own jrg_boot2 sets it."""

    watchdog = 0x40058000
    magic = b"Mu\1\0" + struct.pack("<HHH", Rp2.table_at, 0, Rp2.lookup_at | 1)
    #: CTRLR0, CTRLR1, BAUDR and SPI_CTRLR0.
    reading: ClassVar = {0x00: 0x001F0300, 0x04: 0, 0x14: 4, 0xF4: 0x03000218}

    def add_reader(self) -> None:
        self.ssi = {**self.reading, 0x08: 1}
        self.machine.add_device(0x18000000, lambda offset: self.ssi[offset], self._write_ssi)

    def letters(self, first: int, second: int) -> int:
        assert first == self.table_at
        return second

    def _write_ssi(self, offset: int, value: int) -> None:
        assert offset == 0x08 or self.ssi[0x08] == 0, "the SSI is set while it is on"
        self.ssi[offset] = value
        if offset == 0x08 and value == 1:
            assert {key: self.ssi[key] for key in self.reading} == self.reading
            self.read_again()


class Rp2350(Rp2):
    """RP2350 Datasheet, 5.4.1 and 5.4.8: what makes the flash readable is in the boot RAM, for a copy of it to run.

    The flash can be read slowly before that; this model does not let anybody.
    """

    watchdog = 0x400D8000
    magic = b"Mu\2\2" + struct.pack("<HHH", Rp2.table_at, Rp2.lookup_at | 1, 0)
    boot_ram = 0x400E0000
    #: This one's code: ldr r0, [pc, #4]; str r0, [r0]; bx lr; nop; and the address of a register of its own.
    code = struct.pack("<HHHHI", 0x4801, 0x6000, 0x4770, 0xBF00, 0x400D0000)

    def add_reader(self) -> None:
        self.machine.core.mem_map(self.boot_ram, 0x1000)
        self.machine.core.mem_write(self.boot_ram, self.code)
        self.machine.add_device(0x400D0000, _nothing, lambda _offset, _value: self.read_again())

    def letters(self, first: int, second: int) -> int:
        assert second == 4, "functions for secure code of its Arm cores"
        return first


CONTROLLERS: dict[str, type[Flash]] = {
    "bbcmicrobit": Nrf51,
    "nano33ble": Nano,
    "adafruit_feather_f405": Stm32F4,
    "nucleo_f446re": Stm32F4,
    "bluepill_f103c8": Stm32F1,
    "stm32vldiscovery": Stm32F1,
    "nucleo_f767zi": Stm32F7,
    "pico": Rp2040,
    "rpipico2": Rp2350,
}
