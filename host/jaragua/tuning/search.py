"""Tries candidates on a validation set within the training data, as long as there is time.

Held-out data are never drawn: all simulations are of tasks within the training data (`validation.turns_of`).
"""

from __future__ import annotations

import itertools
import math
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from jaragua.coordinator.weights.codec import ModelCodec
from jaragua.models import model_named
from jaragua.report.intervals import student_quantile
from jaragua.simulation import Means, Simulation, SimulationProgress, simulate
from jaragua.simulation.comparison import simple_methods
from jaragua.simulation.comparison.adaptation_search import AdaptationSearch, Tried
from jaragua.simulation.comparison.figures import clustered_means
from jaragua.simulation.comparison.random_start import RATES, random_starts
from jaragua.simulation.evaluation.evaluation import drawn_tasks
from jaragua.simulation.models import model_for
from jaragua.simulation.rounds.simulation import open_fleet
from jaragua.simulation.strategy import adaptation_of, with_options
from jaragua.strategies import REGISTRY
from jaragua.tuning.candidates import SCRATCH, Candidate, adaptation_rates, trained, untrained
from jaragua.tuning.validation import Turn, turns_of, wide_task
from jaragua_models import Task

#: The rounds by which the speed of alike candidates is measured.
_PROBE_ROUNDS: Final = 10
#: Of the time: for the first trial of each candidate, and for that of the best with all rounds.
_FOR_TRIALS, _FOR_FINALS = 0.5, 0.4
#: Of the time: at most, for the task's own settings, which are tried before all others that train.
_FOR_OWN: Final = 0.3
#: Fewest rounds that tell anything.
_LEAST_ROUNDS: Final = 20
#: Candidates that are trained with all rounds; the best is then trained with more, by the task's own.
_FINALISTS: Final = 2
_MORE_ROUNDS: Final = (4,)
#: Of the score: what more passes of a new device must gain.
_MARGIN: Final = 0.003
#: Passes over the support set, and rates by that of training, by which enrolled features are refined.
_REFINING: Final = tuple(itertools.product((4, 16), (1.0, 3.0)))
#: Passes and rates of plain steps behind a metric, as for random starts (RATES).
_STEPS: Final = ((16, 0.03), (16, 0.1))
#: Multiplications of one search for a rate and passes of adaptation.
_MOST_WORK: Final = 1.0e10


@dataclass(frozen=True)
class Trial:
    """A candidate and how it did. adaptation: the best rate and passes of a new device; scores: of each task."""

    candidate: Candidate
    rounds: int
    adaptation: Tried
    score: Means
    scores: tuple[float, ...]
    seconds: float


@dataclass(frozen=True)
class Simple:
    """A method without training, on the same validation tasks."""

    name: str
    score: Means
    scores: tuple[float, ...]


