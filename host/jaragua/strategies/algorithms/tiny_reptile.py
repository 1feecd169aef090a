"""TinyReptile: Reptile whose devices take one step of gradient descent for each sample of a stream, and keep none."""

from __future__ import annotations

from typing import ClassVar

from jaragua.strategies.base import Strategy


class TinyReptile(Strategy):
    """φ ← φ + α_t · (mean over the round's devices of φ̂ - φ).

    With one device a round this is algorithm 1 of "TinyReptile: TinyML with Federated Meta-Learning" (Ren, Li and
    Anicic, 2023); with several it is the batched outer step of "On First-Order Meta-Learning Algorithms" (Nichol,
    Achiam and Schulman, 2018), whose linear annealing it takes too: α_t = α + (α_final - α) · (t - 1) / rounds.
    """

    SUMMARY: ClassVar[str] = "one step a sample, then towards the mean of the devices"
