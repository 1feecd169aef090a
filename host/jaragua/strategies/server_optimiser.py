"""How the server steps along what the devices learned (R18): plain, or with moments over the rounds. Pure.

"Adaptive Federated Optimization" (Reddi et al., 2021), algorithm 2, has Adam and Yogi without correction of the bias;
momentum is FedAvgM ("Measuring the Effects of Non-Identical Data Distribution", Hsu, Qi and Brown, 2019).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from jaragua.errors import ConfigurationError
from jaragua.settings import AggregationSettings
from jaragua.strategies.aggregation import Vector

#: What an optimiser keeps from round to round, float64 [moments, parameters]; of no moments before the first step.
Moments: TypeAlias = NDArray[np.float64]
NO_MOMENTS: Final[Moments] = np.zeros((0, 0))
#: Optimisers by name, and how many moments each keeps.
MOMENTS: Final = {"plain": 0, "momentum": 1, "adam": 2, "yogi": 2}


@dataclass(frozen=True)
class ServerOptimiser:
    """An optimiser with its numbers, as `[strategy]` of a run has them."""

    name: str = AggregationSettings.server_optimiser
    beta1: float = AggregationSettings.server_beta1
    beta2: float = AggregationSettings.server_beta2
    tau: float = AggregationSettings.server_tau

    @property
    def is_plain(self) -> bool:
        """Whether a step is what the devices learned in this round alone."""
        return not MOMENTS[self.name]

    def step(self, learned: Vector, moments: Moments) -> tuple[Vector, Moments]:
        """What α_t multiplies, float64 [parameters], and the moments after it (R18.1 to R18.3).

        learned: Δ_t, what the devices learned together, float64 [parameters]. moments: those after the step before.
        """
        if self.is_plain:
            return learned, NO_MOMENTS
        if not moments.size:
            moments = self._begin(len(learned))
        if self.name == "momentum":
            first: Vector = self.beta1 * moments[0] + learned
            return first, first[None]
        first = self.beta1 * moments[0] + (1 - self.beta1) * learned
        second = self._second(moments[1], learned * learned)
        return first / (np.sqrt(second) + self.tau), np.stack((first, second))

    def _begin(self, parameters: int) -> Moments:
        begun = np.zeros((MOMENTS[self.name], parameters))
        begun[1:] = self.tau * self.tau
        return begun

    def _second(self, second: Vector, squared: Vector) -> Vector:
        rest = 1 - self.beta2
        if self.name == "yogi":
            return second - rest * squared * np.sign(second - squared)
        return self.beta2 * second + rest * squared


def optimiser_of(settings: AggregationSettings) -> ServerOptimiser:
    """The optimiser that a run's settings ask for. Raises: ConfigurationError if there is none such."""
    name = settings.server_optimiser
    if name not in MOMENTS:
        raise ConfigurationError(f"server_optimiser is '{name}', which there is not", f"known: {', '.join(MOMENTS)}")
    for beta in ("server_beta1", "server_beta2"):
        value = getattr(settings, beta)
        if not 0 <= value < 1:
            raise ConfigurationError(f"{beta} is {value:g}, which is out of range", "0 to below 1 is possible")
    tau = settings.server_tau
    if not 0 < tau < math.inf:
        raise ConfigurationError(f"server_tau is {tau:g}, which is out of range", "a number above 0 is possible")
    return ServerOptimiser(name, settings.server_beta1, settings.server_beta2, tau)
