"""What a command's samples are: their order (M3), what of them teaches (A11.8), and what a node refuses to feed."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
import pytest
from fleet_bench import CountingTrainer, adapt_command, digits_blob, run, train_command

import jaragua_models
from jaragua.errors import DataError
from jaragua.node.training import jobs
from jaragua.node.training.task_sampler import TaskSampler
from jaragua.node.training.trainer import SampleSet
from jaragua.settings import LARGEST_LOSS_THRESHOLD, StepSettings
from jaragua_compiler import initial_weights, plan
from jaragua_compiler.engines.replay_order import replay_order
from jaragua_compiler.floating.form import pack_floats

BLOB = digits_blob()
SAMPLER = TaskSampler.of("digits")


def fed(**changes: Any) -> list[SampleSet]:
    """What a trainer is given for a train-command, job by job."""
    trainer = CountingTrainer()
    run(jobs.train(trainer, SAMPLER, train_command(BLOB, **changes), BLOB))
    return trainer.trained


def same(one: SampleSet, other: SampleSet) -> bool:
    return np.array_equal(one.inputs, other.inputs) and np.array_equal(one.targets, other.targets)


@pytest.mark.parametrize("replay_buffer_size", [0, 1, 3, 12, 500])
def test_m3_samples_come_in_the_order_of_a_device_that_holds_some(replay_buffer_size: int) -> None:
    (once,) = fed()
    (all_passes,) = fed(passes=3, replay_buffer_size=replay_buffer_size or None)
    order = replay_order(12, 3, replay_buffer_size)
    assert len(order) == len(all_passes) == 36
    assert same(all_passes, SampleSet(once.inputs[order], once.targets[order]))


def test_m4_a_support_set_is_gone_over_in_the_same_order_and_a_query_set_once() -> None:
    plain, held = (
        SAMPLER.held_out(adapt_command(BLOB, replay_buffer_size=replay_buffer_size), BLOB)
        for replay_buffer_size in (None, 2)
    )
    order = replay_order(15, 4, 2)
    first = SampleSet(plain.support.inputs[:15], plain.support.targets[:15])
    assert same(held.support, SampleSet(first.inputs[order], first.targets[order]))
    assert not same(held.support, plain.support)
    assert same(held.query, plain.query)


@pytest.mark.parametrize(
    "changes", [{"passes": 2}, {"passes": 2, "batch": 5}, {"passes": 2, "proximal_decay": 1 << 14}], ids=str
)
def test_a11_8_every_job_of_a_command_has_its_loss_threshold(changes: dict[str, Any]) -> None:
    assert {samples.settings.loss_threshold for samples in fed(**changes)} == {0.0}
    assert {samples.settings.loss_threshold for samples in fed(loss_threshold=0.25, **changes)} == {0.25}


def test_a11_8_adaptation_has_the_loss_threshold_of_its_command() -> None:
    trainer = CountingTrainer()
    for loss_threshold in (0.25, None):
        run(jobs.adapt(trainer, SAMPLER, adapt_command(BLOB, loss_threshold=loss_threshold), BLOB))
    assert [samples.settings.loss_threshold for samples in trainer.trained] == [0.25, 0.0]


def test_m9_samples_in_float32_have_the_same_order_and_loss_threshold() -> None:
    start = pack_floats(SAMPLER.plan, initial_weights(jaragua_models.get("digits").network, 1))
    command = train_command(
        BLOB, start=hashlib.sha256(start).digest(), passes=3, replay_buffer_size=3, loss_threshold=0.25
    )
    trainer = CountingTrainer()
    run(jobs.train(trainer, SAMPLER, command, start))
    (floats,), (integers,) = trainer.trained, fed(passes=3, replay_buffer_size=3, loss_threshold=0.25)
    assert floats.in_float32
    assert floats.settings.loss_threshold == 0.25
    assert np.array_equal(floats.targets, integers.targets)


@pytest.mark.parametrize("changes", [{"batch": 5}, {"batch": 0}, {"proximal_decay": 1 << 14}], ids=str)
def test_m3_a_replay_buffer_with_batches_or_a_proximal_term_is_refused(changes: dict[str, int]) -> None:
    with pytest.raises(DataError, match=r"a replay buffer of 3 samples, which takes a batch of 1 and no proximal term"):
        fed(replay_buffer_size=3, passes=2, **changes)
    assert fed(replay_buffer_size=3, passes=2, batch=1)


@pytest.mark.parametrize("loss_threshold", [-0.1, 1e308])
def test_an_impossible_loss_threshold_is_refused(loss_threshold: float) -> None:
    with pytest.raises(DataError, match="a command asks for a loss threshold of"):
        fed(loss_threshold=loss_threshold)
    with pytest.raises(DataError, match="a command asks for a loss threshold of"):
        SAMPLER.held_out(adapt_command(BLOB, loss_threshold=loss_threshold), BLOB)


def test_a11_8_the_unit_is_that_of_the_blobs_losses() -> None:
    """Q11 nats; the largest that is taken fits 32 bits; 0 is any loss, and next to nothing is not 0."""
    samples = SAMPLER.support(train_command(BLOB), BLOB)
    found = {
        least: SampleSet(samples.inputs, samples.targets, settings=StepSettings(loss_threshold=least))
        .limits(plan_of("digits"), BLOB)
        .loss_threshold
        for least in (0.0, 1e-9, 0.5, LARGEST_LOSS_THRESHOLD)
    }
    assert list(found.values()) == [0, 1, 1024, (1 << 32) - 1]


def plan_of(model: str) -> Any:
    return plan(jaragua_models.get(model).network)
