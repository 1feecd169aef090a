"""What many generators of `generator_for` draw first, all at once: the same numbers, without a generator each.

PCG64 (O'Neill 2014, XSL-RR 128/64) is a linear congruence modulo 2^128, so its state after k steps follows from the
first in one product; it is seeded through NumPy's SeedSequence, whose hash is that of O'Neill's `seed_seq_fe128`.
NumPy promises that both streams stay as they are; tests compare them with NumPy's own.
"""

import functools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from jaragua_models.randomness import number_for

Words: TypeAlias = NDArray[np.uint64]
"""Of 64 bits; a number of 128 bits is a pair, high word first."""
HalfWords: TypeAlias = NDArray[np.uint32]
Wide: TypeAlias = tuple[Words, Words]

_MULTIPLIER: Final = 0x2360ED051FC65DA44385DF649FCCF645
_MODULUS: Final = 1 << 128
_LOW: Final = (1 << 64) - 1
_DOUBLE_UNIT: Final = 1.0 / (1 << 53)

_POOL: Final = 4
_HASH_FIRST, _HASH_FACTOR = 0x43B0D7E5, 0x931E8875
_STATE_FIRST, _STATE_FACTOR = 0x8B51F9DD, 0x58F38DED
_MIX_LEFT, _MIX_RIGHT = np.uint32(0xCA01F9DD), np.uint32(0x4973F715)
_HALF = np.uint32(16)

Seeds: TypeAlias = Sequence[int] | NDArray[np.int64]


@dataclass(frozen=True)
class Named:
    """The generators of `generator_for(*before, device, seed, *after)`, one for each device and its seed, which is
    not negative."""

    before: tuple[str | int, ...]
    devices: Sequence[str]
    seeds: Seeds
    after: tuple[str | int, ...]

    @property
    def numbers(self) -> list[int]:
        """With which they are seeded."""
        seeds = [int(seed) for seed in self.seeds]
        return [number_for(*self.before, *own, *self.after) for own in zip(self.devices, seeds, strict=True)]

    @property
    def around(self) -> tuple[str, str]:
        """Of the text that `number_for` hashes, what stands before a device's quoted name and behind its seed."""
        return "(" + "".join(f"{part!r}, " for part in self.before), "".join(f", {part!r}" for part in self.after) + ")"


UnitRows: TypeAlias = Callable[[Named, int, int], NDArray[np.float64]]
"""`unit_rows_of`, or what gives the same."""


def unit_rows_of(named: Named, skipped: int, count: int) -> NDArray[np.float64]:
    """Row i: of the doubles in [0, 1) that generator i draws, `count` after the first `skipped`."""
    return unit_rows(named.numbers, skipped, count)


def unit_rows(numbers: Sequence[int], skipped: int, count: int) -> NDArray[np.float64]:
    """Row i: of the doubles in [0, 1) that a PCG64 seeded with numbers[i] draws, `count` after the first `skipped`.

    numbers: each in 0..2^128 - 1. Returns float64 [numbers, count].
    """
    state, increment = _seeded(numbers)
    powers, sums = _jumps(skipped, count)
    high, low = _sum(_product(_column(state), powers), _product(_column(increment), sums))
    turned = high ^ low
    turn = high >> np.uint64(58)
    drawn = (turned >> turn) | (turned << ((np.uint64(64) - turn) & np.uint64(63)))
    return (drawn >> np.uint64(11)).astype(np.float64) * _DOUBLE_UNIT


@functools.lru_cache(maxsize=64)
def _jumps(skipped: int, count: int) -> tuple[Wide, Wide]:
    """For k steps, skipped < k <= skipped + count: A^k and A^(k-1) + … + 1, which make k steps one."""
    power, total, powers, sums = 1, 0, [], []
    for _ in range(skipped + count):
        power, total = power * _MULTIPLIER % _MODULUS, (total * _MULTIPLIER + 1) % _MODULUS
        powers.append(power)
        sums.append(total)
    return _row(powers[skipped:]), _row(sums[skipped:])


