"""TinyMetaFed: TinyReptile that sends less."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import ClassVar

from jaragua.strategies.base import ClientWork, ModelProperties, Strategy


class TinyMetaFed(Strategy):
    """TinyReptile with partial local reconstruction, top-P % upload and a cosine schedule.

    "TinyMetaFed: Efficient Federated Meta-Learning for TinyML" (Ren, Li, Anicic and Runkler, 2023). Local
    reconstruction is that of "Federated Reconstruction" (Singhal et al., 2021): the last `local_layers` layers are
    drawn from the run's seed, learnt anew by each device in each round, and never sent. Of the other weights the
    fraction `upload_fraction` that moved most is sent, in 8 bits; what is left out is added to the device's next update
    (error feedback). α_t = α_final + (α - α_final) · (1 + cos(π (t - 1) / rounds)) / 2.

    Where labels mean the same on every device, or the head is most of the network, it travels like any other layer.
    """

    SUMMARY: ClassVar[str] = "TinyReptile with a local head, the largest changes only, and a cosine schedule"
    OPTIONS: ClassVar[dict[str, float]] = {
        "local_layers": 0,
        "upload_fraction": 0.1,
        "download_fraction": 0.25,
        "delta_bits": 8,
    }
    #: A last layer with more of all trainable numbers is no head, but most of the network.
    LARGEST_HEAD: ClassVar[float] = 0.5

    @classmethod
    def own_options(cls, properties: ModelProperties) -> dict[str, float]:
        """The head is local where labels are a task's own, unless it is too large."""
        is_local = properties.own_labels and properties.head_fraction <= cls.LARGEST_HEAD
        return cls.OPTIONS | {"local_layers": int(is_local)}

    def step_size(self, round_number: int) -> float:
        """The cosine schedule."""
        settings = self.settings
        fallen = (1 + math.cos(math.pi * (round_number - 1) / settings.rounds)) / 2
        return settings.alpha_final + (settings.alpha - settings.alpha_final) * fallen

    def client_work(self, round_number: int) -> ClientWork:
        """TinyReptile's stream, and what is sent of it."""
        return replace(super().client_work(round_number), local_layers=self.whole_option("local_layers"))
