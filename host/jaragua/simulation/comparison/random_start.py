"""The random start at its best: the rate and the number of passes that suit it, on the held-out tasks themselves.

Rate and passes are picked on the first of the tasks that they are then evaluated on, so the baseline is favoured.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from jaragua.coordinator.weights.codec import ModelCodec
from jaragua.simulation.clients.engine import Evaluation, VirtualFleet, joined_evaluations
from jaragua.simulation.clients.samples import joined
from jaragua.simulation.models import model_for
from jaragua.simulation.settings import Simulation
from jaragua.strategies import ClientWork
from jaragua_compiler import plan
from jaragua_compiler.planning.operators import ConvolutionPlan, WeightedPlan
from jaragua_models import Task

RATES: Final = (0.01, 0.03, 0.1, 0.3)
#: The rates are compared by so many passes; the best is then tried with more, and with a third of it.
PASSES: Final = 4
MORE_PASSES: Final = (16, 64)
#: Tasks on which rate and passes are picked.
TRIED_TASKS: Final = 20
#: Tasks of one random start; the next so many have another.
_TASKS_OF_A_START: Final = 20
#: Multiplications of the whole search: seconds of one processor.
_MOST_WORK: Final = 2.0e10
#: Of a training step, by multiplications of a forward pass: forward, errors, update.
_OF_A_STEP: Final = 3
#: So that a simulation of another seed has other starts.
_SEEDS: Final = 1 << 64


@dataclass(frozen=True)
class RandomStart:
    """What random weights reach. evaluated: of the first tasks, as many as the work allowed."""

    learning_rate: float
    passes: int
    evaluated: Evaluation
    tasks: int


def best_random_start(
    simulation: Simulation, fleet: VirtualFleet, codec: ModelCodec, tasks: Sequence[Task], work: ClientWork
) -> RandomStart:
    """The best of some rates and passes. work: what a new device does; its rate and passes are replaced."""
    search = _Search(simulation, fleet, codec, tasks, work)
    first = [search.tried(rate, PASSES) for rate in RATES]
    rate = max(first).rate
    more = [
        search.tried(one, passes)
        for passes, one in itertools.product(MORE_PASSES, (rate, rate / 3))
        if search.allows(passes)
    ]
    best = max([*first, *more])
    count = search.tasks_within_reach(best.passes)
    return RandomStart(best.rate, best.passes, search.evaluated(best.rate, best.passes, count), count)


@dataclass(frozen=True, order=True)
class _Tried:
    """By its score, larger is better; of two alike the one of fewer passes."""

    score: float
    fewer: int
    rate: float

    @property
    def passes(self) -> int:
        return -self.fewer


class _Search:
    """Evaluates random starts, and counts the work of it."""

    def __init__(
        self,
        simulation: Simulation,
        fleet: VirtualFleet,
        codec: ModelCodec,
        tasks: Sequence[Task],
        work: ClientWork,
    ) -> None:
        self._fleet, self._tasks, self._work = fleet, tasks, work
        self._sign = 1.0 if model_for(simulation).metric == "accuracy" else -1.0
        self._starts = [
            fleet.start(codec.initial(simulation.seed + number * _SEEDS))
            for number in range(0, len(tasks), _TASKS_OF_A_START)
        ]
        samples = len(tasks[0].support)
        self._work_of_a_pass = _OF_A_STEP * samples * multiplications(simulation)
        self._spent = 0.0

    def allows(self, passes: int) -> bool:
        """Whether so many passes over the tried tasks and as many at the end are within the work."""
        return self._spent + 2 * self._cost(passes, TRIED_TASKS) <= _MOST_WORK

    def tasks_within_reach(self, passes: int) -> int:
        """How many tasks the work that is left allows; the tried ones at least."""
        left = int((_MOST_WORK - self._spent) / self._cost(passes, 1))
        return min(len(self._tasks), max(TRIED_TASKS, left))

    def tried(self, rate: float, passes: int) -> _Tried:
        """On the first tasks."""
        count = min(TRIED_TASKS, len(self._tasks))
        self._spent += self._cost(passes, count)
        score = self._sign * float(np.mean(self.evaluated(rate, passes, count).after))
        return _Tried(score if np.isfinite(score) else -np.inf, -passes, rate)

    def evaluated(self, rate: float, passes: int, count: int) -> Evaluation:
        """The first tasks, each group from a start of its own."""
        work = replace(self._work, learning_rate=rate, passes=passes)
        return joined_evaluations(list(self._groups(work, count)))

    def _groups(self, work: ClientWork, count: int) -> Iterator[Evaluation]:
        for number, first in enumerate(range(0, count, _TASKS_OF_A_START)):
            last = min(first + _TASKS_OF_A_START, count)
            some, seeds = self._tasks[first:last], range(first, last)
            support = joined([task.support for task in some], seeds)
            query = joined([task.query for task in some], seeds)
            yield self._fleet.adapt(self._starts[number], work, support, query)

    def _cost(self, passes: int, tasks: int) -> float:
        return self._work_of_a_pass * passes * tasks


def multiplications(simulation: Simulation) -> float:
    """Of one forward pass, about; not less than what a step costs besides."""
    layers = plan(model_for(simulation).network).layers
    return 1000.0 + sum(layer.outputs * layer.inputs * _positions(layer) for layer in layers)


def _positions(layer: WeightedPlan) -> int:
    return layer.positions if isinstance(layer, ConvolutionPlan) else 1
