"""What a strategy is: a pure function from an initialisation and a round's updates to the next initialisation."""

from __future__ import annotations

from collections.abc import Sequence
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


class Strategy(Protocol):
    """One outer step. An implementation must not depend on the order in which updates arrived: it gets them sorted."""

    def aggregate(self, round_number: int, initialisation: Vector, updates: Sequence[ClientUpdate]) -> Vector:
        """The next initialisation, float64 [parameters].

        Args: round_number, 1 for the first; initialisation, float64 [parameters], what the devices started from;
        updates, at least one, sorted by device.
        """
        ...

    def step_size(self, round_number: int) -> float:
        """The step size of a round, for the record."""
        ...
