"""Federated averaging: one model for all devices, the baseline without meta-learning."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from jaragua.strategies.aggregation import ClientUpdate, Vector, masked_mean
from jaragua.strategies.base import Strategy


class FedAvg(Strategy):
    """w ← Σ n_k w_k / Σ n_k, n_k the samples of device k.

    "Communication-Efficient Learning of Deep Networks from Decentralized Data" (McMahan et al., 2017), algorithm 1.
    α is 1 and never falls; with momentum, Adam or Yogi on the server (R18) it is that of the settings. Labels are taken
    as the devices' tasks name them.
    """

    SUMMARY: ClassVar[str] = "the mean of the devices' weights by their samples becomes the model"

    def step_size(self, round_number: int) -> float:
        """1, so that the mean replaces the model; with a server optimiser the settings' α_t."""
        return 1.0 if self.settings.optimiser.is_plain else super().step_size(round_number)

    def combine(self, updates: Sequence[ClientUpdate]) -> Vector:
        """Every sample counts the same."""
        return masked_mean(updates, by_samples=True)
