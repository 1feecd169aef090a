"""Batches of many devices: cut into shares and put together without a sample lost or moved."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from jaragua.simulate.samples import Batch, joined
from jaragua_models import Samples


def batch_of(counts: list[int]) -> Batch:
    """Device d's sample number s is 100 d + s."""
    tasks = []
    for device, count in enumerate(counts):
        x = (100 * device + np.arange(count, dtype=np.float32)).reshape(-1, 1)
        tasks.append(Samples(x, x[:, 0].astype(np.int64)))
    return joined(tasks, list(range(len(counts))))


@given(st.lists(st.integers(1, 9), min_size=1, max_size=8), st.integers(1, 10))
def test_shares_put_together_are_the_batch(counts: list[int], workers: int) -> None:
    batch = batch_of(counts)
    shares = batch.shares(workers)
    assert all(len(share) for share in shares)
    for name in ("x", "y", "counts", "seeds"):
        together = np.concatenate([getattr(share, name) for share in shares])
        np.testing.assert_array_equal(together, getattr(batch, name))


def test_samples_are_taken_in_turn() -> None:
    pooled = batch_of([3, 1, 2]).interleaved()
    assert pooled.y.tolist() == [0, 100, 200, 1, 201, 2]
    assert pooled.counts.tolist() == [6]
