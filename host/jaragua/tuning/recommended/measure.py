"""Defaults, tuned settings and simple methods on the same held-out tasks."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from jaragua.bases.value import Value
from jaragua.config import for_simulation
from jaragua.errors import UsageError
from jaragua.simulation import Means, Simulation, SimulationResult, simulate
from jaragua.simulation.comparison import simple_methods
from jaragua.simulation.comparison.figures import clustered_means
from jaragua.simulation.evaluation.evaluation import drawn_tasks
from jaragua.simulation.settings import simulation_of
from jaragua.tuning import advice
from jaragua.tuning.search import Tuner
from jaragua_models import Task

#: Held-out tasks of a row.
TASKS: Final = 400
Scores: TypeAlias = NDArray[np.float64]
_SOURCE: Final = "comparison:"


@dataclass(frozen=True)
class Row:
    """A task, by the name of a model or the TOML file of one's own data, and the shots of a new device."""

    task: str
    shots: int | None = None

    @classmethod
    def of(cls, text: str) -> Row:
        """`digits`, or with shots `digits:1`. Raises: UsageError."""
        task, colon, shots = text.rpartition(":")
        if not colon:
            return cls(text)
        if not shots.isdecimal() or int(shots) < 1:
            raise UsageError(f"{text!r} is no task with shots", "give for example digits:1")
        return cls(task, int(shots))

    def __str__(self) -> str:
        return self.task if self.shots is None else f"{self.task}:{self.shots}"


class Method(Value):
    """Figures of one method; gap: what a recommendation scores more, task by task. Both with 95 % intervals."""

    name: str
    mean: float
    ci95: float
    gap: float = 0.0
    gap_ci95: float = 0.0


class Measured(Value):
    """A row. Errors (mse) have their sign turned in gaps: above 0 is better. tasks: that all figures are of.

    defaults, tuned: their gap is to the best of the simple methods; tuned_gap: defaults less tuned.
    """

    row: str
    metric: str
    shots: int
    tasks: int
    devices: int
    defaults: Method
    tuned: Method
    tuned_gap: float
    tuned_gap_ci95: float
    simple: tuple[Method, ...]
    seconds: float

    @property
    def best_simple(self) -> Method:
        """The best method on the support set alone."""
        sign = 1.0 if self.metric == "accuracy" else -1.0
        return max(self.simple, key=lambda one: sign * one.mean)


@dataclass(frozen=True)
class Effort:
    """minutes: of one processor, for a search. tasks: held-out ones. workers: None: one for each core."""

    minutes: float
    tasks: int = TASKS
    seed: int = 1
    workers: int | None = None


def measured(row: Row, effort: Effort, clock: Callable[[], float] = time.process_time) -> Measured:
    """One row. clock: seconds; by default the processor's, so that other work takes no rounds from a search.

    Raises: as `simulate` and `Tuner`.
    """
    begun = clock()
    base = simulation_for(row, {}, effort)
    known = simulate(base, workers=effort.workers)
    tasks = drawn_tasks(base, range(effort.tasks))
    found = Tuner(base, 60 * effort.minutes, clock, workers=effort.workers).run()
    settings = advice.run_settings(row.task, found, row.shots)
    changes = {f"{section}.{name}": value for section, values in settings.items() for name, value in values.items()}
    tuned = simulate(simulation_for(row, changes, effort), workers=effort.workers)
    answers = _Answers(known, tuned, tasks, _simple(known.metric, tasks))
    return _row(row, base, answers, str(found.best.candidate), clock() - begun)


@dataclass(frozen=True)
class _Answers:
    """What all methods scored on the same tasks. simple: by name, float64 [tasks]."""

    known: SimulationResult
    tuned: SimulationResult
    tasks: Sequence[Task]
    simple: Mapping[str, Scores]


def _simple(metric: str, tasks: Sequence[Task]) -> dict[str, Scores]:
    """Methods on the support set alone; of logistic regression the form that suits these tasks best."""
    if metric != "accuracy":
        methods = {"nearest neighbour": simple_methods.nearest_neighbour, "mean": simple_methods.mean_target}
        return {
            name: np.array([np.mean((method(task) - task.query.y) ** 2) for task in tasks])
            for name, method in methods.items()
        }

    def right(method: Callable[[Task], NDArray[Any]]) -> Scores:
        return np.array([np.mean(method(task) == task.query.y) for task in tasks])

    regressions = [partial(simple_methods.logistic_regression, how=one) for one in simple_methods.MORE_REGRESSIONS]
    return {
        "nearest neighbour": right(simple_methods.nearest_neighbour),
        "nearest prototype": right(simple_methods.nearest_prototype),
        "logistic regression": max((right(one) for one in regressions), key=np.mean),
    }


def simulation_for(row: Row, changes: Mapping[str, Any], effort: Effort) -> Simulation:
    """The simulation of a row with the task's defaults and these changes. Raises: as `for_simulation`."""
    asked = {"model.name": row.task, "run.seed": effort.seed, "evaluation.tasks": effort.tasks}
    shots = {} if row.shots is None else {"evaluation.shots": row.shots}
    return simulation_of(for_simulation(None, asked | shots | dict(changes), _SOURCE))


def _row(row: Row, base: Simulation, answers: _Answers, chosen: str, seconds: float) -> Measured:
    known, tuned, devices = answers.known, answers.tuned, [task.device for task in answers.tasks]
    sign = 1.0 if known.metric == "accuracy" else -1.0
    best = max(answers.simple.values(), key=lambda scores: sign * float(scores.mean()))

    def method(name: str, scores: Sequence[float] | Scores) -> Method:
        own, gap = clustered_means(list(scores), devices), _gap(sign, scores, best, devices)
        return Method(name=name, mean=own.mean, ci95=own.ci95, gap=gap.mean, gap_ci95=gap.ci95)

    between = _gap(sign, known.scores, tuned.scores, devices)
    return Measured(
        row=str(row),
        metric=known.metric,
        shots=base.evaluation.shots or base.shots,
        tasks=known.tasks,
        devices=len({device for device in devices if device}),
        defaults=method(base.strategy, known.scores),
        tuned=method(chosen, tuned.scores),
        tuned_gap=between.mean,
        tuned_gap_ci95=between.ci95,
        simple=tuple(method(name, scores) for name, scores in answers.simple.items()),
        seconds=seconds,
    )


def _gap(sign: float, one: Sequence[float] | Scores, other: Sequence[float] | Scores, devices: Sequence[str]) -> Means:
    return clustered_means([sign * (a - b) for a, b in zip(one, other, strict=True)], devices)
