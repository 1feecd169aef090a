"""Which samples formats are estimated from: the same for a fleet, a simulation and a compiled folder."""

from __future__ import annotations

from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

MOST_ROWS = 64
"""Ranges hardly need more, and a fleet estimates them anew in every round."""

Number = TypeVar("Number", bound=np.floating[Any])


def calibration_rows(samples: npt.NDArray[Number]) -> npt.NDArray[Number]:
    """At most 64 of the calibration samples [n, inputs] of a task, evenly taken. One start has then one blob (A2.6)."""
    return samples[:: -(-len(samples) // MOST_ROWS)]
