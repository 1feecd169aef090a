"""The search on simulations, one after the other; and what was found, counted on the emulated board."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Final, TypeAlias

from jaragua.experiments.reproduce import Experiment, Outcome, Store
from jaragua.experiments.reproduce.plan import TaskOfPlan
from jaragua.experiments.reproduce.run import outcome_of
from jaragua.experiments.reptile_search.grid import Schedule, Task
from jaragua.experiments.reptile_search.search import Equal, Evaluate, Found, Learned, search
from jaragua.simulation import Simulation
from jaragua_bench.batch_reptile import Case, Comparison, Work, compare

OnProgress: TypeAlias = Callable[[str], None]
_EVERY: Final = 10  # simulations between two lines of progress


@dataclass(frozen=True)
class Row:
    """One of TinyReptile's rivals. comparison: None where nothing was counted."""

    learned: Learned
    comparison: Comparison | None
    learns_as_well: bool = True

    @property
    def instructions(self) -> int:
        """0 where nothing was counted."""
        return self.comparison.batch_reptile.instructions if self.comparison else 0


@dataclass(frozen=True)
class Size:
    """All that is known of one support-set size. comparisons: of what was found, in the schedule of `works`."""

    task: Task
    shots: int
    found: Found
    comparisons: tuple[Comparison, ...] = ()

    @property
    def samples(self) -> int:
        """In the support set."""
        return self.task.samples(self.shots)

    @property
    def works(self) -> tuple[Learned, ...]:
        """All that the bench is to count."""
        return (*(one for equal in self._equals for one in equal.found), *self.found.accumulations)

    @property
    def case(self) -> Case:
        """The same for the bench."""
        return self._case(self.works)

    @property
    def cheapest(self) -> Case:
        """The same without what learns as well for more instructions."""
        return self._case([*(row.learned for row in self.batch_reptile), *self.found.accumulations])

    @property
    def is_selective(self) -> bool:
        """Whether TinyReptile skips samples below the loss threshold (B6)."""
        return self.found.alike is not None

    @property
    def batch_reptile(self) -> list[Row]:
        """The one with the fewest instructions; that of several passes, if that has one pass; that of `alike`."""
        rows = iter(self._rows())
        return [_cheapest(list(islice(rows, len(equal.found))), equal) for equal in self._equals]

    @property
    def accumulations(self) -> list[Row]:
        """The single passes that keep nothing."""
        rows = self._rows()
        return rows[len(rows) - len(self.found.accumulations) :]

    @property
    def _equals(self) -> list[Equal]:
        return [equal for equal in (self.found.equal, self.found.several, self.found.alike) if equal]

    def _rows(self) -> list[Row]:
        counted = self.comparisons or [None] * len(self.works)
        return [Row(learned, comparison) for learned, comparison in zip(self.works, counted, strict=True)]

    def _case(self, learned: Sequence[Learned]) -> Case:
        return Case(self.shots, _work(self.found.stream), tuple(_work(one) for one in learned), self.task.rounds)


def _work(learned: Learned) -> Work:
    schedule = learned.schedule
    return Work(schedule.passes, schedule.batch, learned.rate, schedule.loss_threshold, schedule.replay_buffer_size)


def _cheapest(rows: list[Row], equal: Equal) -> Row:
    return replace(min(rows, key=lambda row: row.instructions), learns_as_well=equal.learns_as_well)


class Simulations:
    """Evaluates one task's schedules by simulations; a store keeps each, so none is done twice."""

    def __init__(self, task: Task, store: Store, workers: int | None, on_progress: OnProgress) -> None:
        self._task = task
        self._store = store
        self._workers = workers
        self._on_progress = on_progress
        self.outcomes: dict[str, Outcome] = {}

    @property
    def seconds(self) -> float:
        """Of wall time that all of them took, in this start of the command or an earlier one."""
        return sum(outcome.seconds for outcome in self.outcomes.values())

    def evaluate(self, shots: int) -> Evaluate:
        """Of one support-set size."""
        return lambda schedule, rate, seed: self._outcome(shots, schedule, rate, seed).after.mean / self._task.point

    def _outcome(self, shots: int, schedule: Schedule, rate: float, seed: int) -> Outcome:
        experiment = _experiment(self._task, self._task.simulation(schedule, rate, shots, seed), schedule)
        if experiment.key not in self.outcomes:
            if len(self.outcomes) % _EVERY == 0:
                self._on_progress(f"{experiment.name}, {len(self.outcomes)} simulations done")
            self.outcomes[experiment.key] = outcome_of(experiment, self._store, self._workers)
        return self.outcomes[experiment.key]


def searched(simulations: Simulations, task: Task) -> list[Size]:
    """Every support-set size of a task. Raises: what `simulate` raises, StoreError.

    Who passes over some samples takes fewer steps, and none smaller than who takes them all (B6).
    """
    sizes: list[Size] = []
    rates: dict[tuple[int, int], float] = {}
    for shots, schedule in task.streams:
        least_rate = rates[shots, schedule.passes] if schedule.loss_threshold else 0.0
        found = search(task.trials, simulations.evaluate(shots), schedule, least_rate)
        rates.setdefault((shots, schedule.passes), found.stream.rate)
        sizes.append(Size(task, shots, found))
    return sizes


def counted(sizes: list[Size]) -> list[Size]:
    """The sizes of one task with what the emulated board counts. Raises: ToolError of the bench."""
    comparisons = compare(sizes[0].task.model, [size.case for size in sizes])
    return [replace(size, comparisons=tuple(islice(comparisons, len(size.works)))) for size in sizes]


def _experiment(task: Task, simulation: Simulation, schedule: Schedule) -> Experiment:
    """As `jaragua reproduce` keeps them."""
    name = f"{task.model}, {schedule} at rate {simulation.learning_rate:g}, {simulation.evaluation.shots} shots"
    row = TaskOfPlan(task.model, task.model, task.model, len(task.trials.seeds))
    return Experiment(name, row, str(schedule), "support", str(simulation.evaluation.shots), simulation)
