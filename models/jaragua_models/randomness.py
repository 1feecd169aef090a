"""Random numbers that depend on names alone, the same on every machine and in every process."""

import hashlib
import re
from collections.abc import Sequence

import numpy as np


def generator_for(*parts: str | int) -> np.random.Generator:
    """A generator seeded by all of `parts`: equal parts give equal draws, others have nothing in common."""
    return np.random.Generator(np.random.PCG64(number_for(*parts)))


def number_for(*parts: str | int) -> int:
    """A number in 0..2^128 - 1 that depends on all of `parts` (SHA-256 of their quoted list)."""
    digest = hashlib.sha256(repr(parts).encode()).digest()
    return int.from_bytes(digest[:16], "little")


def own_of(name: str, owners: Sequence[str], *parts: str) -> str:
    """Whose data the device `name` has: those of the owner of that name; device-1, device-2, … those of one owner after
    the other, from the first again after the last; any other name decides by `number_for(*parts, name)`."""
    if name in owners:
        return name
    number = re.fullmatch(r"device-([1-9][0-9]{0,8})", name)
    place = int(number[1]) - 1 if number else number_for(*parts, name)
    return owners[place % len(owners)]
