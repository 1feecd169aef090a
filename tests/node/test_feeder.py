"""What a command's samples are: their order (M3), what of them teaches (A11.8), and what a node refuses to feed."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
import pytest
from fleet_bench import CountingTrainer, adapt_command, digits_blob, run, train_command

import jaragua_models
from jaragua.errors import DataError
from jaragua.node import jobs
from jaragua.node.feeder import Feeder
from jaragua.node.trainer import LARGEST_LEAST_LOSS, SampleSet
from jaragua_compiler import initial_weights, plan
from jaragua_compiler.engines.replay_order import visits
from jaragua_compiler.floating.form import pack_floats

BLOB = digits_blob()
FEEDER = Feeder.of("digits")


def fed(**changes: Any) -> list[SampleSet]:
    """What a trainer is given for a train-command, job by job."""
    trainer = CountingTrainer()
    run(jobs.train(trainer, FEEDER, train_command(BLOB, **changes), BLOB))
    return trainer.trained


def same(one: SampleSet, other: SampleSet) -> bool:
    return np.array_equal(one.inputs, other.inputs) and np.array_equal(one.targets, other.targets)


@pytest.mark.parametrize("memory", [0, 1, 3, 12, 500])
def test_m3_samples_come_in_the_order_of_a_device_that_holds_some(memory: int) -> None:
    (once,) = fed()
    (all_passes,) = fed(passes=3, memory=memory or None)
    order = visits(12, 3, memory)
    assert len(order) == len(all_passes) == 36
    assert same(all_passes, SampleSet(once.inputs[order], once.targets[order]))


def test_m4_a_support_set_is_gone_over_in_the_same_order_and_a_query_set_once() -> None:
    plain, held = (FEEDER.held_out(adapt_command(BLOB, memory=memory), BLOB) for memory in (None, 2))
    order = visits(15, 4, 2)
    first = SampleSet(plain.support.inputs[:15], plain.support.targets[:15])
    assert same(held.support, SampleSet(first.inputs[order], first.targets[order]))
    assert not same(held.support, plain.support)
    assert same(held.query, plain.query)


@pytest.mark.parametrize("changes", [{"passes": 2}, {"passes": 2, "batch": 5}, {"passes": 2, "pull": 1 << 14}], ids=str)
def test_a11_8_every_job_of_a_command_has_its_least_loss(changes: dict[str, Any]) -> None:
    assert {samples.least_loss for samples in fed(**changes)} == {0.0}
    assert {samples.least_loss for samples in fed(least_loss=0.25, **changes)} == {0.25}


def test_a11_8_adaptation_has_the_least_loss_of_its_command() -> None:
    trainer = CountingTrainer()
    for least_loss in (0.25, None):
        run(jobs.adapt(trainer, FEEDER, adapt_command(BLOB, least_loss=least_loss), BLOB))
    assert [samples.least_loss for samples in trainer.trained] == [0.25, 0.0]


def test_m9_samples_in_float32_have_the_same_order_and_least_loss() -> None:
    start = pack_floats(FEEDER.plan, initial_weights(jaragua_models.get("digits").network, 1))
    command = train_command(BLOB, start=hashlib.sha256(start).digest(), passes=3, memory=3, least_loss=0.25)
    trainer = CountingTrainer()
    run(jobs.train(trainer, FEEDER, command, start))
    (floats,), (integers,) = trainer.trained, fed(passes=3, memory=3, least_loss=0.25)
    assert floats.in_float32
    assert floats.least_loss == 0.25
    assert np.array_equal(floats.targets, integers.targets)


@pytest.mark.parametrize("changes", [{"batch": 5}, {"batch": 0}, {"pull": 1 << 14}], ids=str)
def test_m3_a_memory_with_steps_of_several_samples_or_a_pull_is_refused(changes: dict[str, int]) -> None:
    with pytest.raises(DataError, match=r"a memory of 3 samples, which takes a step a sample and no pull"):
        fed(memory=3, passes=2, **changes)
    assert fed(memory=3, passes=2, batch=1)


@pytest.mark.parametrize("least_loss", [-0.1, 1e308])
def test_a_least_loss_that_is_none_is_refused(least_loss: float) -> None:
    with pytest.raises(DataError, match="a command asks for a least loss of"):
        fed(least_loss=least_loss)
    with pytest.raises(DataError, match="a command asks for a least loss of"):
        FEEDER.held_out(adapt_command(BLOB, least_loss=least_loss), BLOB)


def test_a11_8_the_unit_is_that_of_the_blobs_losses() -> None:
    """Q11 nats; the largest that is taken fits 32 bits; 0 is any loss, and next to nothing is not 0."""
    samples = FEEDER.support(train_command(BLOB), BLOB)
    found = {
        least: SampleSet(samples.inputs, samples.targets, least_loss=least).integer_least_loss(plan_of("digits"), BLOB)
        for least in (0.0, 1e-9, 0.5, LARGEST_LEAST_LOSS)
    }
    assert list(found.values()) == [0, 1, 1024, (1 << 32) - 1]


def plan_of(model: str) -> Any:
    return plan(jaragua_models.get(model).network)
