"""FedProx on a node: pass by pass, and between two the weights go back towards the start (M3)."""

from __future__ import annotations

import numpy as np
import pytest
from fleet_bench import digits_blob, run, train_command
from hypothesis import given
from hypothesis import strategies as st

import jaragua_models
from jaragua.client.engine_trainer import EngineTrainer
from jaragua.node.outbox import OutboxEntry
from jaragua.node.training import jobs
from jaragua.node.training.proximal_decay import NO_DECAY, decayed
from jaragua.node.training.task_sampler import TaskSampler
from jaragua.wire.messages import unpack_update
from jaragua_compiler import NativeEngine, ReferenceEngine, plan
from jaragua_compiler.quantisation.blob import unpack_integers
from jaragua_compiler.quantisation.rate import LearningRate

BLOB, OTHER = digits_blob(1), digits_blob(2)
SAMPLER = TaskSampler.of("digits")
PLAN = plan(jaragua_models.get("digits").network)


def trained(**changes: object) -> OutboxEntry:
    trainer = EngineTrainer(NativeEngine, lambda progress: None)
    return run(jobs.train(trainer, SAMPLER, train_command(BLOB, **changes), BLOB))  # type: ignore[arg-type]


@given(st.integers(0, NO_DECAY))
def test_every_weight_goes_its_share_of_the_way(kept: int) -> None:
    triples = zip(
        *(unpack_integers(PLAN, blob) for blob in (BLOB, OTHER, decayed(PLAN, BLOB, OTHER, kept))), strict=True
    )
    for old, new, found in triples:
        for a, b, c in zip(old, new, found, strict=True):
            np.testing.assert_array_equal(c, a + np.floor((b - a) * kept / NO_DECAY + 0.5).astype(np.int64))


def test_nothing_is_kept_of_no_way() -> None:
    assert decayed(PLAN, BLOB, OTHER, 0) == BLOB


def test_a_proximal_decay_that_keeps_the_whole_way_changes_nothing_of_one_pass() -> None:
    whole, free = trained(passes=1), trained(passes=1, proximal_decay=NO_DECAY)
    assert unpack_update(whole.payload) == unpack_update(free.payload)


def passes_by_hand(passes: int, kept: int) -> bytes:
    """The definition of M3 with the reference engine: each pass is a job whose dither begins with seed + pass."""
    command = train_command(BLOB)
    samples = SAMPLER.support(command, BLOB)
    rate, weights = LearningRate.from_float(command.learning_rate), BLOB
    for number in range(passes):
        engine = ReferenceEngine(PLAN)
        engine.load(weights)
        engine.set_seed(jobs.dither_seed(command) + number)
        for x, target in zip(samples.inputs, samples.targets, strict=True):
            engine.train_step(x, target, rate)
        weights = decayed(PLAN, BLOB, engine.blob(), kept)
    return weights


@pytest.mark.parametrize("passes", [1, 2, 3])
@pytest.mark.parametrize("kept", [NO_DECAY, NO_DECAY // 2])
def test_m3_each_pass_is_a_job_that_begins_with_the_next_seed(passes: int, kept: int) -> None:
    header, weights = unpack_update(trained(passes=passes, proximal_decay=kept).payload)
    assert header.samples == passes * len(SAMPLER.support(train_command(BLOB), BLOB))
    assert weights == passes_by_hand(passes, kept)


def test_m3_later_passes_of_one_job_go_on_with_its_dither() -> None:
    """So the same samples in the same order give other weights than passes that are jobs of their own (A5.9)."""
    whole, free = (
        unpack_update(trained(passes=3, **changes).payload) for changes in ({}, {"proximal_decay": NO_DECAY})
    )
    assert whole[0].samples == free[0].samples
    assert whole[1] != free[1]


def test_proximal_decay_shortens_what_is_learned_and_counts_all_samples() -> None:
    free, held = (
        unpack_update(trained(passes=2, **changes).payload) for changes in ({}, {"proximal_decay": NO_DECAY // 2})
    )
    assert held[0].samples == free[0].samples == 2 * 3 * 4
    lengths = [
        sum(
            float(np.sum((new[0] - old[0]) ** 2))
            for new, old in zip(unpack_integers(PLAN, blob), unpack_integers(PLAN, BLOB), strict=True)
        )
        for _, blob in (free, held)
    ]
    assert 0 < lengths[1] < lengths[0] / 2
