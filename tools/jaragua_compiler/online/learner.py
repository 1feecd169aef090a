"""What every learner offers: the same calls, the same bits."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from jaragua_compiler.errors import CompileError
from jaragua_compiler.planning.operators import DensePlan
from jaragua_compiler.planning.plan import Plan
from jaragua_compiler.quantisation.blob import Int16Array
from jaragua_compiler.quantisation.rate import LearningRate

MOST_OUTPUTS = 64
MOST_REPLAYS = 64
HORIZONS_LOG2 = range(4, 15)
MOST_THRESHOLD = 1 << 24


@dataclass(frozen=True)
class Settings:
    """The settings of a learner. `known`: bit j says that output j is known at the beginning (O4.1)."""

    known: int
    standardise: bool = False
    """O3."""
    warm_up: int = 32
    """O3.1, samples."""
    horizon_log2: int = 10
    """O2.1: h, or 0 for no statistics."""
    replays: int = 8
    """O5.2, steps a sample."""
    slack: int = 410
    """O7.1, Q11 nats."""
    threshold: int = 30720
    """O7.1, Q11 nats; 0: no detector."""

    def check(self, outputs: int) -> None:
        """Raises CompileError if a number is outside its range."""
        horizon = self.horizon_log2 in HORIZONS_LOG2 or (self.horizon_log2 == 0 and not self.standardise)
        ranges = 0 <= self.replays <= MOST_REPLAYS and 0 <= self.threshold <= MOST_THRESHOLD
        if not (horizon and ranges and self.known & ((1 << outputs) - 1)):
            raise CompileError(
                f"{self} cannot be: a number is outside its range.", "See docs/reference/online.md for the ranges."
            )


class Outcome(NamedTuple):
    """What one sample gave: was the answer right, was its class opened (O6), was drift noticed (O7), the loss (Q11)."""

    correct: bool
    opened: bool
    drift: bool
    loss: int


@dataclass(frozen=True)
class Report:
    """O8, since the learner began. `recent`: Q15; `mean_loss`: Q23; `excess`: Q11."""

    samples: int = 0
    correct: int = 0
    recent: int = 0
    known: int = 0
    opened: int = 0
    opened_at: int = 0
    opened_label: int = 0
    drifts: int = 0
    drift_at: int = 0
    mean_loss: int = 0
    excess: int = 0


class Statistics(NamedTuple):
    """O2, one number an input: mean (int32, exponent 15) and variance (uint32)."""

    mean: npt.NDArray[np.int64]
    variance: npt.NDArray[np.int64]


class Learner(Protocol):
    """A network whose last layer goes on learning."""

    def begin(self, blob: bytes, settings: Settings, rate: LearningRate) -> None:
        """Begin anew on a copy of these weights. Raises CompileError if the blob, a setting or the rate is bad."""

    def resume(self, settings: Settings, rate: LearningRate) -> None:
        """Go on with other settings (all but `known`) and another rate. Raises CompileError as `begin` does."""

    def learn(self, x: npt.ArrayLike, label: int) -> Outcome | None:
        """Predict, then learn from one sample, int16 [inputs]; None while the statistics warm up (O3.1)."""

    def blob(self) -> bytes:
        """The weights as they are now."""

    def report(self) -> Report:
        """Where the learner stands (O8)."""

    def statistics(self) -> Statistics:
        """O2."""

    def prototypes(self) -> Int16Array:
        """O5.1: int16 [outputs, features]."""


def head_of(plan: Plan) -> DensePlan:
    """The layer that learns. Raises CompileError if this network has none (O1.1)."""
    head = plan.head
    if head is None or head.outputs > MOST_OUTPUTS:
        raise CompileError(
            f"{plan.network.name!r} cannot learn online: its last layer is not a dense layer of int16 weights with at"
            f" most {MOST_OUTPUTS} outputs and cross-entropy.",
            "Give it such a layer.",
        )
    return head


def known_mask(labels: Iterable[int]) -> int:
    """The bit set of these labels."""
    return sum(1 << label for label in set(labels))
