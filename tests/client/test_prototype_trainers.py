"""M18: adaptation with prototypes on a Pi, in integers and in LiteRT, has the figures of a simulated device."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fleet_bench import adapt_command, digits_blob, run, train_command

import jaragua_models
from jaragua.client.engine_trainer import EngineTrainer
from jaragua.client.litert_trainer import LitertTrainer, TrainingFiles
from jaragua.coordinator.weights.codec import ModelCodec
from jaragua.errors import DataError
from jaragua.node.training import jobs
from jaragua.node.training.task_sampler import TaskSampler
from jaragua.simulation.clients.numpy_clients import NumpyFloatFleet, ReferenceFleet
from jaragua.simulation.clients.samples import joined
from jaragua.strategies import ClientWork
from jaragua.wire.figures import check_answers
from jaragua.wire.messages import AdaptCommand, TrainCommand, unpack_update
from jaragua_compiler import initial_weights
from jaragua_compiler.engines.native_prototypes import native_engine
from jaragua_compiler.floating.form import pack_floats
from jaragua_compiler.litert.training_file import find_training_files

DIGITS = jaragua_models.get("digits")
SAMPLER = TaskSampler.of("digits")
BLOB = digits_blob()
START = pack_floats(SAMPLER.plan, initial_weights(DIGITS.network, 1))
WAYS = {"ways": 5, "shots": 4, "temperature": 0.05}


def pi() -> EngineTrainer:
    return EngineTrainer(native_engine, lambda progress: None)


def litert() -> LitertTrainer:
    return LitertTrainer(TrainingFiles(find_training_files(Path(__file__).parent / "litert")), lambda progress: None)


def in_float32() -> dict[str, bytes]:
    return {"start": hashlib.sha256(START).digest()}


def work_of(command: TrainCommand | AdaptCommand, enrolled_shots: int = 0) -> ClientWork:
    rate, temperature = command.learning_rate, command.temperature or 0.0
    return ClientWork(rate, passes=command.passes, temperature=temperature, enrolled_shots=enrolled_shots)


@pytest.mark.parametrize("passes", [0, 2])
def test_a_pi_adapts_as_a_simulated_device(passes: int) -> None:
    command = adapt_command(BLOB, passes=passes, queries=30, **WAYS)
    task = DIGITS.tasks.held_out_task(command.seed, command.ways, command.shots, command.queries)
    fleet = ReferenceFleet(DIGITS, ModelCodec(DIGITS), classes=DIGITS.network.outputs)
    support, query = (joined([part], [command.seed]) for part in (task.support, task.query))
    expected = fleet.adapt(BLOB, work_of(command), support, query)
    answer = run(jobs.adapt(pi(), SAMPLER, command, BLOB))
    assert (answer.before, answer.after) == (float(expected.before[0]), float(expected.after[0]))
    assert answer.after > answer.before
    assert sorted(answer.enrolled or (), reverse=True)[:6] == [4, 4, 4, 4, 4, 0]


@pytest.mark.parametrize("wanted", [{"passes": 2}, {"passes": 0} | WAYS, {"passes": 0} | WAYS | in_float32()], ids=str)
def test_m30_the_answers_by_class_are_those_of_the_figures(wanted: dict[str, Any]) -> None:
    """In integers and in float32, by the last layer and by prototypes."""
    in_floats = "start" in wanted
    command = adapt_command(BLOB, queries=40, **{"ways": 5, "shots": 4} | wanted)
    trainer, start = (litert(), START) if in_floats else (pi(), BLOB)
    answer = run(jobs.adapt(trainer, SAMPLER, command, start))
    check_answers(answer)
    task = DIGITS.tasks.held_out_task(command.seed, command.ways, command.shots, command.queries)
    assert answer.classes == task.classes
    assert [sum(row) for row in answer.confusion or ()] == np.bincount(task.query.y.astype(np.int64).ravel()).tolist()
    query = SAMPLER.held_out(command, start).query
    evaluated = run(trainer.evaluate(SAMPLER.plan, query, b""))
    assert answer.after == evaluated.correct / 40


@pytest.mark.parametrize("changes", [{"passes": 1}, {"passes": 2, "batch": 5}, {"loss_threshold": 0.3}], ids=str)
def test_m9_litert_trains_with_prototypes_as_a_simulated_device_in_float32(changes: dict[str, Any]) -> None:
    """The last layer holds the prototypes meanwhile, and is as it was in the update (A12.6)."""
    command = train_command(BLOB, enrolled_shots=1, **WAYS | in_float32() | changes)
    support = DIGITS.tasks.train_task(command.device, command.seed, command.ways, command.shots).support
    work = work_of(command, enrolled_shots=1)
    settings = {"batch": command.batch or 1, "loss_threshold": command.loss_threshold or 0.0}
    work = ClientWork(**vars(work) | settings)
    expected = NumpyFloatFleet(DIGITS).train(START, work, joined([support], [command.seed]))
    header, update = unpack_update(run(jobs.train(litert(), SAMPLER, command, START)).payload)
    learned = np.frombuffer(update, "<f4").astype(np.float64) - np.frombuffer(START, "<f4")
    assert np.linalg.norm(learned - expected.learned[0]) < 2e-3 * np.linalg.norm(expected.learned[0])
    head = sum(np.prod(shape) for shape in SAMPLER.plan.shapes[-1])
    assert not learned[-head:].any()
    assert learned[:-head].any()
    assert header.loss == pytest.approx(expected.loss, rel=1e-4)
    assert header.samples == 15 * command.passes


@pytest.mark.parametrize("passes", [0, 2])
def test_m9_litert_adapts_with_prototypes_as_a_simulated_device_in_float32(passes: int) -> None:
    command = adapt_command(BLOB, passes=passes, queries=30, **WAYS | in_float32())
    task = DIGITS.tasks.held_out_task(command.seed, command.ways, command.shots, command.queries)
    support, query = (joined([part], [command.seed]) for part in (task.support, task.query))
    expected = NumpyFloatFleet(DIGITS).adapt(START, work_of(command), support, query)
    answer = run(jobs.adapt(litert(), SAMPLER, command, START))
    assert (answer.before, answer.after) == pytest.approx((float(expected.before[0]), float(expected.after[0])))


def test_m18_2_a_pi_trains_in_episodes_as_a_simulated_device() -> None:
    command = train_command(BLOB, passes=2, enrolled_shots=1, episode_queries=1, **WAYS)
    support = DIGITS.tasks.train_task(command.device, command.seed, command.ways, command.shots).support
    work = replace(work_of(command, enrolled_shots=1), episode_queries=1)
    fleet = ReferenceFleet(DIGITS, ModelCodec(DIGITS), classes=DIGITS.network.outputs)
    expected = fleet.train(BLOB, work, joined([support], [command.seed]))
    header, update = unpack_update(run(jobs.train(pi(), SAMPLER, command, BLOB)).payload)
    codec = ModelCodec(DIGITS)
    assert np.array_equal(codec.unpacked(update) - codec.unpacked(BLOB), expected.learned[0])
    assert header.samples == 2 * 2 * 5  # two passes of two episodes of five classes
    assert header.loss == pytest.approx(expected.loss)


def test_m18_2_litert_refuses_episodes() -> None:
    command = train_command(BLOB, enrolled_shots=1, episode_queries=1, **WAYS | in_float32())
    with pytest.raises(DataError, match="LiteRT has no gradients of prototypes"):
        run(jobs.train(litert(), SAMPLER, command, START))


def test_litert_refuses_more_classes_than_the_network_has_outputs() -> None:
    trainer = litert()
    samples = SAMPLER.support(train_command(BLOB, **WAYS | in_float32()), START)
    samples.targets[0] = DIGITS.network.outputs
    with pytest.raises(DataError, match="the 10 outputs of the network, the task has 11 classes"):
        run(trainer.enrol(SAMPLER.plan, samples, START))
