"""The rate and the number of passes that suit the adaptation from given starts, on given tasks."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from jaragua.simulation.clients.engine import Evaluation, VirtualFleet, joined_evaluations
from jaragua.simulation.clients.samples import joined
from jaragua.simulation.models import model_for
from jaragua.simulation.settings import Simulation
from jaragua.strategies import ClientWork
from jaragua_compiler import plan
from jaragua_compiler.planning.operators import ConvolutionPlan, WeightedPlan
from jaragua_models import Task

#: Passes by which rates are compared; the best rate is then tried with more, and with a third of it.
PASSES: Final = 4
MORE_PASSES: Final = (16, 64)
#: Tasks of one start; where there are several starts, the next so many tasks have another.
TASKS_OF_A_START: Final = 20
#: Of a training step, by multiplications of a forward pass: forward, errors, update.
_OF_A_STEP: Final = 3


@dataclass(frozen=True, order=True)
class Tried:
    """How a new device adapts, and its score (larger is better); of two alike the one of fewer passes."""

    score: float
    fewer: int
    learning_rate: float

    @property
    def passes(self) -> int:
        """Over the support set."""
        return -self.fewer


class AdaptationSearch:
    """Evaluates starts on tasks, and counts the work of it."""

    def __init__(
        self,
        simulation: Simulation,
        fleet: VirtualFleet,
        tasks: Sequence[Task],
        work: ClientWork,
        most_work: float,
    ) -> None:
        """work: what a new device does; its rate and passes are replaced. most_work: multiplications in all."""
        self._fleet, self._tasks, self._work, self._most_work = fleet, tasks, work, most_work
        self._sign = 1.0 if model_for(simulation).metric == "accuracy" else -1.0
        self._work_of_a_pass = _OF_A_STEP * len(tasks[0].support) * multiplications(simulation)
        self._spent = 0.0

    def best(self, starts: Sequence[bytes], rates: Sequence[float], count: int, margin: float = 0.0) -> Tried:
        """The best of these rates and of PASSES and MORE_PASSES, on the first `count` tasks.

        margin: of the score; among those that are no worse than the best by more, the best with the fewest passes.
        """
        first = [self.tried(starts, rate, PASSES, count) for rate in rates]
        rate = max(first).learning_rate
        more = itertools.product(MORE_PASSES, (rate, rate / 3))
        tried = [*first, *(self.tried(starts, one, n, count) for n, one in more if self._allows(n, count))]
        good = [one for one in tried if one.score >= max(tried).score - margin]
        return max(good, key=lambda one: (one.fewer, one.score))

    def tried(self, starts: Sequence[bytes], rate: float, passes: int, count: int) -> Tried:
        """On the first `count` tasks. What is no number is worse than anything."""
        self._spent += self._cost(passes, count)
        score = self._sign * float(np.mean(self.evaluated(starts, rate, passes, count).after))
        return Tried(score if np.isfinite(score) else -np.inf, -passes, rate)

    def evaluated(self, starts: Sequence[bytes], rate: float, passes: int, count: int) -> Evaluation:
        """The first `count` tasks, each group of TASKS_OF_A_START from the next start."""
        work = replace(self._work, learning_rate=rate, passes=passes)
        return joined_evaluations(list(self._groups(starts, work, count)))

    def tasks_within_reach(self, passes: int, least: int) -> int:
        """How many tasks the work that is left allows, at least `least`, at most all."""
        left = int((self._most_work - self._spent) / self._cost(passes, 1))
        return min(len(self._tasks), max(least, left))

    def _groups(self, starts: Sequence[bytes], work: ClientWork, count: int) -> Iterator[Evaluation]:
        size = TASKS_OF_A_START if len(starts) > 1 else count
        for number, first in enumerate(range(0, count, size)):
            seeds = range(first, min(first + size, count))
            some = [self._tasks[seed] for seed in seeds]
            support, query = (joined([getattr(task, part) for task in some], seeds) for part in ("support", "query"))
            yield self._fleet.adapt(starts[number % len(starts)], work, support, query)

    def _allows(self, passes: int, count: int) -> bool:
        """Whether so many passes over the tasks, and as many at the end, are within the work."""
        return self._spent + 2 * self._cost(passes, count) <= self._most_work

    def _cost(self, passes: int, tasks: int) -> float:
        return self._work_of_a_pass * passes * tasks


def multiplications(simulation: Simulation) -> float:
    """Of one forward pass, about; not less than what a step costs besides."""
    layers = plan(model_for(simulation).network).layers
    return 1000.0 + sum(layer.outputs * layer.inputs * _positions(layer) for layer in layers)


def _positions(layer: WeightedPlan) -> int:
    return layer.positions if isinstance(layer, ConvolutionPlan) else 1
