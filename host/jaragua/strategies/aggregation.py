"""Updates, and how those of a round become one set of weights."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from jaragua.bases.lazy_sequence import LazySequence

#: All trainable numbers of a network in one row, float64 [parameters].
Vector: TypeAlias = NDArray[np.float64]
UpdateMask: TypeAlias = NDArray[np.bool_]
#: So few that their differences stay in the processor's cache.
_ROWS_AT_ONCE: Final = 16


@dataclass(frozen=True)
class ClientUpdate:
    """What one device made of the initialisation.

    weights: float64 [parameters], the device's weights after training. samples: how many it trained on. update_mask:
    bool [parameters], what of the weights the device has anything to say of (R14); None: of all.
    """

    device: str
    weights: Vector
    samples: int
    update_mask: UpdateMask | None = None


class LazyRows(Protocol):
    """Weights of devices that nobody has made a matrix of yet, as who only wants their mean needs none."""

    @property
    def matrix(self) -> Vector:
        """float64 [devices, parameters]."""
        ...

    @property
    def mean(self) -> Vector:
        """np.mean(matrix, axis=0), to the bit."""
        ...

    def weighted_mean(self, samples: Vector) -> Vector:
        """np.average(matrix, axis=0, weights=samples), to the bit."""
        ...

    def lengths_at_most(self, origin: Vector) -> Vector:
        """Bounds of row_lengths(matrix, origin), float64 [devices]; infinite or NaN where none is known."""
        ...


class UpdateRows(LazySequence[ClientUpdate]):
    """Updates whose weights are the rows of one matrix: to combine them takes no copy of it, and no object for each."""

    def __init__(
        self,
        devices: Sequence[str],
        weights: Vector | LazyRows,
        samples: Sequence[int],
        update_mask: UpdateMask | None = None,
    ) -> None:
        """weights: float64 [devices, parameters]; update_mask: bool of the same shape, None where all are."""
        self.devices, self.samples, self.update_mask = devices, samples, update_mask
        self._rows = weights
        self._lengths: tuple[Vector, Vector] | None = None
        self._bounds: tuple[Vector, Vector] | None = None

    @property
    def weights(self) -> Vector:
        """float64 [devices, parameters]."""
        return self._rows if isinstance(self._rows, np.ndarray) else self._rows.matrix

    @cached_property
    def mean(self) -> Vector:
        """Mean of the weights, float64 [parameters]; read-only."""
        if not isinstance(self._rows, np.ndarray):
            return self._rows.mean
        with np.errstate(over="ignore", invalid="ignore"):
            result: Vector = np.mean(self._rows, axis=0)
        return result

    def weighted_mean(self) -> Vector:
        """Mean of the weights, each as often as it has samples, float64 [parameters]."""
        samples = np.array(self.samples, dtype=np.float64)
        if not isinstance(self._rows, np.ndarray):
            return self._rows.weighted_mean(samples)
        result: Vector = np.average(self._rows, axis=0, weights=samples)
        return result

    def lengths(self, origin: Vector) -> Vector:
        """How far the weights of each are from `origin`, float64 [devices]; of the last origin they are remembered."""
        if self._lengths is None or self._lengths[0] is not origin:
            self._lengths = origin, row_lengths(self.weights, origin)
        return self._lengths[1]

    def surely_within(self, origin: Vector, limit: float) -> bool:
        """Whether all `lengths` are within the limit, as far as can be said without a matrix that nobody made yet."""
        rows = self._rows
        if isinstance(rows, np.ndarray):
            return bool((self.lengths(origin) <= limit).all())
        if self._bounds is None or self._bounds[0] is not origin:
            self._bounds = origin, rows.lengths_at_most(origin)
        return bool((self._bounds[1] <= limit).all())

    def __len__(self) -> int:
        return len(self.devices)

    def item(self, place: int) -> ClientUpdate:
        """The update of the device at that place."""
        update_mask = None if self.update_mask is None else self.update_mask[place]
        return ClientUpdate(self.devices[place], self.weights[place], self.samples[place], update_mask)


def weight_rows(updates: Sequence[ClientUpdate]) -> Vector:
    """The weights of all updates, float64 [updates, parameters]; not to be changed."""
    return updates.weights if isinstance(updates, UpdateRows) else np.array([update.weights for update in updates])


def row_lengths(rows: Vector, origin: Vector) -> Vector:
    """Euclidean distance of each row to `origin`; infinite or NaN where that is not a number. Not by BLAS."""
    squares = np.empty(len(rows))
    with np.errstate(over="ignore", invalid="ignore"):
        for first in range(0, len(rows), _ROWS_AT_ONCE):
            moved = rows[first : first + _ROWS_AT_ONCE] - origin
            squares[first : first + _ROWS_AT_ONCE] = np.einsum("ij,ij->i", moved, moved)
        result: Vector = np.sqrt(squares)
    return result


def lengths(origin: Vector, updates: Sequence[ClientUpdate]) -> Vector:
    """How far each update's weights are from `origin`, float64 [updates]."""
    if not len(updates):
        return np.zeros(0)
    return updates.lengths(origin) if isinstance(updates, UpdateRows) else row_lengths(weight_rows(updates), origin)