@dataclass(frozen=True)
class Found:
    """All that was tried, in its order.

    own_strategy: the task's own. devices: of each validation task. out_of_time: candidates were left. wide, narrow,
    own: classes and samples of each in a round of wide tasks, of others, and of the task's own settings; ways: classes
    of a validation task. own_labels: labels mean something else in every task. rounds: the task's own.
    """

    metric: str
    own_strategy: str
    devices: tuple[str, ...]
    trials: tuple[Trial, ...]
    simple: tuple[Simple, ...]
    out_of_time: bool
    wide: tuple[int, int]
    narrow: tuple[int, int]
    own: tuple[int, int]
    ways: int
    own_labels: bool
    rounds: int

    @property
    def is_short(self) -> bool:
        """Whether the best are the task's own settings, which the time did not let train all their rounds.

        Passes and rate of adaptation that suit such a start say nothing of the start after all rounds.
        """
        return self.best.candidate.own and self.best.rounds < self.rounds

    @property
    def best(self) -> Trial:
        """The trial with the best score, unless a simpler one is as good as far as the validation set can tell.

        The best of many trials on few devices is often only lucky. Where labels are each task's own, features of few
        devices often serve these devices alone. There the best without training stays unless another is clearly better
        (`is_clear`), or one of few that are no choice of many (`Candidate.is_set`) is ahead of it.
        The task's own strategy stays unless the best is ahead of it, or it is behind a method without training. Of one
        validation device alone it always stays, as its tasks say nothing of others.
        """
        best, own = max(self.trials, key=_score), self.best_of(self.own_strategy)
        if self.has_one_device and own is not None:
            return own
        untrained = (one for one in self.trials if not one.candidate.trains and math.isfinite(one.score.mean))
        plain = max(untrained, key=_score, default=None)
        if self.own_labels and plain is not None and not self.is_clear(best, plain):
            ahead = [one for one in self.trials if one.candidate.is_set and self._is_ahead(one, plain)]
            return max(ahead, key=_score, default=plain)
        if own is None or self._is_ahead(best, own) or own.adaptation.score < self._best_without_training:
            return best
        return own

    def _is_ahead(self, one: Trial, other: Trial) -> bool:
        """Whether one is better than the other by more than a standard error of their difference."""
        if not all(map(math.isfinite, (*one.scores, *other.scores))):
            return _score(one) > _score(other)
        gap, devices = self.gap(one, other), set(self.devices)
        count = len(devices) if len(devices) > 1 and all(devices) else len(self.devices)
        error = gap.ci95 / student_quantile(0.975, count - 1) if count > 1 else 0.0
        return (gap.mean if self.metric == "accuracy" else -gap.mean) > error

    @property
    def _best_without_training(self) -> float:
        """The best score of what was not trained, larger is better: simple methods, and trials without rounds."""
        sign = 1.0 if self.metric == "accuracy" else -1.0
        untrained = [_score(one) for one in self.trials if not one.candidate.trains]
        return max([*untrained, *(sign * one.score.mean for one in self.simple)], default=-math.inf)

    def best_of(self, *strategies: str) -> Trial | None:
        """The best trial of some strategies."""
        return max((one for one in self.trials if one.candidate.strategy in strategies), key=_score, default=None)

    @property
    def has_one_device(self) -> bool:
        """Whether all validation tasks are of one device."""
        return len(set(self.devices)) == 1 and bool(self.devices[0])

    def gap(self, one: Trial | Simple, other: Trial | Simple) -> Means:
        """By how much more one scores than the other, task by task; tasks of one device are one observation."""
        pairs = zip(one.scores, other.scores, strict=True)
        return clustered_means([first - second for first, second in pairs], self.devices)

    def is_clear(self, one: Trial | Simple, other: Trial | Simple) -> bool:
        """Whether one is better than the other beyond the 95 % interval of their difference.

        Of one validation device alone nothing is: its tasks say nothing of other devices.
        """
        if self.has_one_device:
            return False
        gap = self.gap(one, other)
        return (gap.mean if self.metric == "accuracy" else -gap.mean) > gap.ci95

    @property
    def best_simple(self) -> Simple | None:
        """The best method without training, if there is any."""
        sign = 1.0 if self.metric == "accuracy" else -1.0
        return max(self.simple, key=lambda one: sign * one.score.mean, default=None)


OnTrial: TypeAlias = Callable[[Trial], None]


class _OutOfTime(Exception):
    """Raised in the middle of a training."""


