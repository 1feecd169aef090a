"""An image without what a debugger alone reads: most of a linked image, and nothing that an upload needs. Pure."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Final

_DEBUG: Final = b".debug_"
_ALIGNMENT: Final = 8
_WITHOUT_BYTES: Final = 8


@dataclass(frozen=True)
class _Layout:
    """Where fields of a class of ELF files are (System V ABI, chapter 4). address: the struct code of an address.

    tables: e_phoff, then e_shoff; counts: e_phentsize to e_shstrndx; the others are offsets within an entry.
    """

    address: str
    tables: int
    counts: int
    segment_offset: int
    segment_bytes: int
    section_offset: int

    def addresses(self, data: bytes | bytearray, at: int) -> tuple[int, int]:
        """Two addresses, one behind the other."""
        first, second = struct.unpack_from(f"<2{self.address}", data, at)
        return first, second

    def address_at(self, data: bytes | bytearray, at: int) -> int:
        """One address."""
        return int(struct.unpack_from(f"<{self.address}", data, at)[0])


#: By the fifth byte of a file: 32 bits, 64 bits.
_LAYOUTS: Final = {1: _Layout("I", 28, 42, 4, 16, 16), 2: _Layout("Q", 32, 54, 8, 32, 24)}


def stripped(image: bytes) -> bytes:
    """An ELF file (little endian) without its debug information; the symbols stay, which emulators read.

    Any other file is returned as it is, and so is one whose debug information does not lie behind all that is loaded.
    """
    if image[:4] != b"\x7fELF" or image[5:6] != b"\x01" or image[4] not in _LAYOUTS:
        return image
    try:
        return _without_debug(image, _LAYOUTS[image[4]])
    except (struct.error, IndexError):
        return image


def _without_debug(image: bytes, layout: _Layout) -> bytes:
    headers, names = _sections(image, layout)
    names_at = layout.address_at(headers[names], layout.section_offset)
    is_debug = [image.startswith(_DEBUG, names_at + struct.unpack_from("<I", one)[0]) for one in headers]
    starts = [layout.address_at(one, layout.section_offset) for one in headers]
    cut = min((start for start, leaves in zip(starts, is_debug, strict=True) if leaves), default=0)
    if cut < _loaded_end(image, layout):
        return image
    kept = bytearray(image[:cut])
    for header, leaves in zip(headers, is_debug, strict=True):
        if leaves:
            header[:] = bytes(len(header))  # an entry of no section: the others keep their numbers
        else:
            _move(image, header, layout, cut, kept)
    _align(kept)
    struct.pack_into(f"<{layout.address}", kept, layout.tables + struct.calcsize(layout.address), len(kept))
    return bytes(kept) + b"".join(headers)


def _sections(image: bytes, layout: _Layout) -> tuple[list[bytearray], int]:
    """The section headers, and which of them has the names."""
    _, start = layout.addresses(image, layout.tables)
    size_bytes, count, names = struct.unpack_from("<3H", image, layout.counts + 4)
    places = range(start, start + count * size_bytes, size_bytes)
    return [bytearray(image[place : place + size_bytes]) for place in places], names


def _loaded_end(image: bytes, layout: _Layout) -> int:
    """The first byte of a file behind all that is loaded."""
    start, _ = layout.addresses(image, layout.tables)
    size_bytes, count = struct.unpack_from("<2H", image, layout.counts)
    ends: list[int] = [start + count * size_bytes]
    for place in range(start, start + count * size_bytes, size_bytes):
        offset = layout.address_at(image, place + layout.segment_offset)
        ends.append(offset + layout.address_at(image, place + layout.segment_bytes))
    return max(ends)


def _move(image: bytes, header: bytearray, layout: _Layout, cut: int, kept: bytearray) -> None:
    """Put a section that lies behind the cut at the end of what is kept."""
    offset, size_bytes = layout.addresses(header, layout.section_offset)
    if offset >= cut and struct.unpack_from("<I", header, 4)[0] != _WITHOUT_BYTES:
        _align(kept)
        struct.pack_into(f"<{layout.address}", header, layout.section_offset, len(kept))
        kept += image[offset : offset + size_bytes]


def _align(kept: bytearray) -> None:
    kept += bytes(-len(kept) % _ALIGNMENT)
