"""Differences in few bytes: what comes out, how many bytes, error feedback, and bytes that nobody should believe."""

from __future__ import annotations

import contextlib
import random
import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jaragua.errors import ProtocolError
from jaragua.strategies.compression import decode, encode, largest

NUMBERS = st.lists(st.floats(-4, 4, width=32), min_size=5, max_size=5)
BLOCKS = (3, 2)


def test_the_largest_in_magnitude_are_kept_the_first_of_equals() -> None:
    difference = np.array([0.1, -5.0, 2.0, -2.0, 0.0])
    assert largest(difference, 0.4).tolist() == [1, 2]
    assert largest(difference, 0.01).tolist() == [1]
    assert largest(difference, 1.0).tolist() == [0, 1, 2, 3, 4]


def test_eight_bits_and_a_scale_for_each_block() -> None:
    """Block 1: scale 1.27/127; block 2: scale 0.5/127. 0.004 is less than half a unit of block 1."""
    decoded = decode(encode(np.array([1.27, 0.126, 0.004, -0.5, 0.0]), BLOCKS, 1.0, 8), BLOCKS)
    np.testing.assert_allclose(decoded, [1.27, 0.13, 0.0, -0.5, 0.0], rtol=1e-6)


@given(NUMBERS, st.sampled_from([8, 16]))
def test_no_number_is_off_by_more_than_half_a_unit(numbers: list[float], bits: int) -> None:
    difference = np.array(numbers)
    decoded = decode(encode(difference, BLOCKS, 1.0, bits), BLOCKS)
    for start, end in ((0, 3), (3, 5)):
        unit = np.abs(difference[start:end]).max() / (2 ** (bits - 1) - 1)
        assert np.abs(decoded[start:end] - difference[start:end]).max() <= unit * 0.501 + 1e-30


@given(NUMBERS, st.floats(0.05, 1.0))
def test_not_more_is_sent_than_the_fraction(numbers: list[float], fraction: float) -> None:
    decoded = decode(encode(np.array(numbers), BLOCKS, fraction, 8), BLOCKS)
    assert np.count_nonzero(decoded) <= max(1, round(fraction * 5))


def test_nothing_is_sent_of_nothing() -> None:
    assert not decode(encode(np.zeros(5), BLOCKS, 1.0, 8), BLOCKS).any()


def test_places_far_apart() -> None:
    difference = np.zeros(100_000)
    difference[[0, 127, 128, 20_000, 99_999]] = [1, -1, 0.5, 0.25, 1]
    decoded = decode(encode(difference, (100_000,), 1.0, 16), (100_000,))
    np.testing.assert_allclose(decoded, difference, atol=1e-4)


def test_a_tenth_in_eight_bits_is_less_than_a_tenth_of_whole_weights() -> None:
    difference = np.random.default_rng(1).normal(size=20_000)
    encoded = encode(difference, (20_000,), 0.1, 8)
    assert len(encoded) < 0.1 * 2 * len(difference)
    assert len(encoded) >= 0.1 * len(difference), "2,000 values and their places cannot take less"


def test_the_residual_comes_later() -> None:
    """With error feedback the sum of what arrived stays near the sum of what was learned."""
    draw = np.random.default_rng(2)
    learned, arrived, left = np.zeros(50), np.zeros(50), np.zeros(50)
    for _ in range(200):
        step = draw.normal(size=50) + 0.1
        learned += step
        sent = decode(encode(step + left, (50,), 0.2, 8), (50,))
        left = left + step - sent
        arrived += sent
    np.testing.assert_allclose(arrived + left, learned, atol=1e-9)
    assert np.abs(left).max() < 12, "what waits does not grow with the rounds"


@pytest.mark.parametrize(
    "data",
    [
        b"",
        struct.pack("<BI", 7, 0) + bytes(8),
        struct.pack("<BI", 8, 2**32 - 1) + bytes(8),
        encode(np.ones(5), BLOCKS, 1.0, 8)[:-1],
        encode(np.ones(5), BLOCKS, 1.0, 8) + b"x",
        encode(np.ones(6), (3, 3), 1.0, 8),
        struct.pack("<BIff", 8, 1, float("nan"), 1.0) + encode(np.eye(1, 5)[0], BLOCKS, 1.0, 8)[13:],
    ],
)
def test_bytes_that_are_no_difference_are_refused(data: bytes) -> None:
    with pytest.raises(ProtocolError):
        decode(data, BLOCKS)


def test_damaged_bytes_never_do_more_than_be_refused(seed: int) -> None:
    draw = random.Random(seed)
    good = encode(np.random.default_rng(seed).normal(size=300), (200, 100), 0.3, 8)
    for _ in range(2000):
        damaged = bytearray(good)
        for _ in range(draw.randint(1, 4)):
            damaged[draw.randrange(len(damaged))] = draw.randrange(256)
        with contextlib.suppress(ProtocolError):
            assert decode(bytes(damaged), (200, 100)).shape == (300,)