class Tuner:
    """One search."""

    def __init__(
        self,
        base: Simulation,
        seconds: float,
        clock: Callable[[], float],
        on_trial: OnTrial = lambda trial: None,
        workers: int | None = None,
        leave_one_out: bool | None = None,
    ) -> None:
        """base: the simulation of the task with its own settings. clock: seconds. leave_one_out: D11; None: its rule.

        Raises: ModelError, DataError.
        """
        self._clock, self._on_trial, self._workers = clock, on_trial, workers or os.cpu_count() or 1
        self._seconds, self._ends = seconds, clock() + seconds
        self._turns = turns_of(base, leave_one_out)
        self._base = self._turns[0].base
        self._own = base.ways, base.shots
        self._plain = base.task
        self._tasks = [task for turn in self._turns for task in drawn_tasks(turn.base, range(turn.tasks))]
        self._devices = [task.device for task in self._tasks]
        self._trials: list[Trial] = []
        self._speeds: dict[tuple[str, int, bool, bool], float] = {}
        self.wide = min(wide_task(turn.base) for turn in self._turns)
        """Classes and samples of each in a round of wide tasks."""

    def run(self) -> Found:
        """All candidates that fit into the time; those without training in any case. Raises: as `simulate`."""
        model, out_of_time = model_named(self._base.task), False
        for candidate in untrained(model):
            self._try(candidate, 0)
        try:
            self._try_own_settings()
            self._train([one for one in trained(model) if self._can_train(one)])
        except _OutOfTime:
            out_of_time = True
        simple = tuple(_simple(self._tasks, self._devices)) if model.metric == "accuracy" else ()
        own, ways = self._base.strategy, self._base.held_out_ways
        devices, trials, narrow = tuple(self._devices), tuple(self._trials), (ways, self._base.shots)
        rounds_of = self.wide, narrow, self._own
        return Found(
            model.metric,
            own,
            devices,
            trials,
            simple,
            out_of_time,
            *rounds_of,
            ways,
            model.own_labels,
            self._base.rounds,
        )

    def _try_own_settings(self) -> None:
        """An untuned run is a candidate as well, so what is recommended is no worse on the validation tasks."""
        base = self._base
        prototypes = REGISTRY[base.strategy].PROTOTYPES
        own = Candidate(base.strategy, base.learning_rate, base.passes or 1, own=True)
        if prototypes:
            queries = int(base.options.get("episode_queries", 0))
            by_steps = bool(base.options.get("adapt_by_steps", 0))
            temperature = base.options.get("temperature", 0.0)
            own = replace(own, temperature=temperature, queries=queries, by_steps=by_steps)
        if base.strategy == SCRATCH:
            return
        rounds = min(base.rounds, int(_FOR_OWN * self._seconds / self._seconds_of_a_round(own)))
        if rounds >= min(base.rounds, _LEAST_ROUNDS):
            self._try(own, rounds)

    def _can_train(self, candidate: Candidate) -> bool:
        """A round with prototypes enrols one sample of each class and trains on others."""
        shots = self.wide[1] if candidate.wide else self._base.shots
        return not candidate.has_prototypes or shots > 1

    def _train(self, candidates: Sequence[Candidate]) -> None:
        """Every candidate with as many rounds as the time allows, then the best with all."""
        rounds = self._affordable(candidates, _FOR_TRIALS * (self._ends - self._clock()))
        first = [self._try(candidate, rounds) for candidate in candidates]
        finalists = [trial.candidate.start for trial in sorted(first, key=_score, reverse=True)[:_FINALISTS]]
        if rounds < self._base.rounds:
            more = self._affordable(finalists, _FOR_FINALS * self._seconds)
            first = [self._try(candidate, more) for candidate in finalists]
        finalists = self._best_two()
        for factor in _MORE_ROUNDS:
            more = factor * self._base.rounds
            if self._affordable(finalists, self._ends - self._clock(), more) == more:
                for candidate in finalists:
                    self._try(candidate, more)

    def _best_two(self) -> list[Candidate]:
        """Of all that trained, the task's own settings too."""
        trained = sorted((one for one in self._trials if one.candidate.trains), key=_score, reverse=True)
        return list(dict.fromkeys(one.candidate.start for one in trained))[:_FINALISTS]

    def _seconds_of_a_round(self, candidate: Candidate) -> float:
        """Of all validation sets; measured with the first of those that have its network, passes and size of tasks."""
        alike = candidate.variant, candidate.passes, candidate.wide, candidate.own
        if alike not in self._speeds:
            probe = self._simulation(candidate, _PROBE_ROUNDS, self._turns[0])
            seconds = simulate(probe, workers=self._workers).seconds
            self._speeds[alike] = len(self._turns) * max(seconds, 1e-6) / _PROBE_ROUNDS
        return self._speeds[alike]

    def _affordable(self, candidates: Sequence[Candidate], seconds: float, most: int | None = None) -> int:
        """Rounds of each, by default at most the task's own."""
        of_a_round = sum(self._seconds_of_a_round(one) * one.rounds_fraction for one in candidates)
        return max(_LEAST_ROUNDS, min(most or self._base.rounds, int(seconds / of_a_round)))

    def _try(self, candidate: Candidate, rounds: int) -> Trial:
        """Train it, and adapt to it in each of its ways; the trial of the best one."""
        begun, rounds = self._clock(), candidate.rounds_of(rounds)
        learned: list[bytes] = []
        for turn in self._turns if rounds else ():
            alike = turn.starts if len(self._turns) > 1 else 1
            learned += [self._learned(self._simulation(candidate, rounds, turn))] * alike
        trials = []
        for one in candidate.adaptations:
            trials.append(self._adapted(one, self._simulation(one, rounds, self._turns[0]), learned, begun))
            self._trials.append(trials[-1])
            self._on_trial(trials[-1])
            begun = self._clock()
        return max(trials, key=_score)

    def _check(self, progress: SimulationProgress) -> None:
        if self._clock() > self._ends:
            raise _OutOfTime

    def _learned(self, wanted: Simulation) -> bytes:
        """What the devices of one validation set start from."""
        learned = simulate(wanted, workers=self._workers, on_progress=self._check).learned
        with open_fleet(wanted, ModelCodec(model_for(wanted)), self._workers) as fleet:
            return fleet.start(learned)

    def _adapted(self, candidate: Candidate, wanted: Simulation, learned: Sequence[bytes], begun: float) -> Trial:
        """At the rate and passes that suit the starts best. learned: of each TASKS_OF_A_START tasks; none: random."""
        codec, count = ModelCodec(model_for(wanted)), len(self._tasks)
        with open_fleet(wanted, codec, self._workers) as fleet:
            search = AdaptationSearch(wanted, fleet, self._tasks, adaptation_of(wanted), _MOST_WORK)
            starts = learned or random_starts(wanted, fleet, codec, count)
            rates = adaptation_rates(candidate.learning_rate) if learned else RATES
            if candidate.enrols:
                best = _enrolled(search, starts, candidate, count)
            elif candidate.by_steps and not candidate.own:
                best = max(search.tried(starts, rate, passes, count) for passes, rate in _STEPS)
            else:
                best = search.best(starts, rates, count, _MARGIN)
            scores = search.evaluated(starts, best.learning_rate, best.passes, count).after.tolist()
        finite = bool(np.isfinite(scores).all())
        score = clustered_means(scores, self._devices) if finite else Means(math.inf, 0.0)
        return Trial(candidate, wanted.rounds, best, score, tuple(scores), self._clock() - begun)

    def _simulation(self, candidate: Candidate, rounds: int, turn: Turn) -> Simulation:
        """Without an evaluation to speak of: what was learned is evaluated by `_adapted`."""
        name = turn.prefix + candidate.variant + self._plain
        changes: dict[str, Any] = {
            "strategy": candidate.strategy,
            "learning_rate": candidate.learning_rate,
            "passes": candidate.passes,
        }
        if candidate.own:
            return with_options(turn.base.changed({"tasks": 1}, task=name, rounds=rounds))
        options: dict[str, float] = {"temperature": candidate.temperature} if candidate.temperature else {}
        if candidate.has_prototypes:
            own = {"episode_queries": candidate.queries, "adapt_by_steps": int(candidate.by_steps)}
            options |= own  # 0 as well: the model's own may be another
        base = turn.base.changed({"tasks": 1, "ways": turn.base.held_out_ways})
        if candidate.wide:
            ways, shots = self.wide
            base = base.changed(ways=ways, shots=shots)
        return with_options(base.changed(task=name, rounds=rounds, batch=None, options=options, **changes))


def _enrolled(search: AdaptationSearch, starts: Sequence[bytes], candidate: Candidate, count: int) -> Tried:
    """Enrolment alone, or the passes of refinement that gain more than the margin; prototypes of inputs have none."""
    rate = candidate.learning_rate
    tried = [search.tried(starts, rate, 0, count)]
    if candidate.trains:
        tried += [search.tried(starts, rate * factor, passes, count) for passes, factor in _REFINING]
    good = [one for one in tried if one.score >= max(tried).score - _MARGIN]
    return max(good, key=lambda one: (one.fewer, one.score))


def _score(trial: Trial) -> float:
    return trial.adaptation.score


def _simple(tasks: Sequence[Task], devices: Sequence[str]) -> Iterator[Simple]:
    """Methods on the features, without a network."""
    methods: dict[str, Callable[[Task], NDArray[Any]]] = {
        "nearest neighbour on the features": simple_methods.nearest_neighbour,
        "prototypes on the features": simple_methods.nearest_prototype,
    }
    for name, method in methods.items():
        scores = tuple(float(np.mean(method(task) == task.query.y)) for task in tasks)
        yield Simple(name, clustered_means(scores, devices), scores)
