"""The board's check of signatures (firmware/lib/jrg_sign) against the package cryptography, with GCC and clang."""

from __future__ import annotations

import ctypes
import random
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from firmware_builds import LIBRARIES, WARNINGS

_CASES = 24


@pytest.fixture(params=["gcc", "clang"])
def verifies(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[bytes, bytes, bytes], bool]:
    if shutil.which(request.param) is None:
        pytest.skip(f"NO {request.param.upper()}")
    library = tmp_path / "sign.so"
    sources = sorted((LIBRARIES / "jrg_sign").glob("*.c"))
    subprocess.run([request.param, *WARNINGS, "-O2", "-fPIC", "-shared", "-o", library, *sources], check=True)
    function = ctypes.CDLL(str(library)).jrg_ed25519_verifies
    function.restype = ctypes.c_bool
    return lambda key, signature, message: bool(function(key, signature, message, ctypes.c_size_t(len(message))))


def flipped(data: bytes, bit: int) -> bytes:
    changed = bytearray(data)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


def test_g33_2_random_messages_are_verified_and_damaged_ones_refused(
    verifies: Callable[[bytes, bytes, bytes], bool],
) -> None:
    drawn = random.Random(1)
    for length in range(0, 12 * _CASES, 12):
        private = Ed25519PrivateKey.from_private_bytes(drawn.randbytes(32))
        key = private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        message = drawn.randbytes(length)
        signature = private.sign(message)
        assert verifies(key, signature, message)
        assert not verifies(key, flipped(signature, drawn.randrange(512)), message)
        assert not verifies(flipped(key, drawn.randrange(256)), signature, message)
        assert not verifies(key, signature, message + b"\0")
