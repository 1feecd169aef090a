"""Batches of many devices: cut into shares and put together without a sample lost or moved."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from jaragua.simulation.clients.samples import Batch, in_one_pass, joined
from jaragua.strategies import ClientWork
from jaragua_compiler.engines.replay_order import replay_order
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


@given(st.lists(st.integers(1, 9), min_size=1, max_size=8), st.integers(1, 4), st.integers(0, 12))
def test_devices_that_hold_some_samples_take_them_in_replay_order(
    counts: list[int], passes: int, replay_buffer_size: int
) -> None:
    batch, asked = (
        batch_of(counts),
        ClientWork(0.1, passes=passes, replay_buffer_size=replay_buffer_size, loss_threshold=0.5),
    )
    work, found = in_one_pass(asked, batch)
    for device, count in enumerate(counts):
        share = found.part(device, device + 1)
        order = np.tile(np.arange(len(share.x)), work.passes)
        assert (share.y[order] - 100 * device).tolist() == replay_order(count, passes, replay_buffer_size).tolist()
        assert share.x[:, 0].tolist() == share.y.tolist()
    assert found.seeds.tolist() == batch.seeds.tolist()
    assert work.replay_buffer_size == 0 or work.passes == 1
    assert work.loss_threshold == 0.5


def test_samples_are_taken_in_turn() -> None:
    pooled = batch_of([3, 1, 2]).interleaved()
    assert pooled.y.tolist() == [0, 100, 200, 1, 201, 2]
    assert pooled.counts.tolist() == [6]
