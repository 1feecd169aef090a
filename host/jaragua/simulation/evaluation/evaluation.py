"""Held-out tasks: how well new devices adapt from what was learned."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

import jaragua_models
from jaragua.errors import ConfigurationError, DataError, RunError
from jaragua.models import is_file
from jaragua.report.intervals import mean_interval
from jaragua.simulation.clients.engine import Evaluation, VirtualFleet, joined_evaluations
from jaragua.simulation.clients.samples import Batch, joined
from jaragua.simulation.models import task_model
from jaragua.simulation.settings import CurvePoint, Means, Natural, Simulation
from jaragua.simulation.strategy import adaptation_of
from jaragua.strategies import Vector
from jaragua_models import NaturalTasks, Samples, Task

#: Tasks that are in memory at once.
_TASKS_AT_ONCE: Final = 100
#: Of those with queries as they come, which are many.
NATURAL_TASKS: Final = 40


@dataclass(frozen=True)
class HeldOut:
    """Several tasks: what is learned, and what is asked."""

    support: Batch
    query: Batch


def held_out(simulation: Simulation) -> Iterator[HeldOut]:
    """Tasks 0, 1, 2, … of the model: the same for every strategy, engine and seed. Raises: DataError."""
    for first in range(0, simulation.evaluation.tasks, _TASKS_AT_ONCE):
        yield held_out_tasks(simulation, range(first, min(first + _TASKS_AT_ONCE, simulation.evaluation.tasks)))


def held_out_tasks(simulation: Simulation, seeds: range) -> HeldOut:
    """The tasks of these seeds."""
    tasks = drawn_tasks(simulation, seeds)
    return HeldOut(joined([task.support for task in tasks], seeds), joined([task.query for task in tasks], seeds))


def drawn_tasks(simulation: Simulation, seeds: range) -> list[Task]:
    """The same, one by one. Raises: DataError."""
    source = task_model(simulation).tasks
    shots = simulation.evaluation.shots or simulation.shots
    try:
        return [
            source.held_out_task(seed, simulation.held_out_ways, shots, simulation.evaluation.queries) for seed in seeds
        ]
    except jaragua_models.ModelError as error:
        raise DataError(error.message, error.hint) from error


def check(simulation: Simulation) -> None:
    """What evaluation would find out only after all the training: tasks that cannot be drawn, numbers without sense.

    Of one's own data every task is tried: some held-out device may have too few samples. Of the zoo's all are alike.
    Raises: ConfigurationError, DataError.
    """
    if simulation.replay_buffer_size and simulation.evaluation.batch != 1:
        message = (
            f"replay_buffer_size is {simulation.replay_buffer_size}, which takes a batch of 1, "
            f"and evaluation.batch is {simulation.evaluation.batch}"
        )
        raise ConfigurationError(message, "leave one of the two out")
    try:
        adaptation_of(simulation)
    except ConfigurationError as error:
        raise ConfigurationError(f"evaluation.{error.message}", error.hint) from error
    for tried in held_out(simulation if is_file(simulation.task) else simulation.changed({"tasks": 1})):
        del tried


def evaluate(simulation: Simulation, fleet: VirtualFleet, vector: Vector) -> Evaluation:
    """All held-out tasks from one start, adapted as a new device does."""
    start, work = fleet.start(vector), adaptation_of(simulation)
    return _together([fleet.adapt(start, work, tasks.support, tasks.query) for tasks in held_out(simulation)])


def evaluate_starts(simulation: Simulation, fleet: VirtualFleet, vectors: Iterator[Vector]) -> Evaluation:
    """Every held-out task from a start of its own."""
    work, found = adaptation_of(simulation), []
    for number, vector in zip(range(simulation.evaluation.tasks), vectors, strict=False):
        tasks = held_out_tasks(simulation, range(number, number + 1))
        found.append(fleet.adapt(fleet.start(vector), work, tasks.support, tasks.query))
    return _together(found)


def evaluate_natural(simulation: Simulation, fleet: VirtualFleet, vectors: Iterator[Vector]) -> Natural | None:
    """Held-out tasks on their queries as they come, one from each vector; None if the tasks do not know them.

    Each class is asked alone: the parts that are answered rightly give how many were found and how many false alarms.
    """
    model = task_model(simulation)
    source = model.tasks
    if not isinstance(source, NaturalTasks) or model.network.outputs != 2:
        return None
    work, shots = adaptation_of(simulation), simulation.evaluation.shots or simulation.shots
    figures = []
    for seed, vector in zip(range(min(simulation.evaluation.tasks, NATURAL_TASKS)), vectors, strict=False):
        task = source.natural_task(seed, simulation.held_out_ways, shots, simulation.evaluation.queries)
        start, support = fleet.start(vector), joined([task.support], [seed])
        classes = [joined([_of_class(task.query, label)], [seed]) for label in (0, 1)]
        found = [float(fleet.adapt(start, work, support, query).after[0]) for query in classes]
        figures.append(_natural(found, [len(query.x) for query in classes]))
    balanced, f1 = (means(np.array(column)) for column in zip(*figures, strict=True))
    return Natural(balanced, f1)


def _of_class(query: Samples, label: int) -> Samples:
    return Samples(query.x[query.y == label], query.y[query.y == label])


def _natural(right: list[float], counts: list[int]) -> tuple[float, float]:
    """Balanced accuracy and F1 of class 1, from the part of each class that is answered rightly."""
    hits, false_alarms = right[1] * counts[1], (1 - right[0]) * counts[0]
    asked = counts[1] + hits + false_alarms
    return (right[0] + right[1]) / 2, 2 * hits / asked if asked else 0.0


def curve(simulation: Simulation, fleet: VirtualFleet, vectors: Mapping[int, Vector]) -> tuple[CurvePoint, ...]:
    """Each of the vectors, by the rounds it took, evaluated on `curve_tasks` held-out tasks."""
    fewer = simulation.changed({"tasks": simulation.curve_tasks})
    evaluated = {rounds: evaluate(fewer, fleet, vector) for rounds, vector in sorted(vectors.items())}
    return tuple(CurvePoint(rounds, means(found.before), means(found.after)) for rounds, found in evaluated.items())


def means(values: NDArray[np.float64]) -> Means:
    """Mean and half the width of its 95 % interval; 0 wide for a single task."""
    if len(values) < 2:
        return Means(float(values.mean()), 0.0)
    interval = mean_interval(values.tolist())
    return Means(interval.mean, interval.high - interval.mean)


def _together(parts: list[Evaluation]) -> Evaluation:
    whole = joined_evaluations(parts)
    after = whole.after
    if lost := int(np.count_nonzero(~np.isfinite(after))):
        message = (
            f"in {lost} of {len(after)} held-out tasks the error is not a number after adapting: training diverged"
        )
        raise RunError(message, "take a smaller --adapt-learning-rate, or --learning-rate")
    return whole
