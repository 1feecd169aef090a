"""Semi-asynchronous rounds: updates are taken when they come, and count the less the older their start is.

Pure: a buffer of updates, and the weight of an age. "FedBuff: Federated Learning with Buffered Asynchronous
Aggregation" (Nguyen et al., 2022) fills a buffer of K and then moves; the polynomial weight is that of "Asynchronous
Federated Optimization" (Xie, Koyejo and Gupta, 2019).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from jaragua.strategies.aggregation import Vector


def staleness_weight(age: int, power: float = 0.5) -> float:
    """s(age) = (1 + age)^-power: 1 for an update of the newest start, falling with every version since.

    Raises: ValueError for a negative age.
    """
    if age < 0:
        raise ValueError(f"an update cannot start from a version that is to come (age {age})")
    return float((1 + age) ** -power)


@dataclass(frozen=True)
class AgedDifference:
    """What a device learned, float64 [parameters], and which version of the initialisation it started from."""

    device: str
    difference: Vector
    version: int


@dataclass
class StaleBuffer:
    """Takes differences in any order; when it holds `size` of them, they make one step.

    φ ← φ + α · Σ s(age_i) Δ_i / size. A difference older than `most_age` versions is not taken. A device has one place:
    its later difference replaces the earlier one.
    """

    size: int
    power: float = 0.5
    most_age: int = 20
    _held: dict[str, AgedDifference] = field(default_factory=dict)

    def take(self, update: AgedDifference, version: int) -> bool:
        """Keep a difference if it is not too old; version: of the newest initialisation. Whether it was kept."""
        if version - update.version > self.most_age:
            return False
        self._held[update.device] = update
        return True

    @property
    def is_full(self) -> bool:
        """Whether there is enough for a step."""
        return len(self._held) >= self.size

    def step(self, initialisation: Vector, version: int, alpha: float) -> Vector:
        """The next initialisation; the buffer is empty after it. In the order of device names (R5)."""
        held: Sequence[AgedDifference] = [self._held[device] for device in sorted(self._held)]
        weighted = [staleness_weight(version - one.version, self.power) * one.difference for one in held]
        self._held.clear()
        moved: Vector = initialisation + alpha * np.sum(weighted, axis=0) / len(held)
        return moved
