"""What integer engines count of samples (A4.4), and the figures that follow from it."""

from __future__ import annotations

from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from jaragua_compiler.planning.plan import LOGIT_EXPONENT, Plan
from jaragua_compiler.quantisation.blob import exponents
from jaragua_models import Model

#: Of one device: right answers, and the sum of the losses in the engine's unit; as C has the structure.
FIGURES: Final = np.dtype([("correct", "<u4"), ("pad", "<u4"), ("loss", "<u8")])
Figures: TypeAlias = NDArray[np.void]


def loss_unit(plan: Plan, start: bytes) -> float:
    """What one unit of a loss stands for: nats, or for a regression the squared error of one output."""
    if plan.network.classifier:
        return 2.0**-LOGIT_EXPONENT
    return float(2.0 ** (-2 * exponents(plan, start).output) / plan.network.outputs)


def scores(model: Model, unit: float, figures: Figures, counts: NDArray[np.int64]) -> NDArray[np.float64]:
    """The model's metric of each device over its `counts` samples, float64 [devices]. unit: as loss_unit gives it."""
    if model.metric == "accuracy":
        return np.asarray(figures["correct"] / counts, dtype=np.float64)
    return np.asarray(figures["loss"].astype(np.float64) * unit / counts, dtype=np.float64)
