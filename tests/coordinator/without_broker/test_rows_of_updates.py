"""R5: what the updates of a round say, made a few rows at a time, has the bits of one matrix of all."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import jaragua_models
from jaragua.coordinator.weights.codec import ModelCodec
from jaragua.coordinator.weights.formats import Formats
from jaragua.coordinator.weights.learned import EarlyRows, RoundBase, StoredRows, rows_of
from jaragua.coordinator.weights.row_sums import SumsAsked
from jaragua.store import StoredUpdate
from jaragua.strategies.aggregation import ClientUpdate, masked_mean, row_lengths, sample_weighted_mean
from jaragua.strategies.stale import counted
from jaragua_compiler.quantisation import many_blobs

CODEC = ModelCodec(jaragua_models.get("sine"))


def _update(number: int, device: str, encoding: str, content: bytes, samples: int) -> StoredUpdate:
    return StoredUpdate(number, device, 1, content, samples, 0.5, 0.5, "mse", 0, len(content), 4, encoding)


def _case(seed: int, *, mixed: bool) -> tuple[Formats, RoundBase, list[StoredUpdate], list[ClientUpdate]]:
    """150 updates of rounds 3 and 4, closed in 4; and what they are one by one."""
    draw = np.random.default_rng(seed)
    start, formats = CODEC.initial(seed), Formats(CODEC, alone=False)
    forms: dict[Any, bytes] = {(number, "blob", CODEC): CODEC.pack(start + number) for number in (3, 4)}
    forms |= {(number, "f32", CODEC): CODEC.pack_floats(start + number) for number in (3, 4)}
    base = RoundBase(start, lambda number, encoding, codec: forms[number, encoding, codec], 0.5, 0)
    updates, singly = [], []
    for place in range(150):
        number, encoding = (3 if place % 7 == 0 else 4), "f32" if mixed and place % 5 == 0 else "blob"
        trained = start + number + draw.normal(0, 0.05, len(start))
        content = CODEC.pack_floats(trained) if encoding == "f32" else CODEC.pack(trained)
        one = _update(number, f"board-{place:03}", encoding, content, int(draw.integers(1, 90)))
        learned = CODEC.learned(encoding, forms[number, encoding, CODEC], content)
        mask = learned != 0 if mixed and encoding == "blob" else None
        updates.append(one)
        singly.append(counted(one.device, start, learned, one.samples, age=4 - number, power=0.5, update_mask=mask))
    return formats, base, updates, singly


@pytest.mark.parametrize("mixed", [False, True])
def test_r5_r13_3_r14_rows_have_the_bits_of_updates_one_by_one(seed: int, mixed: bool) -> None:
    formats, start, updates, singly = _case(seed, mixed=mixed)
    rows = rows_of(formats, start, 4, updates)
    assert [one.device for one in rows] == [one.device for one in singly]
    for by_samples in (False, True):
        wanted = masked_mean(singly, by_samples=by_samples)
        np.testing.assert_array_equal(masked_mean(rows, by_samples=by_samples), wanted)
    np.testing.assert_array_equal(rows.weights, [one.weights for one in singly])


def test_r5_the_mean_takes_no_matrix(seed: int) -> None:
    """A mean, a weighted one, and lengths: a few rows at a time, in their order."""
    _formats, start, updates, singly = _case(seed, mixed=False)
    rows = StoredRows([CODEC] * len(updates), start, 4, updates)
    samples = np.array([one.samples for one in updates], np.float64)
    np.testing.assert_array_equal(rows.mean, np.mean([one.weights for one in singly], axis=0))
    np.testing.assert_array_equal(rows.weighted_mean(samples), sample_weighted_mean(singly))
    wanted = row_lengths(np.array([one.weights for one in singly]), start.vector)
    found = rows.lengths_at_most(start.vector)
    assert (found >= wanted).all()
    assert (found <= wanted + 2e-9 * (wanted + np.linalg.norm(start.vector))).all()
    np.testing.assert_array_equal(rows.lengths_at_most(start.vector.copy()), wanted)  # of another origin
    assert "matrix" not in vars(rows)


def test_r31_3_means_prepared_with_the_lengths_have_the_bits_of_their_own_pass(seed: int) -> None:
    _formats, start, updates, _ = _case(seed, mixed=False)
    start = start._replace(sums=SumsAsked())
    codecs = [CODEC] * len(updates)
    alone, prepared = (StoredRows(codecs, start, 4, updates) for _ in range(2))
    prepared.lengths_at_most(start.vector)
    assert all(total is not None for _, total in prepared._sums)
    samples = np.array([one.samples for one in updates], np.float64)
    for weights in (samples, samples + 1):
        np.testing.assert_array_equal(prepared.weighted_mean(weights), alone.weighted_mean(weights))
    np.testing.assert_array_equal(prepared.mean, alone.mean)


@pytest.mark.parametrize("by_samples", [False, True])
def test_r31_3_only_the_mean_that_was_asked_for_is_prepared_again(seed: int, by_samples: bool) -> None:
    formats, start, updates, _ = _case(seed, mixed=False)
    start = start._replace(sums=SumsAsked())
    first, second = (rows_of(formats, start, 4, updates) for _ in range(2))
    wanted = masked_mean(first, by_samples=by_samples)
    assert second.surely_within(start.vector, np.inf)
    (kept,) = [one for one in second._rows._sums if one[1] is not None]  # type: ignore[union-attr]
    np.testing.assert_array_equal(masked_mean(second, by_samples=by_samples), wanted)
    assert (kept[0] == 1).all() is not np.bool_(by_samples)


def test_r31_4_updates_with_a_known_hash_are_not_checked_again(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    formats, start, updates, _ = _case(seed, mixed=False)
    checked: list[int] = []
    faults = many_blobs.faults
    monkeypatch.setattr(many_blobs, "faults", lambda plan, blobs: checked.append(len(blobs)) or faults(plan, blobs))
    wanted = rows_of(formats, start, 4, updates).mean
    assert sum(checked) == len(updates)
    known = [replace(one, sha256=hashlib.sha256(one.blob).digest()) for one in updates]
    np.testing.assert_array_equal(rows_of(formats, start, 4, known).mean, wanted)
    assert sum(checked) == len(updates)


@pytest.mark.parametrize("by_samples", [False, True])
def test_r31_8_sums_that_are_begun_early_have_the_bits_of_one_pass(seed: int, by_samples: bool) -> None:
    """Whatever the order in which updates come."""
    formats, start, updates, _ = _case(seed, mixed=False)
    updates = [
        replace(one, round_number=4, blob=CODEC.pack(start.vector), sha256=b"known") if one.round_number == 3 else one
        for one in updates
    ]
    updates = [replace(one, sha256=hashlib.sha256(one.blob).digest()) for one in updates]
    start = start._replace(sums=SumsAsked())
    start.sums.weighted, start.sums.plain = by_samples, not by_samples  # type: ignore[union-attr]
    early = EarlyRows(CODEC, start, 4, [one.device for one in updates])
    shuffled = [updates[place] for place in np.random.default_rng(seed).permutation(len(updates))]
    for first in range(0, len(shuffled), 40):
        early.add(shuffled[first : first + 40])
    assert len(early.walked) == 128
    found, wanted = (rows_of(formats, start, 4, updates, one) for one in (early, None))
    for rows in (found, wanted):
        assert rows.surely_within(start.vector, np.inf)
    np.testing.assert_array_equal(found._rows._sums[by_samples][1], wanted._rows._sums[by_samples][1])  # type: ignore[union-attr]
    np.testing.assert_array_equal(masked_mean(found, by_samples=by_samples), masked_mean(wanted, by_samples=by_samples))
    np.testing.assert_array_equal(found._bounds[1], wanted._bounds[1])  # type: ignore[index]
    _, stepped_in = updates[0], replace(updates[0], device="board-000-a")
    assert early.begins(updates)
    assert not early.begins([updates[0], stepped_in, *updates[1:]])
    early.add([_update(3, "board-200", "blob", updates[0].blob, 5)])
    assert not early.begins(updates)
