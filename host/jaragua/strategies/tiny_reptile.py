"""TinyReptile: Reptile whose devices take one step of gradient descent for each sample of a stream, and keep none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from jaragua.strategies.base import ClientUpdate, Vector


@dataclass(frozen=True)
class TinyReptile:
    """φ ← φ + α_t · (mean over the round's devices of φ̂ - φ).

    With one device a round this is algorithm 1 of "TinyReptile: TinyML with Federated Meta-Learning" (Ren, Li and
    Anicic, 2023); with several it is the batched outer step of "On First-Order Meta-Learning Algorithms" (Nichol,
    Achiam and Schulman, 2018), whose linear annealing it takes too: α_t = α + (α_final - α) · (t - 1) / rounds.
    """

    alpha: float
    alpha_final: float
    rounds: int

    def step_size(self, round_number: int) -> float:
        """α_t; the first round takes α, and the round after the last would take α_final."""
        return self.alpha + (self.alpha_final - self.alpha) * (round_number - 1) / self.rounds

    def aggregate(self, round_number: int, initialisation: Vector, updates: Sequence[ClientUpdate]) -> Vector:
        """One outer step; shapes as in `Strategy.aggregate`."""
        mean = np.mean([update.weights for update in updates], axis=0)
        moved: Vector = initialisation + self.step_size(round_number) * (mean - initialisation)
        return moved
