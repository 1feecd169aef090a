"""Vectors of integers as words of 32 and of 64 bits, whose sums wrap (U1.2). Pure."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from jaragua.privacy.errors import SecureError
from jaragua.privacy.streams import keystream

#: uint64 [numbers]; a narrow one counts modulo 2^32.
Words: TypeAlias = NDArray[np.uint64]
Integers: TypeAlias = NDArray[np.int64]
_NARROW_MASK = np.uint64(0xFFFFFFFF)


class WordLayout:
    """Which numbers of a vector have 64 bits. wide: bool [numbers]."""

    def __init__(self, wide: NDArray[np.bool_]) -> None:
        self.wide = wide
        self._narrow = ~wide
        self._narrow_bytes = 4 * int(self._narrow.sum())

    @property
    def byte_count(self) -> int:
        """Of a vector: narrow numbers first, then wide ones, little endian."""
        return self._narrow_bytes + 8 * int(self.wide.sum())

    def words(self, numbers: Integers) -> Words:
        """Signed integers as words."""
        return self._wrapped(numbers.view(np.uint64))

    def signed(self, words: Words) -> Integers:
        """Words as signed integers: what a sum was, if it did not wrap."""
        found = words.view(np.int64).copy()
        found[self._narrow] = words[self._narrow].astype(np.uint32).view(np.int32)
        return found

    def plus(self, left: Words, right: Words) -> Words:
        """Each number modulo its word."""
        return self._wrapped(left + right)

    def minus(self, left: Words, right: Words) -> Words:
        """Each number modulo its word."""
        return self._wrapped(left - right)

    def mask(self, key: bytes) -> Words:
        """A keystream as words: uniform for who does not know the key (U4.2)."""
        return self.read(keystream(key, self.byte_count))

    def write(self, words: Words) -> bytes:
        """The bytes of a vector."""
        return words[self._narrow].astype("<u4").tobytes() + words[self.wide].astype("<u8").tobytes()

    def read(self, data: bytes) -> Words:
        """The reverse. Raises: SecureError for another length."""
        if len(data) != self.byte_count:
            raise SecureError(f"a masked vector of {len(data)} bytes came, {self.byte_count} are possible")
        words = np.empty(len(self.wide), np.uint64)
        words[self._narrow] = np.frombuffer(data, "<u4", count=self._narrow_bytes // 4)
        words[self.wide] = np.frombuffer(data, "<u8", offset=self._narrow_bytes)
        return words

    def _wrapped(self, words: Words) -> Words:
        found = words.copy()
        found[self._narrow] &= _NARROW_MASK
        return found
