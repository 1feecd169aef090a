"""The sum of a round from masked vectors and opened shares (U5). Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from itertools import combinations, islice
from typing import Final

from jaragua.bases.value import Value
from jaragua.privacy import shamir
from jaragua.privacy.errors import SecureError
from jaragua.privacy.lists import Roster
from jaragua.privacy.secrets import Key, pair_mask, public_of
from jaragua.privacy.streams import KEY_BYTES
from jaragua.privacy.words import Integers, WordLayout, Words

#: U5.2: sets of answers that are tried when devices lied.
_MOST_TRIES: Final = 1000


class SecretsFound(Value):
    """seeds of survivors, mask keys of dropped devices; liars: who answered wrong shares."""

    seeds: Mapping[str, bytes]
    mask_keys: Mapping[str, bytes]
    liars: tuple[str, ...] = ()


def secrets_of(
    roster: Roster, included: Sequence[str], survivors: Sequence[str], answers: Mapping[str, Mapping[str, int]]
) -> SecretsFound:
    """The secrets that t answers give (U5.2). Raises: SecureError if no set of answers fits the keys."""
    threshold = roster.threshold
    for chosen in islice(combinations(sorted(answers), threshold), _MOST_TRIES):
        found = _from(roster, included, survivors, {one: answers[one] for one in chosen})
        if found is not None:
            return SecretsFound(*found, _liars(roster, chosen, answers))
    raise SecureError("the shares that came give no secrets that fit the keys")


def _from(
    roster: Roster, included: Sequence[str], survivors: Sequence[str], answers: Mapping[str, Mapping[str, int]]
) -> tuple[dict[str, bytes], dict[str, bytes]] | None:
    weights = shamir.weights_at(0, [roster.place(one) + 1 for one in answers])
    seeds: dict[str, bytes] = {}
    mask_keys: dict[str, bytes] = {}
    for device in included:
        number = sum(weights[roster.place(one) + 1] * shares[device] for one, shares in answers.items()) % shamir.PRIME
        if number >= 1 << 8 * KEY_BYTES:
            return None
        secret, keys = number.to_bytes(KEY_BYTES, "big"), roster.keys(device)
        is_survivor = device in survivors
        if (hashlib.sha256(secret).digest() != keys.seed_hash) if is_survivor else (public_of(secret) != keys.mask):
            return None
        (seeds if is_survivor else mask_keys)[device] = secret
    return seeds, mask_keys


def _liars(roster: Roster, chosen: Sequence[str], answers: Mapping[str, Mapping[str, int]]) -> tuple[str, ...]:
    """Of the other answers, those that are not on the polynomials of the chosen."""
    places = {by: roster.place(by) + 1 for by in answers}

    def fits(one: str) -> bool:
        return all(
            shamir.value_at(places[one], {places[by]: answers[by][of] for by in chosen}) == share
            for of, share in answers[one].items()
        )

    return tuple(one for one in sorted(set(answers) - set(chosen)) if not fits(one))


def unmasked(
    key: Key, roster: Roster, masked: Mapping[str, bytes], secrets: SecretsFound, layout: WordLayout
) -> Integers:
    """The sum of what the survivors contributed, int64 [parameters]. key: its run and round. masked: by survivor.

    Raises: SecureError if a vector has another length.
    """
    total: Words | None = None
    for device, data in masked.items():
        own = layout.minus(layout.read(data), layout.mask(secrets.seeds[device]))
        total = own if total is None else layout.plus(total, own)
    assert total is not None, "a sum has at least one survivor"
    for dropped, private in secrets.mask_keys.items():
        for device in masked:
            mask = layout.mask(
                pair_mask(private, roster.keys(device).mask, Key(key.run, key.round, dropped, key.attempt), device)
            )
            total = layout.minus(total, mask) if device < dropped else layout.plus(total, mask)
    return layout.signed(total)
