"""Whether the bytes of an image are for an environment (M41). Pure."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Final

from jaragua.boards import Environment, Region
from jaragua.errors import ToolError

#: M40: below the packet limit of the brokers that Jaragua configures (8 MiB).
MOST_BYTES: Final = 6 * 2**20

#: ELF (System V ABI, chapter 4): e_machine, and a program header's p_type, p_paddr and p_filesz.
_MACHINES: Final = {"x86_64": 62, "aarch64": 183, "armv7l": 40, "armv6l": 40, "riscv64": 243, "i686": 3}
_ARM, _RISC_V = 40, 243
_HEADER: Final = struct.Struct("<16sHHIIIIIHHH")
_PROGRAM_HEADER: Final = struct.Struct("<8I")
_LOADED: Final = 1
_UF2_BLOCK: Final = struct.Struct("<8I476xI")
_UF2_MAGIC: Final = (0x0A324655, 0x9E5D5157, 0x0AB16F30)
_HEX_DATA, _HEX_SEGMENT, _HEX_LINEAR = 0, 2, 4


def check(image: bytes, board: Environment, form: str, processor: str) -> None:
    """Raises: ToolError with what is wrong. form: elf, hex, bin or uf2; processor: as `platform.machine()` names it."""
    problem = _problem(image, board, form, processor)
    if problem:
        raise ToolError(f"the image is not one for {board.name}: {problem}", f"build it for {board.name}")


def _problem(image: bytes, board: Environment, form: str, processor: str) -> str:
    if not image:
        return "it is empty"
    if len(image) > MOST_BYTES:
        return f"it has {len(image):,} bytes, {MOST_BYTES:,} are possible"
    try:
        return _FORMS[form](image, board, processor)
    except (struct.error, ValueError, IndexError):
        return f"it is damaged, or no {form.upper()} file"


def _elf(image: bytes, board: Environment, processor: str) -> str:
    if not image.startswith(b"\x7fELF"):
        return "it is no ELF file"
    machine = struct.unpack_from("<H", image, 18)[0]
    if board.core == "host":
        wanted = _MACHINES.get(processor)
        return f"it is not for this computer's processor ({processor})" if wanted not in (None, machine) else ""
    if machine != (_RISC_V if board.core.startswith("rv") else _ARM):
        return f"it is for another processor (number {machine})"
    if board.name.encode() + b"\0" not in image:
        return "it does not name this board"
    outside = next((place for place, _ in _loaded(image) if not _is_in(place, board.flash)), None)
    return "" if outside is None else f"it has bytes at 0x{outside:08x}, outside of the board's flash"


def _loaded(image: bytes) -> Iterator[tuple[int, int]]:
    """Address and size of each part that an ELF file of 32 bits puts into memory."""
    fields = _HEADER.unpack_from(image)
    offset, entry_bytes, count = fields[5], fields[9], fields[10]
    for number in range(count):
        kind, _, _, place, size_bytes, *_ = _PROGRAM_HEADER.unpack_from(image, offset + number * entry_bytes)
        if kind == _LOADED and size_bytes:
            yield place, size_bytes


def _uf2(image: bytes, board: Environment, processor: str) -> str:
    for first, second, _, place, size_bytes, _, _, found, last in _UF2_BLOCK.iter_unpack(image):
        if (first, second, last) != _UF2_MAGIC:
            return "it is no UF2 file"
        if found != board.uf2_family:
            return f"it is for another family of chips (0x{found:08x})"
        if not (_is_in(place, board.flash) and _is_in(place + size_bytes - 1, board.flash)):
            return f"it has bytes at 0x{place:08x}, outside of the board's flash"
    return ""


def _hex(image: bytes, board: Environment, processor: str) -> str:
    base = 0
    for line in image.split():
        if line[:1] != b":":
            return "it is no HEX file"
        record = bytes.fromhex(line[1:].decode("ascii"))
        size_bytes, kind = record[0], record[3]
        if sum(record) & 0xFF or len(record) != size_bytes + 5:
            return "a checksum in it is wrong"
        data = record[4:-1]
        if kind in (_HEX_SEGMENT, _HEX_LINEAR):
            base = int.from_bytes(data, "big") << (4 if kind == _HEX_SEGMENT else 16)
        elif kind == _HEX_DATA:
            place = base + int.from_bytes(record[1:3], "big")
            if not (_is_in(place, board.flash) and _is_in(place + size_bytes - 1, board.flash)):
                return f"it has bytes at 0x{place:08x}, outside of the board's flash"
    return ""


def _bin(image: bytes, board: Environment, processor: str) -> str:
    if not board.flash.size_bytes:  # a vendor's framework knows where
        return ""
    if len(image) > board.flash.size_bytes:
        return f"it has {len(image):,} bytes, the board's flash {board.flash.size_bytes:,}"
    stack, start = struct.unpack_from("<2I", image)
    if not (_is_in(stack - 4, board.ram) and _is_in(start, board.flash)):
        return "it does not begin with the vectors of this board"
    return ""


def _is_in(place: int, region: Region) -> bool:
    return region.origin <= place < region.origin + region.size_bytes


_FORMS: Final = {"elf": _elf, "uf2": _uf2, "hex": _hex, "bin": _bin}
