"""Defaults, tuned settings and simple methods on the same held-out tasks."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from jaragua.bases.value import Value
from jaragua.config import for_simulation
from jaragua.errors import UsageError
from jaragua.models import model_named
from jaragua.simulation import Simulation, SimulationResult, simulate
from jaragua.simulation.comparison.compare import MOST_TASKS
from jaragua.simulation.comparison.figures import clustered_means
from jaragua.simulation.settings import simulation_of
from jaragua.tuning import advice
from jaragua.tuning.search import Tuner

#: Methods on the features and the support set alone; both sides of a row have the same.
SIMPLE: Final = ("nearest neighbour", "nearest prototype", "logistic regression")
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
    """minutes: of a search. tasks: held-out ones, at most MOST_TASKS. workers: None: one for each core."""

    minutes: float
    tasks: int = MOST_TASKS
    seed: int = 1
    workers: int | None = None


def measured(row: Row, effort: Effort, clock: Callable[[], float] = time.monotonic) -> Measured:
    """One row; minutes. Raises: as `simulate` and `Tuner`."""
    begun = clock()
    base = simulation_for(row, {}, effort)
    known = simulate(base.changed(comparing=True), workers=effort.workers)
    found = Tuner(base, 60 * effort.minutes, clock, workers=effort.workers).run()
    settings = advice.run_settings(row.task, found, row.shots)
    changes = {f"{section}.{name}": value for section, values in settings.items() for name, value in values.items()}
    tuned = simulate(simulation_for(row, changes, effort), workers=effort.workers)
    return _row(row, base, known, tuned, str(found.best.candidate), clock() - begun)


def simulation_for(row: Row, changes: Mapping[str, Any], effort: Effort) -> Simulation:
    """The simulation of a row with the task's defaults and these changes. Raises: as `for_simulation`."""
    asked = {"model.name": row.task, "run.seed": effort.seed, "evaluation.tasks": min(effort.tasks, MOST_TASKS)}
    shots = {} if row.shots is None else {"evaluation.shots": row.shots}
    return simulation_of(for_simulation(None, asked | shots | dict(changes), _SOURCE))


def _row(
    row: Row, base: Simulation, known: SimulationResult, tuned: SimulationResult, chosen: str, seconds: float
) -> Measured:
    compared = known.comparison
    assert compared is not None
    devices = compared.task_devices
    sign = 1.0 if model_named(row.task).metric == "accuracy" else -1.0
    simple = [one for one in compared.methods[1:] if one.name in SIMPLE]
    best = max(simple, key=lambda one: sign * one.score.mean)

    def method(name: str, scores: Sequence[float], other: Sequence[float]) -> Method:
        own, gap = clustered_means(scores, devices), _gap(sign, scores, other, devices)
        return Method(name=name, mean=own.mean, ci95=own.ci95, gap=gap.mean, gap_ci95=gap.ci95)

    between = _gap(sign, known.scores, tuned.scores, devices)
    return Measured(
        row=str(row),
        metric=known.metric,
        shots=base.evaluation.shots or base.shots,
        tasks=known.tasks,
        devices=compared.devices,
        defaults=method(base.strategy, known.scores, best.scores),
        tuned=method(chosen, tuned.scores, best.scores),
        tuned_gap=between.mean,
        tuned_gap_ci95=between.ci95,
        simple=tuple(Method(name=one.name, mean=one.score.mean, ci95=one.score.ci95) for one in simple),
        seconds=seconds,
    )


def _gap(sign: float, one: Sequence[float], other: Sequence[float], devices: Sequence[str]) -> Any:
    return clustered_means([sign * (a - b) for a, b in zip(one, other, strict=True)], devices)
