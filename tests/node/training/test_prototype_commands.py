"""M18 and M12: what a command with prototypes asks for, and what of it a node refuses."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from fleet_bench import adapt_command, digits_blob, train_command

from jaragua.errors import DataError, ProtocolError
from jaragua.node.training import ranges
from jaragua.node.training.prototypes import episodes_of_task, lesson_of
from jaragua.node.training.task_sampler import TaskSampler
from jaragua_compiler import CompileError

BLOB = digits_blob()
SAMPLER = TaskSampler.of("digits")


def test_m18_the_first_samples_of_each_class_are_enrolled_and_the_others_teach() -> None:
    samples = SAMPLER.support(train_command(BLOB, temperature=0.05), BLOB)
    lesson = lesson_of(samples, 1, batch=2)
    labels = samples.targets[:, 0].tolist()
    first = sorted(labels.index(label) for label in set(labels))
    assert lesson.enrolled.targets[:, 0].tolist() == [labels[place] for place in first]
    others = [place for place in range(len(labels)) if place not in first]
    assert np.array_equal(lesson.trained.inputs, samples.inputs[others])
    assert (lesson.trained.step, lesson.trained.temperature) == (2, 0.05)
    everything = lesson_of(samples, 0)
    assert len(everything.enrolled) == len(everything.trained) == len(samples)


def test_m18_a_task_that_leaves_nothing_to_train_on_is_refused() -> None:
    samples = SAMPLER.support(train_command(BLOB, temperature=0.05), BLOB)
    with pytest.raises(DataError, match="none is left to train on"):
        lesson_of(samples, 4)


@pytest.mark.parametrize("changes", [{"replay_buffer_size": 3}, {"proximal_decay": 1 << 14}], ids=str)
def test_m18_prototypes_take_no_replay_buffer_and_no_proximal_term(changes: dict[str, Any]) -> None:
    with pytest.raises(DataError, match="which take neither a replay buffer nor a proximal term"):
        SAMPLER.support(train_command(BLOB, temperature=0.05, **changes), BLOB)


@pytest.mark.parametrize(
    "changes",
    [{"temperature": None}, {"enrolled_shots": None}, {"enrolled_shots": 0}, {"batch": 2}, {"batch": 0}],
    ids=str,
)
def test_m18_2_episodes_take_a_temperature_enrolled_shots_and_single_steps(changes: dict[str, Any]) -> None:
    wanted = {"temperature": 0.05, "enrolled_shots": 1, "episode_queries": 1}
    SAMPLER.support(train_command(BLOB, **wanted), BLOB)
    with pytest.raises(DataError, match="which take a temperature, enrolled-shots and a batch of 1"):
        SAMPLER.support(train_command(BLOB, **wanted | changes), BLOB)


def test_m18_2_a_task_without_an_episode_is_refused() -> None:
    samples = SAMPLER.support(train_command(BLOB, temperature=0.05, enrolled_shots=1, episode_queries=1), BLOB)
    assert [len(one.trained) for one in episodes_of_task(samples, 1, 1)] == [3, 3]
    with pytest.raises(DataError, match="have no episode: 4 of each class are enrolled"):
        episodes_of_task(samples, 4, 1)


def test_m18_a_regression_has_no_prototypes() -> None:
    with pytest.raises(CompileError, match="has no features to make prototypes of"):
        TaskSampler.of("sine").support(train_command(BLOB, ways=1, temperature=0.05), BLOB)


@pytest.mark.parametrize("temperature", [-0.1, 0.0, 2.0**-33, 1.0, 1e300, float("nan"), float("inf")])
@pytest.mark.parametrize("make", [train_command, adapt_command])
def test_m12_a_temperature_outside_its_range_is_refused(make: Any, temperature: float) -> None:
    with pytest.raises(ProtocolError, match=r"temperature = .* is not in"):
        ranges.check(make(BLOB, temperature=temperature))
    ranges.check(make(BLOB, temperature=0.05, enrolled_shots=3))


@pytest.mark.parametrize(
    "message",
    [
        train_command(BLOB, passes=0),
        train_command(BLOB, passes=0, temperature=0.05),
        adapt_command(BLOB, passes=0),
        adapt_command(BLOB, passes=0, temperature=0.05, ways=1000, shots=1000),
        train_command(BLOB, temperature=0.05, enrolled_shots=1 << 40),
        train_command(BLOB, temperature=0.05, enrolled_shots=1, episode_queries=1 << 40),
    ],
    ids=str,
)
def test_m12_a_command_that_is_too_large_or_does_nothing_is_refused(message: Any) -> None:
    with pytest.raises(ProtocolError):
        ranges.check(message)
    ranges.check(adapt_command(BLOB, passes=0, temperature=0.05))
