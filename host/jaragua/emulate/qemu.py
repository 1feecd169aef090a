"""QEMU's arguments for the emulated Cortex-M4; docs/design/emulator.md says why each is there."""

from __future__ import annotations

from pathlib import Path
from typing import Final

PROGRAM: Final = "qemu-system-arm"
UID_BYTES: Final = 8
#: Words of the boot block (docs/design/emulator.md).
_BOOT_MAGIC_AT: Final = 0x2003FFC0
_UID_AT: Final = 0x2003FFC8
_NONCE_AT: Final = 0x2003FFD0
_BOOT_MAGIC: Final = int.from_bytes(b"JRGB", "little")
#: One instruction takes 2^7 ns of the board's time.
_COUNT_SHIFT: Final = 7


def arguments(image: Path, listening_fd: int, uid: bytes, nonce: int) -> list[str]:
    """The command line of one board: `listening_fd` is an open listening socket, `uid` 8 bytes, `nonce` 32 bits."""
    return [
        PROGRAM,
        *("-M", "mps2-an386", "-kernel", str(image)),
        *("-display", "none", "-monitor", "none", "-nodefaults"),
        *("-icount", f"shift={_COUNT_SHIFT},sleep=on,align=off"),
        *("-chardev", f"socket,id=uart,fd={listening_fd},server=on,wait=off,nodelay=on"),
        *("-serial", "chardev:uart"),
        *_loader(_BOOT_MAGIC_AT, _COUNT_SHIFT << 32 | _BOOT_MAGIC, 8),
        *_loader(_UID_AT, int.from_bytes(uid, "little"), UID_BYTES),
        *_loader(_NONCE_AT, nonce, 4),
    ]


def _loader(address: int, data: int, data_bytes: int) -> tuple[str, str]:
    return "-device", f"loader,addr=0x{address:08x},data=0x{data:0{2 * data_bytes}x},data-len={data_bytes}"


def without_chatter(text: str) -> str:
    """QEMU's standard error without the line that means nothing: the machine's network card has no network here."""
    return "\n".join(line for line in text.splitlines() if "has no peer" not in line)
