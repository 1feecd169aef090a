"""Transfer learning: train one model on everybody's samples in one place, then adapt it."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

from jaragua.strategies.base import ClientWork, Strategy


class Transfer(Strategy):
    """w ← w after one step on each of the round's samples, taken in turn from its devices' tasks.

    The joint training that the Reptile and TinyReptile papers compare with: neighbouring steps belong to different
    tasks, so no step builds on another of its task, and what is learnt is the mean of all tasks. α is always 1.
    """

    SUMMARY: ClassVar[str] = "one model trained on all samples in one place, without meta-learning"

    def step_size(self, round_number: int) -> float:
        """Always 1: training goes on where it was."""
        return 1.0

    def client_work(self, round_number: int) -> ClientWork:
        """One engine for all."""
        return replace(super().client_work(round_number), pooled=True)
