"""Federated stochastic gradient descent: each device gives one gradient."""

from __future__ import annotations

from typing import ClassVar

from jaragua.strategies.algorithms.fed_avg import FedAvg
from jaragua.strategies.base import WHOLE_SET


class FedSGD(FedAvg):
    """w ← w - η Σ n_k g_k / Σ n_k, g_k the mean gradient of device k's samples, all at w.

    McMahan et al. (2017), section 2: federated averaging with one step on all samples (E = 1, B = ∞).
    """

    SUMMARY: ClassVar[str] = "one gradient over all samples of each device, averaged"
    BATCH: ClassVar[int] = WHOLE_SET
