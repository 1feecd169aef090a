"""Real numbers into a blob's integers and out of them: what a device is asked, and what it computed. Pure."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from jaragua_compiler.planning.plan import Plan
from jaragua_compiler.quantisation.blob import Int16Array, exponents, quantise_inputs

Reals = npt.NDArray[np.float64]


def integers_of(plan: Plan, blob: bytes, inputs: Reals) -> Int16Array:
    """Inputs [n, inputs] in the formats of a blob (A2.2). Raises: CompileError for another shape or a bad blob."""
    return quantise_inputs(plan, exponents(plan, blob), inputs)


def reals_of(plan: Plan, blob: bytes, outputs: Int16Array) -> Reals:
    """Outputs [n, outputs] as the real numbers they stand for (A3.3). Raises: CompileError for a bad blob."""
    return np.ldexp(outputs.astype(np.float64), -exponents(plan, blob).output)
