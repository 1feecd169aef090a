"""Symbols of a linked image (ELF, 32 bits, little endian): where the launcher writes, and which board it is for."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from jaragua.errors import ToolError

_MAGIC: Final = b"\x7fELF\x01\x01"
_SECTION: Final = struct.Struct("<10I")
_SYMBOL: Final = struct.Struct("<3I2BH")
_SYMBOL_TABLE: Final = 2
_TAKES_MEMORY: Final = 2
_WITHOUT_BYTES: Final = 8


@dataclass(frozen=True)
class _Section:
    kind: int
    flags: int
    address: int
    offset: int
    size_bytes: int
    link: int

    def holds(self, address: int) -> bool:
        """Whether the bytes at this address of the board's memory are in the file."""
        stored = self.flags & _TAKES_MEMORY and self.kind != _WITHOUT_BYTES
        return bool(stored) and self.address <= address < self.address + self.size_bytes


class Image:
    """`Image(path)` reads the symbols. Raises: ToolError if it is no such file."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._data = path.read_bytes()
        if not self._data.startswith(_MAGIC):
            raise self._error("it is no ELF file of 32 bits")
        try:
            self._sections = self._read_sections()
            self.symbols = self._read_symbols()
        except (struct.error, IndexError, ValueError) as error:
            raise self._error("its tables are damaged") from error

    def address(self, name: str) -> int:
        """The value of a symbol. Raises: ToolError if the image has none of this name."""
        if name not in self.symbols:
            raise self._error(f"it has no symbol {name}")
        return self.symbols[name]

    def text_at(self, name: str) -> str:
        """The C string that a symbol names."""
        address = self.address(name)
        for section in self._sections:
            if section.holds(address):
                return self._text(section.offset + address - section.address)
        raise self._error(f"{name} lies in no section")

    def _read_sections(self) -> list[_Section]:
        offset, entry_bytes, count = struct.unpack_from("<I", self._data, 32) + struct.unpack_from(
            "<2H", self._data, 46
        )
        sections = []
        for number in range(count):
            fields = _SECTION.unpack_from(self._data, offset + number * entry_bytes)
            sections.append(_Section(*fields[1:7]))
        return sections

    def _read_symbols(self) -> dict[str, int]:
        symbols = {}
        for section in self._sections:
            if section.kind != _SYMBOL_TABLE:
                continue
            names = self._sections[section.link].offset
            table = self._data[section.offset : section.offset + section.size_bytes]
            for fields in _SYMBOL.iter_unpack(table):
                symbols[self._text(names + fields[0])] = fields[1]
        return symbols

    def _text(self, start: int) -> str:
        return self._data[start : self._data.index(b"\0", start)].decode(errors="replace")

    def _error(self, what: str) -> ToolError:
        return ToolError(f"{self._path} does not look like an image of Jaragua: {what}", "Build it again.")
