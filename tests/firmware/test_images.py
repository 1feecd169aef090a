"""The images PlatformIO builds: what is in them, how much of the board they take, and that they boot."""

from __future__ import annotations

import asyncio
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from elftools.elf.elffile import ELFFile
from emulated_images import build_test_image, linker_arguments, switched_on

from images import built_image
from jaragua.boards import environment
from jaragua.emulate import EmulatedBoard, NativeBoard, QemuBoard
from jaragua.serial import Board
from jaragua.wire.definitions import Operator, ResetCause
from jaragua.wire.messages import Health, Identity
from jaragua_bench.emulated.float_code import float_code

RAM = range(0x2000_0000, 0x2004_0000)
FLASH = range(0x0010_0000)
STACK_BYTES = 4096
LINE = re.compile(rb"jaragua \S+ qemu_m4 digits protocol \d+\.\d+\r\n\0")


@contextmanager
def _elf(path: Path) -> Iterator[ELFFile]:
    with path.open("rb") as file:
        yield ELFFile(file)


def _symbols(path: Path) -> dict[str, int]:
    with _elf(path) as elf:
        return {symbol.name: symbol["st_value"] for symbol in elf.get_section_by_name(".symtab").iter_symbols()}


def _loaded_sections(path: Path) -> dict[str, tuple[int, int]]:
    """Name -> address and size of each section that takes memory."""
    with _elf(path) as elf:
        return {s.name: (s["sh_addr"], s["sh_size"]) for s in elf.iter_sections() if s["sh_flags"] & 2}


def test_sections_lie_in_the_memory_of_the_board(qemu_m4_image: Path) -> None:
    """QEMU does not enforce the RAM size; the linker script does."""
    for name, (address, size) in _loaded_sections(qemu_m4_image).items():
        memory = RAM if address >= RAM.start else FLASH
        assert address in memory, name
        assert address + size <= memory.stop, name


def test_the_stack_is_reserved_below_everything_else_in_ram(qemu_m4_image: Path) -> None:
    """Running over its end leaves the RAM and faults; so no variable can be changed by it."""
    assert _loaded_sections(qemu_m4_image)[".stack"] == (RAM.start, STACK_BYTES)


def test_nothing_in_the_image_can_allocate(qemu_m4_image: Path) -> None:
    """L4.9: nothing is allocated after boot."""
    allocators = re.compile(r"_?(malloc|calloc|realloc|free|sbrk)(_r)?$|_sbrk(_r)?$")
    assert [name for name in _symbols(qemu_m4_image) if allocators.match(name)] == []


def test_nothing_in_the_image_computes_in_float(qemu_m4_image: Path) -> None:
    """No float instruction and no soft-float symbol, not only in the training path."""
    assert float_code(qemu_m4_image) == []


def test_too_much_for_the_ram_does_not_link(qemu_m4_image: Path, tmp_path: Path) -> None:
    """The size of every section, the stack included, is checked before anyone flashes."""
    source = tmp_path / "greedy.c"
    source.write_text("char greedy[256 * 1024 - 64 - 4096 + 1];\nvoid jrg_port_reset(void) { greedy[0] = 1; }\n")
    linking = ["-nostdlib", *linker_arguments(environment("qemu_m4"))]
    command = ["arm-none-eabi-gcc", "-mcpu=cortex-m4", *linking, str(source), "-o", "greedy.elf"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "region `RAM' overflowed" in done.stderr


@pytest.mark.board
def test_the_emulated_board_boots_and_says_one_line(qemu_m4_image: Path) -> None:
    """L1.4."""
    with switched_on(qemu_m4_image) as terminal:
        assert LINE.match(terminal.read_until(b"\0"))


@pytest.mark.board
def test_a_stack_overrun_restarts_the_board(tmp_path: Path) -> None:
    """QEMU itself swallows writes below the RAM; the port's guard makes them a fault."""
    with switched_on(build_test_image("stack_overrun.c", tmp_path)) as terminal:
        assert terminal.read_until(b"\n") == b"restarted by a fault\n"


async def _identify(emulated: EmulatedBoard) -> tuple[Identity, Health]:
    with emulated:
        async with Board(emulated.url) as board:
            return board.identity, await board.health()


@pytest.mark.board
def test_the_board_says_what_it_is(qemu_m4_image: Path) -> None:
    """L4.1, L4.8: what identify and health tell is what the linker and the launcher know."""
    identity, health = asyncio.run(_identify(QemuBoard(qemu_m4_image, b"\1\2\3\4\5\6\7\x08")))
    symbols = _symbols(qemu_m4_image)
    assert identity.uid == b"\1\2\3\4\5\6\7\x08"
    assert identity.ram_bytes == symbols["jrg_port_ram_bytes"]
    assert identity.flash_bytes == symbols["jrg_port_flash_bytes"]
    assert identity.reset_cause == ResetCause.POWER_ON
    assert health.stack_bytes == STACK_BYTES
    assert health.stack_free_bytes > STACK_BYTES // 4


def test_another_model_builds_beside_the_default(native_image: Path) -> None:
    """JARAGUA_MODEL names the model of an image and gives it a build folder of its own."""
    sine = built_image("native", "sine")
    assert sine != native_image
    assert asyncio.run(_identify(NativeBoard(sine)))[0].model == "sine"
    assert asyncio.run(_identify(NativeBoard(native_image)))[0].model == "digits"


def test_an_image_with_sums_builds_beside_the_others(native_image: Path) -> None:
    """A11.1: JARAGUA_ACCUMULATE=1 is what identify tells, and the weights fit both images."""
    identity = asyncio.run(_identify(NativeBoard(built_image("native", "digits", accumulate=True))))[0]
    plain = asyncio.run(_identify(NativeBoard(native_image)))[0]
    assert [one.operators >> Operator.ACCUMULATION & 1 for one in (plain, identity)] == [0, 1]
    assert identity.architecture == plain.architecture
    assert identity.arena_bytes - plain.arena_bytes == 4 * 2410
