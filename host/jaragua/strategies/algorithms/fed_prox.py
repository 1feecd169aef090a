"""FedProx: federated averaging whose devices are held near the model they were given."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

from jaragua.strategies.algorithms.fed_avg import FedAvg
from jaragua.strategies.base import ClientWork


class FedProx(FedAvg):
    """Devices minimise F_k(w) + μ/2 · |w - w_t|².

    "Federated Optimization in Heterogeneous Networks" (Li et al., 2020), equation 2. The engine of a device has no such
    term, so it is split off: after each pass of n steps of the rate η, w ← w_t + (1 - η μ)^n · (w - w_t), what n steps
    of the proximal term alone would do.
    """

    SUMMARY: ClassVar[str] = "federated averaging with a proximal term"
    OPTIONS: ClassVar[dict[str, float]] = {"proximal": 0.1}

    def client_work(self, round_number: int) -> ClientWork:
        """As federated averaging, with μ."""
        return replace(super().client_work(round_number), proximal=self.option("proximal"))
