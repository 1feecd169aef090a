"""What a run has told of one device (U11): ε by Google's dp-accounting, which the extra `privacy` installs. Pure."""

from __future__ import annotations

import importlib.util
from collections import Counter
from collections.abc import Iterable, Mapping

from jaragua.bases.value import Value
from jaragua.errors import ToolError

#: Of a noise multiplier that is searched for, relative.
_PRECISION = 1e-3


class Spent(Value):
    """ε at δ of the device that took part in the most rounds, and how many these are."""

    epsilon: float
    delta: float
    rounds: int


def check() -> None:
    """Raises: ToolError if the library is not installed."""
    if importlib.util.find_spec("dp_accounting") is None:
        raise ToolError(
            "the Python package dp-accounting is not installed; runs with noise report ε with it",
            "install it: pip install 'jaragua[privacy]'; or set privacy.noise_multiplier = 0",
        )


def spent(noise_multiplier: float, rounds: int, delta: float) -> Spent:
    """After a device took part in so many rounds, each 1/(2 z²)-zCDP. Raises: ToolError."""
    check()
    from dp_accounting import dp_event
    from dp_accounting.rdp import rdp_privacy_accountant

    if not rounds:
        return Spent(0.0, delta, 0)
    accountant = rdp_privacy_accountant.RdpAccountant()
    accountant.compose(dp_event.ZCDpEvent(1 / (2 * noise_multiplier**2)), rounds)
    return Spent(float(accountant.get_epsilon(delta)), delta, rounds)


def noise_for(epsilon: float, rounds: int, delta: float) -> float:
    """The smallest noise multiplier with at most this ε after so many rounds of a device, within 0.1 %.

    Raises: ToolError; ValueError if epsilon or rounds is not above 0.
    """
    if epsilon <= 0 or rounds <= 0:
        raise ValueError("epsilon and rounds must be above 0")
    low, high = 0.0, 1.0
    while spent(high, rounds, delta).epsilon > epsilon:
        low, high = high, 2 * high
    while high - low > _PRECISION * high:
        middle = (low + high) / 2
        low, high = (middle, high) if spent(middle, rounds, delta).epsilon > epsilon else (low, middle)
    return high


def most_rounds(devices: Iterable[Iterable[str]]) -> int:
    """In how many rounds the device took part that did most often. devices: of each round."""
    counts = Counter(device for round_of in devices for device in set(round_of))
    return max(counts.values(), default=0)


def as_json(found: Spent) -> Mapping[str, float]:
    """For files and `--json`."""
    return {"epsilon": found.epsilon, "delta": found.delta, "rounds": found.rounds}