def _seeded(numbers: Sequence[int]) -> tuple[Wide, Wide]:
    """State and increment of each: pcg64_srandom of the four words that the seed sequence gives."""
    words = list(_seed_words(_entropy(numbers)))
    one = np.uint64(1)
    increment = ((words[2] << one) | (words[3] >> np.uint64(63)), (words[3] << one) | one)
    begun = _sum(increment, (words[0], words[1]))
    return _sum(_product(begun, _wide(_MULTIPLIER)), increment), increment


def _entropy(numbers: Sequence[int]) -> HalfWords:
    """uint32 [numbers, 4], the lowest word first."""
    data = b"".join(number.to_bytes(16, "little") for number in numbers)
    return np.frombuffer(data, "<u4").astype(np.uint32).reshape(-1, _POOL)


def _seed_words(entropy: HalfWords) -> Iterator[Words]:
    """SeedSequence(number).generate_state(4, uint64), a word of all sequences at a time."""
    pool = _mixed_pool(entropy)
    constants = _constants(_STATE_FIRST, _STATE_FACTOR)
    halves = [_hashed(pool[place % _POOL], *next(constants)).astype(np.uint64) for place in range(2 * _POOL)]
    for low, high in zip(halves[::2], halves[1::2], strict=True):
        yield low | (high << np.uint64(32))


def _mixed_pool(entropy: HalfWords) -> list[HalfWords]:
    constants = _constants(_HASH_FIRST, _HASH_FACTOR)
    pool = [_hashed(entropy[:, place], *next(constants)) for place in range(_POOL)]
    for source in range(_POOL):
        for target in range(_POOL):
            if source != target:
                pool[target] = _mixed(pool[target], _hashed(pool[source], *next(constants)))
    return pool


def _constants(first: int, factor: int) -> Iterator[tuple[np.uint32, np.uint32]]:
    """What is added and what is multiplied by at each call of the hash."""
    while True:
        following = first * factor & 0xFFFFFFFF
        yield np.uint32(first), np.uint32(following)
        first = following


def _hashed(value: HalfWords, added: np.uint32, factor: np.uint32) -> HalfWords:
    mixed: HalfWords = (value ^ added) * factor
    return mixed ^ (mixed >> _HALF)


def _mixed(left: HalfWords, right: HalfWords) -> HalfWords:
    mixed: HalfWords = _MIX_LEFT * left - _MIX_RIGHT * right
    return mixed ^ (mixed >> _HALF)


# ---- 128 bits ----


def _wide(value: int) -> Wide:
    return np.array([value >> 64], np.uint64), np.array([value & _LOW], np.uint64)


def _column(value: Wide) -> Wide:
    return value[0][:, None], value[1][:, None]


def _row(values: Sequence[int]) -> Wide:
    high, low = [value >> 64 for value in values], [value & _LOW for value in values]
    return np.array(high, np.uint64), np.array(low, np.uint64)


def _sum(a: Wide, b: Wide) -> Wide:
    low = a[1] + b[1]
    return a[0] + b[0] + (low < b[1]).astype(np.uint64), low


def _product(a: Wide, b: Wide) -> Wide:
    """Modulo 2^128."""
    low = a[1] * b[1]
    return _high_word(a[1], b[1]) + a[0] * b[1] + a[1] * b[0], low


def _high_word(a: Words, b: Words) -> Words:
    """The upper 64 bits of a product of 64-bit numbers, from those of their halves."""
    half, mask = np.uint64(32), np.uint64(0xFFFFFFFF)
    a_low, a_high, b_low, b_high = a & mask, a >> half, b & mask, b >> half
    middle = a_high * b_low + (a_low * b_low >> half)
    other = a_low * b_high + (middle & mask)
    upper: Words = a_high * b_high + (middle >> half) + (other >> half)
    return upper
