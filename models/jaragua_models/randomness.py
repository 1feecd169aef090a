"""Random numbers that depend on names alone, the same on every machine and in every process."""

import hashlib

import numpy as np


def generator_for(*parts: str | int) -> np.random.Generator:
    """A generator seeded by all of `parts`: equal parts give equal draws, others have nothing in common."""
    return np.random.Generator(np.random.PCG64(number_for(*parts)))


def number_for(*parts: str | int) -> int:
    """A number in 0..2^128 - 1 that depends on all of `parts` (SHA-256 of their quoted list)."""
    digest = hashlib.sha256(repr(parts).encode()).digest()
    return int.from_bytes(digest[:16], "little")
