"""Validation sets within the training data of a task, and the tasks that are asked there."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Final

import numpy as np

from jaragua.errors import DataError, UsageError
from jaragua.models import VALIDATION, leaving_out, model_named
from jaragua.simulation import Simulation, device_names
from jaragua.simulation.comparison.adaptation_search import TASKS_OF_A_START, multiplications
from jaragua.simulation.evaluation.evaluation import drawn_tasks
from jaragua.simulation.models import model_for
from jaragua_models import HasOwners, LeavesOneOut
from jaragua_models import ModelError as ModelsError

#: Tasks of the one validation set, by the multiplications of a forward pass: a point of accuracy is told apart by some
#: hundred tasks, but those of a large network take minutes. Where each training device is one, each has so many times
#: TASKS_OF_A_START.
TASKS, SMALL_TASKS, SMALL_NETWORK = 60, 240, 100_000.0
SMALL_TURNS: Final = 3
#: With fewer training devices each of them is a validation set in turn: one in four would be a single device.
FEW_DEVICES: Final = 5
#: Classes and samples of a wide task, by the task's own and at most; and devices that must have them.
_WIDER, _MOST_SAMPLES, _ASKED = (4, 3, 2, 1), (20, 15, 10, 5, 3, 2), 8


@dataclass(frozen=True)
class Turn:
    """One validation set. prefix: before a model's name; base: the task's simulation there; tasks: asked of it."""

    prefix: str
    base: Simulation
    tasks: int

    @property
    def starts(self) -> int:
        """How often what was learned is evaluated on TASKS_OF_A_START tasks, where there are several sets."""
        return max(1, self.tasks // TASKS_OF_A_START)


def turns_of(base: Simulation, leave_one_out: bool | None) -> tuple[Turn, ...]:
    """The validation sets of a search: one, or each training device in turn (D11).

    base: the simulation of the task with its own settings. leave_one_out: None: where fewer than FEW_DEVICES train.
    Raises: UsageError for tasks that cannot leave a device out; ModelError, DataError.
    """
    tasks = model_named(base.task).tasks
    owners = tasks.owners() if isinstance(tasks, LeavesOneOut) else 0
    if leave_one_out and not owners:
        message = f"'{base.task}' cannot leave one device out: its tasks are not those of devices of your own data"
        raise UsageError(message, "leave --leave-one-out away")
    if not (1 < owners < FEW_DEVICES if leave_one_out is None else leave_one_out):
        count = validation_tasks(base)
        return (Turn(VALIDATION, _on_validation(base, VALIDATION, count), count),)
    prefixes = [leaving_out(number) for number in range(owners)]
    count = TASKS_OF_A_START * (SMALL_TURNS if multiplications(base) <= SMALL_NETWORK else 1)
    bases = [_on_validation(base, prefix, count) for prefix in prefixes]
    ways = min(one.ways for one in bases)
    return tuple(Turn(prefix, one.changed(ways=ways), count) for prefix, one in zip(prefixes, bases, strict=True))


def validation_tasks(base: Simulation) -> int:
    """How many tasks one validation set has."""
    return SMALL_TASKS if multiplications(base) <= SMALL_NETWORK else TASKS


def wide_task(simulation: Simulation) -> tuple[int, int]:
    """Ways and shots of the widest round that the first devices can have, with all classes of the simulation's own."""
    model = model_for(simulation)
    devices = simulation.devices[:_ASKED]

    def classes(ways: int, shots: int) -> int:
        try:
            drawn = [model.tasks.train_task(device, 1, ways, shots) for device in devices]
        except ModelsError:
            return 0
        return min(len(np.unique(task.support.y)) for task in drawn)

    least = classes(simulation.ways, simulation.shots)
    wider = [factor * simulation.ways for factor in _WIDER] if model.own_labels else [simulation.ways]
    for ways, shots in itertools.product(wider, _MOST_SAMPLES):
        if classes(ways, shots) >= (ways if model.own_labels else least):
            return ways, max(shots, simulation.shots) if ways == simulation.ways else shots
    return simulation.ways, simulation.shots


def _on_validation(base: Simulation, prefix: str, count: int) -> Simulation:
    """The same on `count` tasks of the validation set, of as many ways as it has.

    Its devices are those that train there. Raises: ModelError, DataError.
    """
    name = prefix + base.task
    tasks, devices = model_named(name).tasks, base.devices
    if isinstance(tasks, HasOwners):
        devices = device_names(max(1, tasks.owners()))
    changed = base.changed(
        {"tasks": count},
        task=name,
        devices=devices,
        clients=min(base.clients, len(devices)),
        buffered=None,
        config=None,
    )
    return _of_fewer_ways(changed) if model_named(name).own_labels else changed


def _of_fewer_ways(simulation: Simulation) -> Simulation:
    """Of as many ways as the validation set allows: its classes are some of those that train."""
    for ways in range(simulation.ways, 1, -1):
        fewer = simulation.changed(ways=ways)
        try:
            drawn_tasks(fewer, range(1))
        except DataError:
            if ways > 2:
                continue
            raise
        return fewer
    return simulation
