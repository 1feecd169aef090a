"""The search, on figures that are handed in: no simulation is known here. Pure."""

from __future__ import annotations

from collections.abc import Callable
from statistics import fmean
from typing import Final, TypeAlias

from jaragua.bases.value import Value
from jaragua.experiments.reptile_search.grid import ACCUMULATIONS, BATCHES, STREAM, Schedule, Trials
from jaragua.report.intervals import Interval, paired_interval

#: By how many points batch Reptile may be behind TinyReptile and still count as equal.
EQUAL_POINTS: Final = 1.0
#: Rates that all seeds evaluate: the best of the first ones'.
_RATES_KEPT: Final = 2

#: Of an schedule at a rate under a seed: what the metric is after adapting, in points (more is better).
Evaluate: TypeAlias = Callable[[Schedule, float, int], float]


class Learned(Value):
    """A schedule at its best rate. points: one for each seed. at_edge: no rate beyond this one was tried."""

    schedule: Schedule
    rate: float
    points: tuple[float, ...]
    at_edge: bool

    @property
    def mean(self) -> float:
        """Over the seeds."""
        return fmean(self.points)

    def ahead_of(self, other: Learned) -> Interval:
        """Points by which this one is better, paired by seeds."""
        return paired_interval(self.points, other.points)


class Equal(Value):
    """Batch Reptile of the fewest passes that learns as well: one for each mini-batch that does.

    learns_as_well: False if none does, and these are those of the most passes.
    """

    found: tuple[Learned, ...]
    learns_as_well: bool


class Found(Value):
    """Of one support-set size.

    equal: of any number of passes. several: of two or more, over a set that is kept; None if `equal` is that.
    accumulations: single passes in smaller steps, beside a stream's single pass. alike: of any number of passes, and
    passing over what the stream passes over; None where it passes over nothing.
    """

    stream: Learned
    equal: Equal
    several: Equal | None
    accumulations: tuple[Learned, ...]
    alike: Equal | None = None


def search(trials: Trials, evaluate: Evaluate, schedule: Schedule = STREAM, least_rate: float = 0.0) -> Found:
    """TinyReptile in this schedule at its best rate; then batch Reptile, with more passes until it learns as well.

    least_rate: of TinyReptile.
    """
    stream = at_best_rate(schedule, trials, evaluate, least_rate)
    in_steps = ACCUMULATIONS if schedule == STREAM else ()
    accumulations = tuple(at_best_rate(Schedule(1, batch), trials, evaluate) for batch in in_steps)

    def equal_from(least_passes: int, loss_threshold: float = 0.0) -> Equal:
        tried: tuple[Learned, ...] = ()
        for passes in range(least_passes, trials.most_passes + 1):
            tried = tuple(at_best_rate(Schedule(passes, batch, loss_threshold), trials, evaluate) for batch in BATCHES)
            equal = tuple(one for one in tried if one.mean >= stream.mean - EQUAL_POINTS)
            if equal:
                return Equal(equal, True)
        return Equal(tried, False)

    equal = equal_from(1)
    several = equal_from(2) if equal.found[0].schedule.passes == 1 else None
    alike = equal_from(1, schedule.loss_threshold) if schedule.loss_threshold else None
    return Found(stream, equal, several, accumulations, alike)


def at_best_rate(schedule: Schedule, trials: Trials, evaluate: Evaluate, least_rate: float = 0.0) -> Learned:
    """The best mean over all seeds, among the rates of the best means over the first seeds."""
    rates = [rate for rate in trials.rates if rate >= least_rate]
    means = {rate: fmean(evaluate(schedule, rate, seed) for seed in trials.seeds[: trials.scouts]) for rate in rates}
    kept = sorted(rates, key=lambda rate: -means[rate])[:_RATES_KEPT]
    return max((_under_all_seeds(schedule, rate, trials, evaluate) for rate in kept), key=lambda one: one.mean)


def _under_all_seeds(schedule: Schedule, rate: float, trials: Trials, evaluate: Evaluate) -> Learned:
    points = tuple(evaluate(schedule, rate, seed) for seed in trials.seeds)
    return Learned(schedule, rate, points, rate in (min(trials.rates), max(trials.rates)))
