"""The rules of arithmetic.md once more, on Python's own integers: one number at a time, without an array."""

from __future__ import annotations


def rshift(value: int, shift: int) -> int:
    """A1.1."""
    return value if shift == 0 else (value + 2 ** (shift - 1)) // 2**shift


def sats(value: int, bits: int) -> int:
    """A1.2."""
    return min(max(value, -(2**bits)), 2**bits - 1)


def satu(value: int, bits: int) -> int:
    """A1.2."""
    return min(max(value, 0), 2**bits - 1)


def mix32(value: int) -> int:
    """A8.5."""
    value %= 2**32
    value ^= value >> 16
    value = value * 0x7FEB352D % 2**32
    value ^= value >> 15
    value = value * 0x846CA68B % 2**32
    return value ^ (value >> 16)


def w8_dither(seed: int, step: int, layer: int, row: int, column: int) -> int:
    """A8.5: rho of one weight."""
    key = mix32(mix32(seed + 0x9E3779B9 * step) + 0x85EBCA6B * layer + row)
    draw = (key + 0x9E3779B9 * (column // 4)) % 2**32
    return draw >> 8 if column % 4 < 2 else draw & 0xFFFFFF
