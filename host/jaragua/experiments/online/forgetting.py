"""How much a board forgets when it takes in a class it has not seen (docs/reference/online.md, O6): measured, per seed.

A board that knows all classes but one meets some samples of them; then come samples of the new class, alone (`pure`,
the hard case) or mixed with others. Both times it is evaluated on samples of people or speakers it never met.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from jaragua.online.pools import Pools
from jaragua.online.trained_model import TrainedModel
from jaragua_compiler.engines.native import NativeEngine
from jaragua_compiler.online import Learner, Settings
from jaragua_compiler.online.learner import known_mask
from jaragua_compiler.quantisation.rate import LearningRate

LEARNING_RATE = 0.02
FAMILIAR_SAMPLES = 15
NEW_SAMPLES = 30


@dataclass(frozen=True)
class Forgetting:
    """Accuracies (0..1) on the old classes before and after the new one, and on the new one after."""

    old_before: float
    old_after: float
    new_after: float

    @property
    def points(self) -> float:
        """What the old classes lost, in points of accuracy."""
        return 100 * (self.old_before - self.old_after)


def measure(
    start: TrainedModel, pools: Pools, new: int, learner: Learner, seed: int, *, pure: bool, replays: int
) -> Forgetting:
    """Stream past `learner`: first the old classes, then `new`."""
    random = np.random.default_rng(seed)
    old = [label for label in range(pools.classes) if label != new]
    settings = Settings(known=known_mask(old), replays=replays)
    learner.begin(start.blob, settings, LearningRate.from_float(LEARNING_RATE))
    familiar = [
        (label, place) for label in old for place in range(min(FAMILIAR_SAMPLES, len(pools.stream[label]) // 2))
    ]
    _feed(learner, start, pools, random.permutation(familiar))
    before = accuracy(start, pools, learner.blob(), old)
    _feed(learner, start, pools, list(_second_part(pools, old, new, random, pure=pure)))
    return Forgetting(
        before, accuracy(start, pools, learner.blob(), old), accuracy(start, pools, learner.blob(), [new])
    )


def _second_part(
    pools: Pools, old: list[int], new: int, random: np.random.Generator, *, pure: bool
) -> Iterator[tuple[int, int]]:
    """Samples of the new class; unless `pure`, as many of each old one as half its stream has, in between."""
    stream = [(new, place) for place in range(min(NEW_SAMPLES, len(pools.stream[new])))]
    if not pure:
        for label in old:
            half = len(pools.stream[label]) // 2
            stream += [(label, half + place) for place in range(min(half, NEW_SAMPLES // 4))]
        stream = [stream[place] for place in random.permutation(len(stream))]
    yield from stream


def _feed(learner: Learner, start: TrainedModel, pools: Pools, order: object) -> None:
    for label, place in np.asarray(order).tolist():
        learner.learn(start.integers(pools.stream[label][place]), label)


def accuracy(start: TrainedModel, pools: Pools, blob: bytes, labels: list[int]) -> float:
    """The part of right answers on the test samples of these labels."""
    engine = NativeEngine(start.plan)
    engine.load(blob)
    right = [
        engine.evaluate(x, np.array([label], dtype=np.int16)).correct
        for label in labels
        for x in start.integers(pools.test[label])
    ]
    return float(np.mean(right))
