"""Secret shares in the field of a prime above 2^256 ("How to Share a Secret", Shamir, 1979; U3.2). Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

#: The smallest prime above 2^256.
PRIME: Final = 2**256 + 297
SHARE_BYTES: Final = 33


def share(secret: int, coefficients: Sequence[int], place: int) -> int:
    """The polynomial secret + c[0] x + c[1] x² + … at `place`, which is at least 1."""
    found = 0
    for coefficient in reversed((secret, *coefficients)):
        found = (found * place + coefficient) % PRIME
    return found


def combined(shares: Mapping[int, int]) -> int:
    """The secret, from as many shares (by place) as the polynomial has coefficients; any other number if they lie."""
    return value_at(0, shares)


def value_at(where: int, shares: Mapping[int, int]) -> int:
    """The polynomial through shares (by place) at another place."""
    return sum(weight * shares[place] for place, weight in weights_at(where, tuple(shares)).items()) % PRIME


def weights_at(where: int, places: Sequence[int]) -> dict[int, int]:
    """Lagrange's weights: the value at `where`, which is none of the places, is the sum of weight times share."""
    found = {}
    for place in places:
        numerator = denominator = 1
        for other in places:
            if other != place:
                numerator = numerator * (other - where) % PRIME
                denominator = denominator * (other - place) % PRIME
        found[place] = numerator * pow(denominator, -1, PRIME) % PRIME
    return found


def write(value: int) -> bytes:
    """The bytes of a share."""
    return value.to_bytes(SHARE_BYTES, "big")


def read(data: bytes) -> int:
    """The reverse; a number that is no share of the field is taken modulo the prime."""
    return int.from_bytes(data, "big") % PRIME
