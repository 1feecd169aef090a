"""Rows of weights that never change (A10), as the image holds them. Pure data; `freeze.py` makes it."""

from __future__ import annotations

import hashlib
import struct
from dataclasses import dataclass


@dataclass(frozen=True)
class FrozenRows:
    """The frozen rows of one layer, the last ones of its rows.

    `weights` are the bytes as A8.6 stores them, `biases` and `channels` (fw_o) one number a row, `input_exponent` is
    the layer's fx: with frozen biases it cannot change either.
    """

    weights: bytes
    biases: tuple[int, ...]
    channels: tuple[int, ...]
    input_exponent: int

    def digest(self) -> str:
        """SHA-256 of all of it (A10.6), in hexadecimal digits."""
        count = len(self.biases)
        numbers = struct.pack(f"<{count}i{count}bb", *self.biases, *self.channels, self.input_exponent)
        return hashlib.sha256(self.weights + numbers).hexdigest()
