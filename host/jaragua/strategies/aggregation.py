"""Updates, and how those of a round become one set of weights."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

#: All trainable numbers of a network in one row, float64 [parameters].
Vector: TypeAlias = NDArray[np.float64]


@dataclass(frozen=True)
class ClientUpdate:
    """What one device made of the initialisation.

    weights: float64 [parameters], the device's weights after training. samples: how many it trained on.
    """

    device: str
    weights: Vector
    samples: int


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
