"""Aggregation that a few broken or hostile devices cannot spoil: checks, clipping and combiners to put together.

    Aggregation(checks=(Finite(), OutlierFilter(5.0), MedianNormClip(2.0)), combine=trimmed_mean(0.2))

A check looks at all updates of a round and hands on those it believes, changed or not. Norms are Euclidean, of what a
device learned (its weights less the initialisation).

What every run checks unless it says otherwise is rule R17 of docs/design/rounds.md; its three numbers stand here, and
docs/reference/strategies.md has the measurements they come from.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from jaragua.errors import ConfigurationError
from jaragua.settings import AggregationSettings
from jaragua.strategies.aggregation import (
    Aggregation,
    Check,
    ClientUpdate,
    Combine,
    UpdateRows,
    Vector,
    lengths,
    mean,
    row_lengths,
    sample_weighted_mean,
    weight_rows,
)

#: R17: an update longer than so many lengths of the start is left out, whatever the others send.
LONGEST: Final = 10.0
#: R17: `strategy.outlier_factor` unless a run says otherwise.
OUTLIER_FACTOR: Final = AggregationSettings.outlier_factor
#: R17: an update shorter than so many lengths of the start is never left out for being far from the others.
MIN_OUTLIER_LENGTHS: Final = 1.0
#: R17: a start counts as having weights of this root mean square at least, so that one of zeros has a length.
LEAST_RMS: Final = 0.1
_LARGEST: Final = float(np.finfo(np.float64).max)


def start_length(start: Vector) -> float:
    """What the length of an update is compared with: that of the start, float64 [parameters], or the least."""
    return max(float(np.linalg.norm(start)), LEAST_RMS * math.sqrt(len(start)))


def median(updates: Sequence[ClientUpdate]) -> Vector:
    """Median of each weight over the devices (Yin et al., "Byzantine-Robust Distributed Learning", 2018)."""
    result: Vector = np.median(weight_rows(updates), axis=0)
    return result


def trimmed_mean(fraction: float) -> Combine:
    """Mean of each weight without the `fraction` (0 to below 0.5) of devices at either end (Yin et al., 2018).

    Of n devices floor(fraction · n) are left out at either end.
    """
    if not 0 <= fraction < 0.5:
        raise ConfigurationError(f"a trimmed mean cannot leave out {fraction:g} at either end", "0 to below 0.5")

    def combine(updates: Sequence[ClientUpdate]) -> Vector:
        ordered = np.sort(weight_rows(updates), axis=0)
        cut = int(fraction * len(updates))
        result: Vector = np.mean(ordered[cut : len(updates) - cut], axis=0)
        return result

    return combine


def spectral_mean(fraction: float) -> Combine:
    """R21: mean without the `fraction` (0 to below 0.5) of devices that differ most along the main direction.

    After DnC (Shejwalkar and Houmansadr, "Manipulating the Byzantine", 2021), with one direction of all weights.
    """
    if not 0 <= fraction < 0.5:
        raise ConfigurationError(f"a spectral mean cannot leave out {fraction:g} of the devices", "0 to below 0.5")

    def combine(updates: Sequence[ClientUpdate]) -> Vector:
        kept = len(updates) - int(fraction * len(updates))
        if len(updates) < 3 or kept == len(updates):
            return mean(updates)
        rows = weight_rows(updates)
        nearest = np.argsort(_main_shares(rows), kind="stable")[:kept]
        result: Vector = np.mean(rows[np.sort(nearest)], axis=0)
        return result

    return combine


def _main_shares(rows: Vector) -> Vector:
    """Squared parts of the rows in the direction in which they differ most, relative to their sum, float64 [rows]."""
    centred = rows - rows.mean(axis=0)
    products = np.einsum("ij,kj->ik", centred, centred)  # not by BLAS: its sums differ from machine to machine
    _, directions = np.linalg.eigh(products)
    return np.square(np.asarray(directions[:, -1], dtype=np.float64))


@dataclass(frozen=True)
class Finite:
    """Leaves out updates with a weight that is not a number."""

    @property
    def reason(self) -> str:
        """For people."""
        return "a weight is not a number"

    def __call__(self, initialisation: Vector, updates: Sequence[ClientUpdate]) -> Sequence[ClientUpdate]:
        """Every other update as it is."""
        if isinstance(updates, UpdateRows) and _all_finite(initialisation, updates):
            return updates
        return [update for update in updates if _is_finite(update.weights)]


@dataclass(frozen=True)
class Bounded:
    """Leaves out updates that are more than `factor` times as long as the start: no training does that (R17)."""

    factor: float = LONGEST

    @property
    def reason(self) -> str:
        """For people."""
        return f"what it learned is more than {self.factor:g} times as long as what it started from"

    def __call__(self, initialisation: Vector, updates: Sequence[ClientUpdate]) -> Sequence[ClientUpdate]:
        """The others as they are."""
        limit = self.factor * start_length(initialisation)
        if _surely_within(initialisation, updates, limit):
            return updates
        return _within(updates, lengths(initialisation, updates), limit)


class Clip(ABC):
    """Shortens what a device learned to a limit."""

    @property
    def reason(self) -> str:
        """For people."""
        return "it is longer than allowed"

    def __call__(self, initialisation: Vector, updates: Sequence[ClientUpdate]) -> Sequence[ClientUpdate]:
        """All updates, the long ones shortened."""
        limit = self.longest(initialisation, updates) if updates else 0.0
        return [_shortened(initialisation, update, limit) for update in updates]

    @abstractmethod
    def longest(self, initialisation: Vector, updates: Sequence[ClientUpdate]) -> float:
        """The length to which these updates of a round, at least one, are shortened."""


@dataclass(frozen=True)
class ClippedNorm(Clip):
    """At most `limit` (Sun et al., "Can You Really Backdoor Federated Learning?")."""

    limit: float

    def longest(self, initialisation: Vector, updates: Sequence[ClientUpdate]) -> float:
        """The same in every round."""
        return self.limit


@dataclass(frozen=True)
class MedianNormClip(Clip):
    """At most `factor` times the median length of the round."""

    factor: float

    def longest(self, initialisation: Vector, updates: Sequence[ClientUpdate]) -> float:
        """Of this round."""
        return self.factor * float(np.median(norms(initialisation, updates)))


@dataclass(frozen=True)
class OutlierFilter:
    """Leaves out updates that are much farther from the fleet's than is usual.

    The distance of an update is that to the weight-by-weight median of the round; the usual one is the median of these
    distances. Left out is what is more than `factor` times as far, and longer than `min_outlier_lengths` lengths of the
    start: where devices learn next to nothing, or all the same, one that learns something is many times as far, and
    harmless. Fewer than three updates cannot be told apart.
    """

    factor: float
    min_outlier_lengths: float = MIN_OUTLIER_LENGTHS

    @property
    def reason(self) -> str:
        """For people."""
        return f"it is more than {self.factor:g} times as far from the round's median as is usual"

    def __call__(self, initialisation: Vector, updates: Sequence[ClientUpdate]) -> Sequence[ClientUpdate]:
        """The others as they are."""
        short = self.min_outlier_lengths * start_length(initialisation)
        if len(updates) < 3 or _surely_within(initialisation, updates, short):
            return updates
        learned = lengths(initialisation, updates)
        if not (learned > short).any():
            return updates
        distances = row_lengths(weight_rows(updates), median(updates))
        limit = self.factor * float(np.median(distances))
        return _within(updates, np.where(learned > short, distances, 0.0), limit)


def norms(origin: Vector, updates: Sequence[ClientUpdate]) -> NDArray[np.float64]:
    """How far each update's weights are from `origin`, float64 [updates]."""
    rows = weight_rows(updates) - origin
    return np.asarray(np.linalg.norm(rows, axis=1), dtype=np.float64)


