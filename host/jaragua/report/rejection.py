"""How well samples of unknown classes are told from those of enrolled ones by one number, the score. Pure.

A score is low for a sample that is like an enrolled class. A sample is accepted if its score is below a bound, which is
calibrated to a false-accept rate on other tasks than those that are reported.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from jaragua.report.intervals import Interval, clustered_interval, mean_interval

Scores = NDArray[np.float64]
Marks = NDArray[np.bool_]


@dataclass(frozen=True)
class Queries:
    """The queries of one task. scores [n]; known [n]: of an enrolled class; right [n]: recognised as its own class."""

    scores: Scores
    known: Marks
    right: Marks
    device: str = ""
    """Whose they are, of data that have owners."""


@dataclass(frozen=True)
class AtRate:
    """What a bound does on tasks it was not calibrated on. wanted: the false-accept rate it was calibrated to."""

    wanted: float
    bound: float
    false_accepts: Interval
    """Part of the unknown queries that are accepted."""
    false_rejects: Interval
    """Part of the known queries that are rejected."""
    accepted_and_right: Interval
    """Part of the known queries that are accepted and recognised as their own class."""


@dataclass(frozen=True)
class Rejection:
    """accuracy: of known queries if nothing is rejected. auroc: that of a known and an unknown query the known one has
    the lower score; a tie counts half."""

    accuracy: Interval
    auroc: Interval
    rates: tuple[AtRate, ...]


def bound_for(unknown: Sequence[float] | Scores, rate: float) -> float:
    """The largest bound below which at most this part of the scores of unknown samples lie; inf for all of them.

    Raises: ValueError without scores, or for a rate that is not from 0 to 1.
    """
    if not len(unknown) or not 0 <= rate <= 1:
        raise ValueError(f"a bound needs scores and a rate from 0 to 1, not {len(unknown)} scores and {rate}")
    ordered, allowed = np.sort(np.asarray(unknown, np.float64)), math.floor(rate * len(unknown))
    return float(ordered[allowed]) if allowed < len(ordered) else math.inf


def threshold_for(unknown: Sequence[int] | Scores, rate: float, largest: int) -> int:
    """The same for scores in integers, of which those up to the threshold are accepted: from 0 to `largest`.

    It is 0 where even 0 accepts more. Raises: ValueError as bound_for.
    """
    bound = bound_for(np.asarray(unknown, np.float64), rate)
    return largest if bound > largest else max(0, math.ceil(bound) - 1)


def rejection(tasks: Sequence[Queries], calibration: Sequence[Queries], rates: Sequence[float]) -> Rejection:
    """The figures of held-out tasks, with the bounds of the calibration tasks' unknown queries.

    Intervals are over devices where all tasks have them, else over tasks; they do not contain the calibration's chance.
    Raises: ValueError if there are fewer than two tasks, or no known or no unknown query.
    """
    unknown = np.concatenate([task.scores[~task.known] for task in calibration])
    right = [float(task.right[task.known].sum()) for task in tasks]
    return Rejection(
        _ratio(tasks, right, _counts(tasks, True)),
        _auroc(tasks),
        tuple(_at_rate(tasks, rate, bound_for(unknown, rate)) for rate in rates),
    )


def _at_rate(tasks: Sequence[Queries], rate: float, bound: float) -> AtRate:
    accepted = [task.scores < bound for task in tasks]
    pairs = list(zip(tasks, accepted, strict=True))
    known, unknown = _counts(tasks, True), _counts(tasks, False)
    return AtRate(
        rate,
        bound,
        _ratio(tasks, [float((taken & ~task.known).sum()) for task, taken in pairs], unknown),
        _ratio(tasks, [float((~taken & task.known).sum()) for task, taken in pairs], known),
        _ratio(tasks, [float((taken & task.known & task.right).sum()) for task, taken in pairs], known),
    )


def _counts(tasks: Sequence[Queries], known: bool) -> list[float]:
    return [float((task.known == known).sum()) for task in tasks]


def _ratio(tasks: Sequence[Queries], hits: Sequence[float], counts: Sequence[float]) -> Interval:
    """Of all hits to all counts."""
    ratio = sum(hits) / sum(counts)
    shares = [hit - ratio * count for hit, count in zip(hits, counts, strict=True)]
    return _interval(tasks, ratio, [len(tasks) * share / sum(counts) for share in shares])


def _auroc(tasks: Sequence[Queries]) -> Interval:
    """The variance is that of DeLong, DeLong and Clarke-Pearson (1988), with clusters as Obuchowski (1997) has them."""
    known = np.sort(np.concatenate([task.scores[task.known] for task in tasks]))
    unknown = np.sort(np.concatenate([task.scores[~task.known] for task in tasks]))
    above = [1 - _part_below(unknown, task.scores[task.known]) for task in tasks]
    area = float(np.concatenate(above).mean())
    shares = [
        (of_known - area).sum() / len(known)
        + (_part_below(known, task.scores[~task.known]) - area).sum() / len(unknown)
        for task, of_known in zip(tasks, above, strict=True)
    ]
    return _interval(tasks, area, [len(tasks) * float(share) for share in shares])


def _part_below(ordered: Scores, scores: Scores) -> Scores:
    """The part of the ordered scores that is below each score; a tie counts half."""
    below, up_to = (np.searchsorted(ordered, scores, side=side) for side in ("left", "right"))
    part: Scores = (below + up_to) / (2 * len(ordered))
    return part


def _interval(tasks: Sequence[Queries], mean: float, deviations: Sequence[float]) -> Interval:
    """deviations: of each task from the mean, 0 in all."""
    values, devices = [mean + one for one in deviations], [task.device for task in tasks]
    return (clustered_interval(values, devices) if all(devices) else None) or mean_interval(values)
