"""Many blobs at once are what they are one by one, to the bit, and bad ones have the same faults (A6)."""

from __future__ import annotations

import numpy as np
import pytest
from named_networks import NETWORKS
from random_cases import random_blob

from jaragua_compiler import CompileError, Plan, plan, unpack
from jaragua_compiler.quantisation.blob import unpack_integers
from jaragua_compiler.quantisation.many_blobs import faults, unpack_many


def _flat(compiled: Plan, blob: bytes) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    return np.concatenate([part.ravel() for layer in unpack(compiled, blob) for part in layer])


def _fault(compiled: Plan, blob: bytes) -> str:
    try:
        unpack_integers(compiled, blob)
    except CompileError as error:
        return error.message
    return ""


@pytest.mark.parametrize("name", ["one layer", "sine", "deep", "cnn", "mlp w8", "cnn w8"])
def test_a6_many_blobs_have_the_bits_of_each(name: str, seed: int) -> None:
    """Blobs with the same exponents, and with others between them."""
    compiled, generator = plan(NETWORKS[name]), np.random.default_rng(seed)
    first, other = (random_blob(generator, compiled) for _ in range(2))
    body = compiled.header_bytes
    moved = [bytearray(first) for _ in range(3)]
    for place, blob in enumerate(moved):
        blob[body + 1] = 16 * (place + 1)
    blobs = [first, *map(bytes, moved), other, first]
    assert faults(compiled, blobs) == [""] * len(blobs)
    np.testing.assert_array_equal(unpack_many(compiled, blobs), [_flat(compiled, blob) for blob in blobs])


@pytest.mark.parametrize("name", ["sine", "deep", "cnn w8"])
def test_a6_bad_blobs_among_good_ones_have_the_faults_they_have_alone(name: str, seed: int) -> None:
    compiled, generator = plan(NETWORKS[name]), np.random.default_rng(seed)
    good = random_blob(generator, compiled)
    blobs = [good, b"", good[:-1], b"X" + good[1:], good]
    for _ in range(60):
        spoiled = bytearray(good)
        spoiled[int(generator.integers(len(good)))] ^= 1 << int(generator.integers(8))
        blobs.append(bytes(spoiled))
    found = faults(compiled, blobs)
    assert found == [_fault(compiled, blob) for blob in blobs]
    assert found[0] == found[4] == ""
    assert all(found[1:4])
    with pytest.raises(CompileError):
        unpack_many(compiled, blobs)