Combine: TypeAlias = Callable[[Sequence[ClientUpdate]], Vector]


class Check(Protocol):
    """One step before the updates are combined."""

    @property
    def reason(self) -> str:
        """Why it leaves an update out, for people."""
        ...

    def __call__(self, initialisation: Vector, updates: Sequence[ClientUpdate]) -> Sequence[ClientUpdate]:
        """The updates that are believed, in their order; an update of a kept device may be another."""
        ...


@dataclass(frozen=True)
class Aggregation:
    """Checks in their order, then one set of weights for all updates that are left; combine None: the strategy's."""

    checks: tuple[Check, ...] = ()
    combine: Combine | None = None

    def checked(
        self, initialisation: Vector, updates: Sequence[ClientUpdate]
    ) -> tuple[Sequence[ClientUpdate], dict[str, str]]:
        """The updates that passed, and of the others device and reason."""
        kept, reasons = updates, dict[str, str]()
        for check in self.checks:
            before, kept = kept, check(initialisation, kept)
            if len(kept) < len(before):
                there = {update.device for update in kept}
                reasons |= {update.device: check.reason for update in before if update.device not in there}
        return kept, reasons


def mean(updates: Sequence[ClientUpdate]) -> Vector:
    """Every device counts the same."""
    if isinstance(updates, UpdateRows):
        return updates.mean
    result: Vector = np.mean(weight_rows(updates), axis=0)
    return result


def sample_weighted_mean(updates: Sequence[ClientUpdate]) -> Vector:
    """Every sample counts the same."""
    if isinstance(updates, UpdateRows):
        return updates.weighted_mean()
    samples = np.array(_samples(updates), dtype=np.float64)
    result: Vector = np.average(weight_rows(updates), axis=0, weights=samples)
    return result


def masked_mean(updates: Sequence[ClientUpdate], *, by_samples: bool = False) -> Vector:
    """R14: of each weight the mean over the devices that have anything to say of it; over all if none has.

    by_samples: every sample counts the same, else every device. Where all have a say of everything it is the mean.
    """
    if _is_unmasked(updates):
        return sample_weighted_mean(updates) if by_samples else mean(updates)
    counted = np.array([float(samples) if by_samples else 1.0 for samples in _samples(updates)])
    rows = weight_rows(updates)
    everything = np.ones(rows.shape[1], np.bool_)
    update_mask = (
        np.array([everything if update.update_mask is None else update.update_mask for update in updates])
        * counted[:, None]
    )
    update_mask[:, ~update_mask.any(axis=0)] = 1.0
    result: Vector = (rows * update_mask).sum(axis=0) / update_mask.sum(axis=0)
    return result


def _samples(updates: Sequence[ClientUpdate]) -> Sequence[int]:
    return updates.samples if isinstance(updates, UpdateRows) else [update.samples for update in updates]


def _is_unmasked(updates: Sequence[ClientUpdate]) -> bool:
    if isinstance(updates, UpdateRows):
        return updates.update_mask is None
    return all(update.update_mask is None for update in updates)
