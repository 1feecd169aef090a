"""The secrets of a device in one sum (U2), its shares (U3) and its masks (U4). Pure: all follows from 32 bytes."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from jaragua.bases.value import Value
from jaragua.privacy import shamir
from jaragua.privacy.errors import SecureError
from jaragua.privacy.streams import KEY_BYTES, derived, keystream

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

KEYS_BYTES: Final = 3 * KEY_BYTES
#: A share of the mask key, one of the seed, and what ChaCha20-Poly1305 adds.
SEALED_BYTES: Final = 2 * shamir.SHARE_BYTES + 16
_COEFFICIENT_BYTES: Final = 48
_NONCE: Final = bytes(12)


class Key(Value):
    """What a secret belongs to: one device's part in one round of one run."""

    run: str
    round: int
    device: str
    attempt: int


class PublicKeys(Value):
    """What a device says of its secrets: for encryption, for masks, and the SHA-256 of its own mask's seed."""

    encryption: bytes
    mask: bytes
    seed_hash: bytes

    @classmethod
    def read(cls, data: bytes) -> PublicKeys:
        """Raises: SecureError for another length."""
        if len(data) != KEYS_BYTES:
            raise SecureError(f"keys of {len(data)} bytes came, {KEYS_BYTES} are possible")
        return cls(data[:KEY_BYTES], data[KEY_BYTES : 2 * KEY_BYTES], data[2 * KEY_BYTES :])

    @property
    def data(self) -> bytes:
        """As they are sent (U2.2)."""
        return self.encryption + self.mask + self.seed_hash


@dataclass(frozen=True)
class SharePair:
    """What one device holds of another's secrets."""

    mask_key: int
    seed: int


class Secrets:
    """Of one device in one round."""

    def __init__(self, secret: bytes, key: Key) -> None:
        """secret: 32 random bytes that are used for nothing else."""
        self._secret = secret
        self._key = key
        self._made: dict[tuple[str, int, bytes], Sequence[int]] = {}

    @property
    def public(self) -> PublicKeys:
        """What the others need."""
        return PublicKeys(
            public_of(self._private("encryption key")),
            public_of(self._private("mask key")),
            hashlib.sha256(self.seed).digest(),
        )

    @property
    def seed(self) -> bytes:
        """Of the device's own mask."""
        return self._private("own mask")

    @property
    def noise_key(self) -> bytes:
        """Of the device's noise (U10.3)."""
        return self._private("noise")

    def share_pair(self, threshold: int, place: int, roster_hash: bytes) -> SharePair:
        """The shares of place 1, 2, …; two rosters give two polynomials."""
        return SharePair(
            shamir.share(self._number("mask key"), self._coefficients("mask key", threshold, roster_hash), place),
            shamir.share(self._number("own mask"), self._coefficients("own mask", threshold, roster_hash), place),
        )

    def seal(self, pair: SharePair, to: str, their: PublicKeys, roster_hash: bytes) -> bytes:
        """Shares for one other device."""
        plain = shamir.write(pair.mask_key) + shamir.write(pair.seed)
        return self._cipher(their, self._key.device, to).encrypt(_NONCE, plain, roster_hash)

    def open(self, sealed: bytes, of: str, their: PublicKeys, roster_hash: bytes) -> SharePair:
        """Raises: SecureError if they are not what that device sealed under this roster (U3.3, U6.3)."""
        from cryptography.exceptions import InvalidTag

        try:
            plain = self._cipher(their, of, self._key.device).decrypt(_NONCE, sealed, roster_hash)
        except InvalidTag as error:
            raise SecureError(f"the shares of {of} do not open: they are not of this list of devices") from error
        return SharePair(shamir.read(plain[: shamir.SHARE_BYTES]), shamir.read(plain[shamir.SHARE_BYTES :]))

    def pair_mask(self, other: str, their: PublicKeys) -> bytes:
        """The key of the mask that this device shares with another."""
        return pair_mask(self._private("mask key"), their.mask, self._key, other)

    def _cipher(self, their: PublicKeys, sender: str, receiver: str) -> ChaCha20Poly1305:
        from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

        shared = agreed(self._private("encryption key"), their.encryption)
        return ChaCha20Poly1305(derived(shared, "sealed shares", self._key.run, self._key.round, sender, receiver))

    def _private(self, purpose: str) -> bytes:
        key = self._key
        return derived(self._secret, purpose, key.run, key.round, key.device, key.attempt)

    def _number(self, purpose: str) -> int:
        return int.from_bytes(self._private(purpose), "big")

    def _coefficients(self, purpose: str, threshold: int, roster_hash: bytes) -> Sequence[int]:
        """Of x, x², …: threshold - 1 of them, uniform but for 2^-127."""
        known = purpose, threshold, roster_hash
        if known not in self._made:
            key = self._key
            context = ("shares of", purpose, key.run, key.round, key.device, key.attempt, roster_hash.hex())
            stream = keystream(derived(self._secret, *context), _COEFFICIENT_BYTES * (threshold - 1))
            pieces = (stream[at : at + _COEFFICIENT_BYTES] for at in range(0, len(stream), _COEFFICIENT_BYTES))
            self._made[known] = [int.from_bytes(piece, "big") % shamir.PRIME for piece in pieces]
        return self._made[known]


def pair_mask(private: bytes, their: bytes, key: Key, other: str) -> bytes:
    """The mask key of two devices, the same from either side (U4.2)."""
    first, second = sorted((key.device, other))
    return derived(agreed(private, their), "pair mask", key.run, key.round, first, second)


def agreed(private: bytes, their: bytes) -> bytes:
    """X25519 (RFC 7748). Raises: SecureError for a public key that would give the same secret to everybody."""
    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey

    try:
        return X25519PrivateKey.from_private_bytes(private).exchange(X25519PublicKey.from_public_bytes(their))
    except ValueError as error:
        raise SecureError("a public key agrees on no secret") from error


def public_of(private: bytes) -> bytes:
    """The public key of a private one."""
    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    return X25519PrivateKey.from_private_bytes(private).public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
