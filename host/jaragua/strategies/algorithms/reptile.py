"""Reptile in batches: the baseline TinyReptile is to match with less memory."""

from __future__ import annotations

from typing import ClassVar

from jaragua.strategies.base import Strategy


class Reptile(Strategy):
    """φ ← φ + α_t · (mean over the round's devices of φ̂ - φ), φ̂ after several passes over a stored support set.

    "On First-Order Meta-Learning Algorithms" (Nichol, Achiam and Schulman, 2018), algorithm 2, with plain gradient
    descent in the devices. A pass goes through the samples in mini-batches of `batch`: in each, every sample's step is
    taken from the same weights, and the weights then move by the mean of the steps.
    """

    SUMMARY: ClassVar[str] = "several passes in mini-batches over a stored set, then towards the mean"
    PASSES: ClassVar[int] = 5
    BATCH: ClassVar[int] = 5
