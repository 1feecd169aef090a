"""Updates, and how those of a round become one set of weights."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

#: All trainable numbers of a network in one row, float64 [parameters].
Vector: TypeAlias = NDArray[np.float64]
Told: TypeAlias = NDArray[np.bool_]


@dataclass(frozen=True)
class ClientUpdate:
    """What one device made of the initialisation.

    weights: float64 [parameters], the device's weights after training. samples: how many it trained on. told: bool
    [parameters], what of the weights the device has anything to say of (R14); None: of all.
    """

    device: str
    weights: Vector
    samples: int
    told: Told | None = None


Combine: TypeAlias = Callable[[Sequence[ClientUpdate]], Vector]


class Check(Protocol):
    """One step before the updates are combined."""

    @property
    def reason(self) -> str:
        """Why it leaves an update out, for people."""
        ...

    def __call__(self, initialisation: Vector, updates: Sequence[ClientUpdate]) -> list[ClientUpdate]:
        """The updates that are believed, in their order; an update of a kept device may be another."""
        ...


@dataclass(frozen=True)
class Aggregation:
    """Checks in their order, then one set of weights for all updates that are left; combine None: the strategy's."""

    checks: tuple[Check, ...] = ()
    combine: Combine | None = None

    def checked(
        self, initialisation: Vector, updates: Sequence[ClientUpdate]
    ) -> tuple[list[ClientUpdate], dict[str, str]]:
        """The updates that passed, and of the others device and reason."""
        kept, reasons = list(updates), dict[str, str]()
        for check in self.checks:
            before, kept = kept, check(initialisation, kept)
            there = {update.device for update in kept}
            reasons |= {update.device: check.reason for update in before if update.device not in there}
        return kept, reasons


def mean(updates: Sequence[ClientUpdate]) -> Vector:
    """Every device counts the same."""
    result: Vector = np.mean([update.weights for update in updates], axis=0)
    return result


def sample_weighted_mean(updates: Sequence[ClientUpdate]) -> Vector:
    """Every sample counts the same."""
    samples = np.array([update.samples for update in updates], dtype=np.float64)
    result: Vector = np.average([update.weights for update in updates], axis=0, weights=samples)
    return result


def told_mean(updates: Sequence[ClientUpdate], *, by_samples: bool = False) -> Vector:
    """R14: of each weight the mean over the devices that have anything to say of it; over all if none has.

    by_samples: every sample counts the same, else every device. Where all have a say of everything it is the mean.
    """
    if all(update.told is None for update in updates):
        return sample_weighted_mean(updates) if by_samples else mean(updates)
    counted = np.array([float(update.samples) if by_samples else 1.0 for update in updates])
    rows = np.array([update.weights for update in updates])
    all_told = np.ones(rows.shape[1], np.bool_)
    told = np.array([all_told if update.told is None else update.told for update in updates]) * counted[:, None]
    told[:, ~told.any(axis=0)] = 1.0
    result: Vector = (rows * told).sum(axis=0) / told.sum(axis=0)
    return result
