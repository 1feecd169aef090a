"""QEMU's arguments for an emulated board; docs/design/emulator.md says why each is there."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Final

from jaragua.boards import Environment
from jaragua.emulate.elf import Image

#: Debian's package of each program.
PACKAGES: Final = {"qemu-system-arm": "qemu-system-arm", "qemu-system-riscv32": "qemu-system-misc"}
UID_BYTES: Final = 8
_BOOT_MAGIC: Final = int.from_bytes(b"JRGB", "little")
#: One instruction takes 2^7 ns of the board's time.
_COUNT_SHIFT: Final = 7
_NS_PER_MS: Final = 1_000_000


@dataclass(frozen=True)
class BootIdentity:
    """What a board finds in its boot block. uid: 8 bytes; nonce: 32 bits, another one at every start."""

    uid: bytes
    nonce: int


def arguments(board: Environment, image: Path, listening_fd: int, start: BootIdentity) -> list[str]:
    """The command line of one board: `listening_fd` is an open listening socket."""
    loaded = ("-bios", "none") if board.qemu.endswith("riscv32") else ()
    return [
        board.qemu,
        *("-M", board.machine, *loaded, "-kernel", str(image)),
        *("-display", "none", "-monitor", "none", "-nodefaults"),
        *("-icount", f"shift={_COUNT_SHIFT},sleep=on,align=off"),
        *("-chardev", f"socket,id=uart,fd={listening_fd},server=on,wait=off,nodelay=on"),
        *(word for _ in range(board.uart) for word in ("-serial", "null")),
        *("-serial", "chardev:uart"),
        *_boot_block(board, Image(image).address("jrg_port_boot_block"), start),
    ]


def boot_words(board: Environment, start: BootIdentity, ns_per_instruction: int = 1 << _COUNT_SHIFT) -> list[int]:
    """The boot block's words (firmware/ports/bare/jrg_boot.h), up to the last that is not 0."""
    ticks = Fraction(ns_per_instruction * board.clock_khz, _NS_PER_MS)
    uid = [int.from_bytes(start.uid[at : at + 4], "little") for at in (0, 4)]
    return [_BOOT_MAGIC, ticks.numerator << 16 | ticks.denominator, *uid, start.nonce, board.clock_khz]


def _boot_block(board: Environment, address: int, start: BootIdentity) -> list[str]:
    words = boot_words(board, start)
    return [word for number, value in enumerate(words) for word in _loader(address + 4 * number, value)]


def _loader(address: int, data: int) -> tuple[str, str]:
    return "-device", f"loader,addr=0x{address:08x},data=0x{data:08x},data-len=4"


def without_chatter(text: str) -> str:
    """QEMU's standard error without the line that means nothing: the machine's network card has no network here."""
    return "\n".join(line for line in text.splitlines() if "has no peer" not in line)
