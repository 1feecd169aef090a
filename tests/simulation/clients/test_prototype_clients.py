"""Virtual devices with prototypes (A12): C and NumPy give the same bits, and both arithmetics learn."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from test_integer_clients import MODELS

import jaragua_models
from jaragua.coordinator.weights.codec import ModelCodec
from jaragua.errors import ModelError
from jaragua.simulation.clients.engine import VirtualFleet
from jaragua.simulation.clients.float_clients import FloatFleet
from jaragua.simulation.clients.integer_clients import IntegerFleet
from jaragua.simulation.clients.numpy_clients import NumpyFloatFleet, ReferenceFleet
from jaragua.simulation.clients.samples import Batch, joined
from jaragua.simulation.settings import default_cache
from jaragua.strategies import ClientWork
from jaragua.strategies.enrolment import enrolment_order, episodes_of

DIGITS = jaragua_models.get("digits")
WORK = ClientWork(learning_rate=0.02, passes=1, temperature=0.05, enrolled_shots=2)
WORKS = {
    "a pass": WORK,
    "two passes": replace(WORK, passes=2),
    "three samples a step": replace(WORK, batch=3, error_clip=0.3),
    "refined": replace(WORK, enrolled_shots=0, passes=2),
    "episodes": replace(WORK, enrolled_shots=1, episode_queries=1, passes=2),
    "episodes of two shots": replace(WORK, enrolled_shots=2, episode_queries=2),
    "enrolled alone": replace(WORK, enrolled_shots=0, passes=0),
}


def _tasks(shots: int) -> tuple[Batch, Batch]:
    tasks = [DIGITS.tasks.held_out_task(seed, 5, shots, 20) for seed in range(2)]
    seeds = [11, 12]
    return joined([task.support for task in tasks], seeds), joined([task.query for task in tasks], seeds)


@pytest.mark.parametrize("work", WORKS.values(), ids=WORKS)
@pytest.mark.parametrize("name", ["digits", "images-w8"])
def test_a12_c_and_numpy_give_the_same_bits(name: str, work: ClientWork) -> None:
    model = MODELS[name]
    codec = ModelCodec(model)
    support, query = _tasks(3)
    fleets: list[VirtualFleet] = [
        IntegerFleet(model, codec, 2, default_cache(), classes=12),
        ReferenceFleet(model, codec, classes=12),
    ]
    results = []
    for fleet in fleets:
        with fleet:
            start = fleet.start(codec.initial(5))
            trained = fleet.train(start, work, support) if work.passes else None
            found = fleet.adapt(start, work, support, query)
        learned = trained.learned if trained else np.zeros(0)
        results.append((learned.tobytes(), found.before.tolist(), found.after.tolist(), found.answers.tolist()))
        if trained:
            head = sum(np.prod(shape) for shape in model.network.weight_shapes(model.network.weighted[-1]))
            assert learned[:, :-head].any(axis=1).all()
            assert not learned[:, -head:].any()  # the last layer is not used
    assert results[0] == results[1]
    if not work.passes:
        assert np.mean(results[0][2]) > 0.35  # chance is 0.2, and the weights are random


@pytest.mark.parametrize("work", WORKS.values(), ids=WORKS)
def test_a12_in_float32_c_and_numpy_agree(work: ClientWork) -> None:
    support, query = _tasks(4)
    vector = ModelCodec(DIGITS).initial(5)
    work = replace(work, error_clip=0.0)
    with FloatFleet(DIGITS, 1, default_cache()) as in_c, NumpyFloatFleet(DIGITS) as in_numpy:
        start = in_c.start(vector)
        one, other = (fleet.adapt(start, work, support, query) for fleet in (in_c, in_numpy))
        if work.passes:
            learned = [fleet.train(start, work, support).learned for fleet in (in_c, in_numpy)]
            off = np.abs(learned[0] - learned[1]).max()
            assert off < 0.01 * np.abs(learned[1]).max(), off
    assert np.mean(one.answers == other.answers) > 0.95


def test_a12_integers_learn_what_float32_does() -> None:
    support, query = _tasks(4)
    codec = ModelCodec(DIGITS)
    accuracies = []
    with IntegerFleet(DIGITS, codec, 1, default_cache()) as integers, FloatFleet(DIGITS, 1, default_cache()) as floats:
        for fleet in (integers, floats):
            found = fleet.adapt(fleet.start(codec.initial(5)), WORKS["refined"], support, query)
            accuracies.append(float(np.mean(found.after)))
    assert abs(accuracies[0] - accuracies[1]) < 0.07, accuracies


def test_the_first_samples_of_each_class_are_enrolled() -> None:
    labels = np.array([3, 3, 1, 3, 1, 2, 1])
    order, enrolled = enrolment_order(labels, 1)
    assert (order.tolist(), enrolled) == ([0, 2, 5, 1, 3, 4, 6], 3)
    assert enrolment_order(labels, 0)[0].tolist() == list(range(7))
    assert enrolment_order(labels, 9)[1] == 7
    batch = Batch(labels[:, None].astype(np.float32), labels, np.array([4, 3]), np.array([0, 1])).with_lessons(1)
    assert batch.y.tolist() == [3, 1, 3, 3, 1, 2, 1]
    assert batch.lessons is not None
    assert (batch.lessons.enrolled.tolist(), batch.lessons.trained.tolist()) == ([2, 2], [2, 1])
    assert batch.trained == 3
    second = batch.part(1, 2).lessons
    assert second is not None
    assert (second.episodes.tolist(), second.enrolled.tolist()) == ([1], [2])


def test_episodes_take_the_next_samples_of_each_class() -> None:
    labels = np.array([3, 3, 1, 3, 1, 2, 1, 3, 3, 1])
    found = episodes_of(labels, 1, 1)
    assert [one.enrolled.tolist() for one in found] == [[0, 2], [3, 6]]  # class 2 has one sample: it has no part in it
    assert [one.trained.tolist() for one in found] == [[1, 4], [7, 9]]
    assert [one.trained.tolist() for one in episodes_of(labels, 1, 9)] == [[1, 3, 4, 6, 7, 8, 9]]
    assert episodes_of(labels, 5, 1) == []
    batch = Batch(labels[:, None].astype(np.float32), labels, np.array([10]), np.array([0])).with_lessons(1, 1)
    assert batch.y.tolist() == [3, 1, 3, 1, 3, 1, 3, 1]
    assert batch.trained == 4
    assert batch.counts.tolist() == [8]
    with pytest.raises(ModelError, match="has no episode"):
        Batch(np.zeros((3, 1), np.float32), np.zeros(3, np.int64), np.array([3]), np.array([0])).with_lessons(1, 1)
