"""The settings of a training step in an engine's integers: a board's, this machine's, a simulated device's."""

from __future__ import annotations

from jaragua.settings import StepSettings
from jaragua_compiler.engine_protocol import StepLimits
from jaragua_compiler.planning.plan import Plan
from jaragua_compiler.quantisation.blob import quantise_error_clip, quantise_loss_threshold
from jaragua_compiler.quantisation.exponents import Exponents


def step_limits(plan: Plan, found: Exponents | None, settings: StepSettings) -> StepLimits:
    """For weights of these exponents (A11.7, A11.8); a classifier needs none.

    Raises: CompileError for a setting that is out of range, or for a regression without exponents.
    """
    least = quantise_loss_threshold(plan, found, settings.loss_threshold)
    return StepLimits(least, quantise_error_clip(plan, found, settings.error_clip))
