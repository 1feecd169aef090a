"""How the sum of a round is made: from a run's settings and the exponents of the start (U9, U10). Pure."""

from __future__ import annotations

import hashlib
from typing import Final

import numpy as np
from numpy.typing import NDArray

from jaragua.bases.value import Value
from jaragua.errors import ConfigurationError
from jaragua.privacy.clipping import LEAST_VARIANCE, grid_of, limit_of, variance_of
from jaragua.privacy.lists import threshold_of
from jaragua.privacy.noise import discrete_gaussian
from jaragua.privacy.numbers import SumRule
from jaragua.privacy.streams import Stream, derived
from jaragua.privacy.words import Integers
from jaragua.settings import PrivacySettings

#: U1.2: devices of a sum, in multiples of `clients_per_round`: others step in (R7), or are asked beside (R15).
MOST_OF_CLIENTS: Final = 4


class RoundRule(Value):
    """How devices add up, and the variance of the noise that the coordinator adds."""

    summed: SumRule
    noise: int = 0


def round_rule(
    privacy: PrivacySettings, exponents: NDArray[np.int64], *, by_samples: bool, clients: int, quorum: int
) -> RoundRule:
    """exponents: of the start. Raises: ConfigurationError if the numbers do not fit a word, or the noise its grid."""
    if not privacy.clip:
        return RoundRule(SumRule(by_samples))
    shared_by = threshold_of(quorum) if privacy.noise_on == "devices" else 1
    most = MOST_OF_CLIENTS * clients
    noise_in_all = privacy.noise_multiplier**2 * (most / shared_by if privacy.noise_on == "devices" else 1)
    grid = grid_of(exponents, privacy.clip, noise_in_all, most)
    clip, variance = limit_of(privacy.clip, grid), variance_of(privacy.clip, grid, privacy.noise_multiplier, shared_by)
    if privacy.noise_on != "devices":
        return RoundRule(SumRule(by_samples, grid, clip), variance)
    if 0 < variance < LEAST_VARIANCE:
        raise ConfigurationError(
            f"the noise of one device has a variance of {variance}, less than {LEAST_VARIANCE} (U10.3)",
            "a larger privacy.noise_multiplier or clip",
        )
    return RoundRule(SumRule(by_samples, grid, clip, variance))


def with_noise(total: Integers, variance: int, key: bytes, round_number: int) -> Integers:
    """A sum with the coordinator's noise (U10.2). key: of the run."""
    if not variance:
        return total
    of_the_sum = hashlib.sha256(total.astype("<i8").tobytes()).hexdigest()
    stream = Stream(derived(key, "noise", round_number, of_the_sum))
    found: Integers = total + discrete_gaussian(stream, variance, len(total))
    return found


def simulated_key(seed: int) -> bytes:
    """U10.4: of a simulation, which protects nobody."""
    return derived(f"simulated noise {seed}".encode(), "simulation")
