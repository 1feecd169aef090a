"""The threshold that a folder rejects unknown classes with (A12.8), and how it was found."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from jaragua_compiler.planning.plan import Plan


@dataclass(frozen=True)
class Rejection:
    """threshold: Q15 (A12.8). false_accepts: the part of unknown samples that it was calibrated to accept.

    Calibrated on `tasks` tasks of training data with `classes` enrolled classes of `shots` samples, and `unknown`
    samples of classes that were not enrolled. devices: whose tasks, `training` or `validation`: those that the weights
    have seen, or others.
    """

    threshold: int
    false_accepts: float
    classes: int
    shots: int
    tasks: int
    unknown: int
    devices: str = "training"

    def facts(self) -> dict[str, Any]:
        """For jaragua.json."""
        return asdict(self)


Calibrate = Callable[[Plan, bytes], Rejection | None]
"""Finds the threshold of a plan with prototypes and the blob it begins with; None if that cannot be found."""