#: Ways to combine by their names; "own" is the strategy's; those of TAKES_TRIM take a fraction.
COMBINERS: dict[str, Callable[[float], Combine | None]] = {
    "own": lambda trim: None,
    "mean": lambda trim: mean,
    "sample-weighted-mean": lambda trim: sample_weighted_mean,
    "median": lambda trim: median,
    "trimmed-mean": trimmed_mean,
    "spectral-mean": spectral_mean,
}
#: Ways to combine that leave out `strategy.trim` of the devices.
TAKES_TRIM: Final = ("trimmed-mean", "spectral-mean")


def aggregation_of(settings: AggregationSettings) -> Aggregation:
    """The checks and the combiner that a run's settings ask for.

    Raises: ConfigurationError for an unknown way to combine, or a factor that is out of range.
    """
    if settings.combine not in COMBINERS:
        raise ConfigurationError(f"there is no way to combine '{settings.combine}'", f"known: {', '.join(COMBINERS)}")
    for name in ("norm_clip_factor", "outlier_factor"):
        factor = getattr(settings, name)
        if not 0 <= factor < math.inf:
            raise ConfigurationError(
                f"{name} is {factor:g}, which is out of range", "a number from 0 on is possible; 0 is for none"
            )
    checks: list[Check] = [Finite(), Bounded()]
    if settings.outlier_factor:
        checks.append(OutlierFilter(settings.outlier_factor))
    if settings.norm_clip_factor:
        checks.append(MedianNormClip(settings.norm_clip_factor))
    return Aggregation(tuple(checks), COMBINERS[settings.combine](settings.trim))


def _within(updates: Sequence[ClientUpdate], figures: Vector, limit: float) -> Sequence[ClientUpdate]:
    """Those whose figure is within the limit; if all are, the very same: nothing that is computed of them changes."""
    if (figures <= limit).all():
        return updates
    return [update for update, figure in zip(updates, figures, strict=True) if figure <= limit]


def _surely_within(initialisation: Vector, updates: Sequence[ClientUpdate], limit: float) -> bool:
    """Of rows, most of the time without a matrix of them; False where only the weights themselves can tell."""
    return isinstance(updates, UpdateRows) and updates.surely_within(initialisation, limit)


def _all_finite(initialisation: Vector, updates: UpdateRows) -> bool:
    """A finite length has finite terms, and is wanted anyway."""
    return updates.surely_within(initialisation, _LARGEST) or _is_finite(updates.weights.reshape(-1))


def _is_finite(weights: Vector) -> bool:
    """A finite sum has finite terms, and is quicker found. Not by BLAS: its threads wait for each other."""
    with np.errstate(over="ignore", invalid="ignore"):
        return math.isfinite(float(weights.sum())) or bool(np.isfinite(weights).all())


def _shortened(initialisation: Vector, update: ClientUpdate, limit: float) -> ClientUpdate:
    learned = update.weights - initialisation
    length = float(np.linalg.norm(learned))
    if length <= limit:
        return update
    return replace(update, weights=initialisation + learned * (limit / length))
