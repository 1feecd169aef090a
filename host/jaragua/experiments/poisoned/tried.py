"""Rules against attackers who act together that were tried and are in no run (docs/results/poisoned.md). Pure.

Each changes the updates of a round before their mean is taken; some remember the updates of earlier rounds.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeAlias

import numpy as np

from jaragua.strategies import Vector

#: The updates of a round, float64 [devices, parameters], in the same order of devices each time -> those that are used.
Rule: TypeAlias = Callable[[Vector], Vector]

#: Of ten devices.
_EXCLUDED: Final = 2
#: Of the past in the sum of all updates of a device.
MEMORY: Final = 0.9


class Past:
    """Of each device the mean of its updates, the newest with the greatest weight."""

    def __init__(self) -> None:
        self._sum: Vector | None = None
        self._rounds = 0

    def after(self, updates: Vector) -> Vector:
        """With those of this round, float64 [devices, parameters]."""
        self._rounds += 1
        kept = MEMORY * self._sum if self._sum is not None else np.zeros_like(updates)
        self._sum = kept + (1 - MEMORY) * updates
        found: Vector = self._sum / (1 - MEMORY**self._rounds)
        return found


def nearest_mixed(updates: Vector) -> Vector:
    """Each update becomes the mean of the eight nearest, itself among them (Allouah and others, 2023)."""
    distances = ((updates[:, None] - updates[None]) ** 2).sum(axis=-1)
    nearest = np.argsort(distances, axis=1)[:, : len(updates) - _EXCLUDED]
    found: Vector = updates[nearest].mean(axis=1)
    return found


def _trimmed(updates: Vector) -> Vector:
    """The trimmed mean, for all devices."""
    middle = np.sort(updates, axis=0)[_EXCLUDED : len(updates) - _EXCLUDED].mean(axis=0)
    return np.tile(middle, (len(updates), 1))


def _nearest() -> Rule:
    return lambda updates: _trimmed(nearest_mixed(updates))


def _nearest_past() -> Rule:
    past = Past()
    return lambda updates: _trimmed(nearest_mixed(past.after(updates)))


def _history() -> Rule:
    """The two devices are left out whose past is farthest from the median past; updates of others stay as they are."""
    past = Past()

    def rule(updates: Vector) -> Vector:
        known = past.after(updates)
        distances = ((known - np.median(known, axis=0)) ** 2).sum(axis=1)
        used = np.argsort(distances)[: len(updates) - _EXCLUDED]
        return np.tile(updates[used].mean(axis=0), (len(updates), 1))

    return rule


#: Each is made anew for a fleet.
TRIED: Final[dict[str, Callable[[], Rule]]] = {
    "nearest, trim 0.2": _nearest,
    "nearest of the past, trim 0.2": _nearest_past,
    "history": _history,
}
