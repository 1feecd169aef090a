"""What devices that poison a round send in place of what they learned. Pure; docs/results/poisoned.md explains them.

The attackers know the start, the updates of all other devices and the limits of R17, and act together. Of a format
that their weights must fit nothing is asked, so they can send more than a board can.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from jaragua.simulation.clients.samples import Batch
from jaragua.strategies import Vector

#: Places of the attackers in a round, int64 [attackers].
Places: TypeAlias = NDArray[np.int64]
#: learned, float64 [devices, parameters]; attackers; the length L of R17 -> float64 [attackers, parameters].
Forge: TypeAlias = Callable[[Vector, Places, float], Vector]
#: x, float32 [samples, inputs], and y of one device -> what it trains on instead.
Spoil: TypeAlias = Callable[[np.random.Generator, Batch], Batch]

#: Standard deviations of "A Little Is Enough"; its formula gives 0 for two of ten devices, where nothing would happen.
_LITTLE: Final = 1.5
#: Of an attack that hides: its updates are about as far from the mean as honest ones, or nearer.
_HIDDEN: Final = 0.5
#: Of L: what R17 never excludes, whatever the distance.
_WITHIN_LIMIT: Final = 0.99


@dataclass(frozen=True)
class Attack:
    """forge: of updates; spoil: of the samples an attacker trains on. None: as an honest device."""

    text: str
    forge: Forge | None = None
    spoil: Spoil | None = None


def scaled(factor: float) -> Forge:
    """Each attacker's own update, times a factor."""
    return lambda learned, attackers, limit: factor * learned[attackers]


def reversed_within_limit(learned: Vector, attackers: Places, limit: float) -> Vector:
    """Against the mean of the honest updates, as long as R17.3 accepts from anybody."""
    away = -_honest(learned, attackers).mean(axis=0)
    length = float(np.linalg.norm(away))
    return np.tile(away * (_WITHIN_LIMIT * limit / length if length else 0.0), (len(attackers), 1))


def a_little(deviations: float) -> Forge:
    """Mean less some standard deviations of each weight (Baruch, Baruch and Goldberg, "A Little Is Enough", 2019)."""

    def forge(learned: Vector, attackers: Places, limit: float) -> Vector:
        honest = _honest(learned, attackers)
        return np.tile(honest.mean(axis=0) - deviations * honest.std(axis=0), (len(attackers), 1))

    return forge


def _honest(learned: Vector, attackers: Places) -> Vector:
    return np.delete(learned, attackers, axis=0)


def shuffled_labels(generator: np.random.Generator, batch: Batch) -> Batch:
    """The device's own samples, each with the label of another."""
    return replace(batch, y=batch.y[generator.permutation(len(batch.y))])


def other_data(generator: np.random.Generator, batch: Batch) -> Batch:
    """Inputs that have nothing to do with the task: normal, with the mean and the deviation of the device's own."""
    noise = generator.normal(batch.x.mean(), batch.x.std(), batch.x.shape).astype(np.float32)
    return replace(shuffled_labels(generator, batch), x=noise)


HONEST: Final = "honest"
ATTACKS: Final[dict[str, Attack]] = {
    HONEST: Attack("no attacker"),
    "sign-flip": Attack("the update, with its sign reversed", scaled(-1.0)),
    "scale-10": Attack("the update times 10", scaled(10.0)),
    "scale-100": Attack("the update times 100", scaled(100.0)),
    "shuffled-labels": Attack("trained on samples with each other's labels", spoil=shuffled_labels),
    "other-data": Attack("trained on another source's inputs, with shuffled labels", spoil=other_data),
    "a-little": Attack("the honest mean less 1.5 standard deviations (Baruch and others, 2019)", a_little(_LITTLE)),
    "a-little-hidden": Attack("the same with 0.5 standard deviations", a_little(_HIDDEN)),
    "reversed": Attack("against the honest mean, 0.99 L long (R17)", reversed_within_limit),
}


def spoiled(attack: Attack, batch: Batch, attackers: Places, generator: np.random.Generator) -> Batch:
    """The samples of a round, those of the attackers as the attack has them."""
    if attack.spoil is None:
        return batch
    x, y = batch.x.copy(), batch.y.copy()
    ends = np.cumsum(batch.counts)
    for place in attackers.tolist():
        there = slice(int(ends[place] - batch.counts[place]), int(ends[place]))
        changed = attack.spoil(generator, batch.part(place, place + 1))
        x[there], y[there] = changed.x, changed.y
    return replace(batch, x=x, y=y)


def forged(attack: Attack, learned: Vector, attackers: Places, limit: float) -> Vector:
    """What arrives of a round, float64 [devices, parameters]."""
    if attack.forge is None:
        return learned
    arrived = learned.copy()
    arrived[attackers] = attack.forge(learned, attackers, limit)
    return arrived
