"""A reader of FlatBuffers that trusts nothing: each access is checked, and what lies outside the bytes is said so.

The layout is that of https://flatbuffers.dev/internals: a table starts with the distance back to its vtable, which
holds the table's field offsets; vectors and strings start with their length; everything is little endian.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

Scalar = Literal["b", "B", "h", "H", "i", "I", "q", "Q", "f", "?"]
LARGEST_VECTOR = 1 << 26


class FlatbufferError(Exception):
    """The bytes are no FlatBuffer of the expected form."""


@dataclass(frozen=True)
class Table:
    """A table at `position` of `data`."""

    data: bytes
    position: int

    def scalar(self, field: int, kind: Scalar, default: float = 0) -> int | float:
        """A number stored in the table itself."""
        position = self._field(field)
        return default if position is None else _number(self.data, position, kind)

    def integer(self, field: int, kind: Scalar = "i", default: int = 0) -> int:
        """A whole number stored in the table itself."""
        return int(self.scalar(field, kind, default))

    def table(self, field: int) -> Table | None:
        """A table it refers to; None if the field is not there."""
        position = self._referred(field)
        return None if position is None else Table(self.data, position)

    def tables(self, field: int) -> list[Table]:
        """A vector of tables; empty if the field is not there."""
        start, count = self._vector(field, 4)
        places = range(start, start + 4 * count, 4)
        return [Table(self.data, _follow(self.data, place)) for place in places]

    def numbers(self, field: int, kind: Scalar) -> npt.NDArray[np.generic]:
        """A vector of numbers; empty if the field is not there."""
        size = struct.calcsize(f"<{kind}")
        start, count = self._vector(field, size)
        return np.frombuffer(self.data, dtype=np.dtype(kind).newbyteorder("<"), count=count, offset=start)

    def integers(self, field: int, kind: Scalar = "i") -> list[int]:
        """A vector of whole numbers; empty if the field is not there."""
        return [int(number) for number in self.numbers(field, kind)]

    def text(self, field: int) -> str:
        """A string; '' if the field is not there."""
        start, count = self._vector(field, 1)
        return self.data[start : start + count].decode("utf-8", errors="replace")

    def _field(self, field: int) -> int | None:
        """Where a field is stored."""
        vtable = self.position - int(_number(self.data, self.position, "i"))
        entry = 4 + 2 * field
        if entry + 2 > int(_number(self.data, vtable, "H")):
            return None
        offset = int(_number(self.data, vtable + entry, "H"))
        return self.position + offset if offset else None

    def _referred(self, field: int) -> int | None:
        position = self._field(field)
        return None if position is None else _follow(self.data, position)

    def _vector(self, field: int, size_bytes: int) -> tuple[int, int]:
        """(Place of the first element, number of elements)."""
        position = self._referred(field)
        if position is None:
            return 0, 0
        count = int(_number(self.data, position, "I"))
        if count > LARGEST_VECTOR or position + 4 + count * size_bytes > len(self.data):
            raise FlatbufferError(f"a list of {count} items at byte {position} reaches behind its end")
        return position + 4, count


def root(data: bytes) -> Table:
    """The table a buffer begins with."""
    return Table(data, _follow(data, 0))


def _follow(data: bytes, position: int) -> int:
    return position + int(_number(data, position, "I"))


def _number(data: bytes, position: int, kind: Scalar) -> int | float:
    if not 0 <= position <= len(data) - struct.calcsize(f"<{kind}"):
        raise FlatbufferError(f"byte {position} is referred to, but it has {len(data)}")
    number: int | float = struct.unpack_from(f"<{kind}", data, position)[0]
    return number
