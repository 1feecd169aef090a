"""Semi-asynchronous rounds: updates are taken when they come, and count the less the older their start is. Pure.

"FedBuff: Federated Learning with Buffered Asynchronous Aggregation" (Nguyen et al., 2022) fills a buffer of K and then
moves by the mean of the weighted updates, φ + α · Σ s(age_i) Δ_i / K; the polynomial weight is that of "Asynchronous
Federated Optimization" (Xie, Koyejo and Gupta, 2019).
"""

from __future__ import annotations

from typing import Final

from jaragua.settings import BufferSettings
from jaragua.strategies.aggregation import ClientUpdate, UpdateMask, Vector

#: What `round.staleness_exponent` and `round.max_staleness` are unless something else is said.
STALENESS_EXPONENT: Final = BufferSettings.staleness_exponent
MAX_STALENESS: Final = BufferSettings.max_staleness


def staleness_weight(age: int, power: float = STALENESS_EXPONENT) -> float:
    """s(age) = (1 + age)^-power: 1 for an update of the newest start, falling with every version since.

    Raises: ValueError for a negative age.
    """
    if age < 0:
        raise ValueError(f"an update cannot start from a version that is to come (age {age})")
    return float((1 + age) ** -power)


def counted(
    device: str,
    vector: Vector,
    learned: Vector,
    samples: int,
    *,
    age: int,
    power: float,
    update_mask: UpdateMask | None = None,
) -> ClientUpdate:
    """R13.3: an update as it counts for the initialisation as it is now; age: of its start, in rounds."""
    return ClientUpdate(device, vector + staleness_weight(age, power) * learned, samples, update_mask)
