"""Keys and streams of bytes from a secret: HKDF-SHA256 (RFC 5869) and ChaCha20 (RFC 8439). Pure.

The package `cryptography` is loaded when the first stream is made: runs without `[privacy]` do not need it.
"""

from __future__ import annotations

from typing import Final

KEY_BYTES: Final = 32
_NONCE: Final = bytes(16)
#: Bytes that `Stream` makes at once.
_BLOCK_BYTES: Final = 1 << 16


def derived(secret: bytes, *context: object, length: int = KEY_BYTES) -> bytes:
    """So many bytes of HKDF-SHA256; what one context gives tells nothing of another's. context: texts, numbers."""
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.kdf.hkdf import HKDF

    parts = [b"jaragua secure sum 1", *(str(part).encode() for part in context)]
    return HKDF(SHA256(), length, salt=None, info=b"\0".join(parts)).derive(secret)


def keystream(key: bytes, count: int) -> bytes:
    """The first bytes of ChaCha20 under a key that is used for nothing else."""
    from cryptography.hazmat.primitives.ciphers import Cipher
    from cryptography.hazmat.primitives.ciphers.algorithms import ChaCha20

    return Cipher(ChaCha20(key, _NONCE), mode=None).encryptor().update(bytes(count))


class Stream:
    """Uniform integers from a key: the same key gives the same integers on every machine."""

    def __init__(self, key: bytes) -> None:
        from cryptography.hazmat.primitives.ciphers import Cipher
        from cryptography.hazmat.primitives.ciphers.algorithms import ChaCha20

        self._encryptor = Cipher(ChaCha20(key, _NONCE), mode=None).encryptor()
        self._block, self._used = b"", 0

    def below(self, bound: int) -> int:
        """A uniform integer of 0 to bound - 1; bound at least 1. Rejection keeps it exact."""
        bits = (bound - 1).bit_length()
        count, surplus = -(-bits // 8), -bits % 8
        while True:
            found = int.from_bytes(self._bytes(count), "little") >> surplus
            if found < bound:
                return found

    def _bytes(self, count: int) -> bytes:
        if self._used + count > len(self._block):
            self._block, self._used = self._encryptor.update(bytes(max(_BLOCK_BYTES, count))), 0
        taken = self._block[self._used : self._used + count]
        self._used += count
        return taken
