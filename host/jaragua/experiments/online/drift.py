"""How soon a board notices that its inputs have changed, and how often it is wrong about it (online.md, O7)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from jaragua.online.pools import Pools
from jaragua.online.trained_model import TrainedModel
from jaragua_compiler.online import Learner, Settings
from jaragua_compiler.online.learner import known_mask
from jaragua_compiler.quantisation.rate import LearningRate
from jaragua_models.base import Features

LEARNING_RATE = 0.02
BEFORE_SAMPLES = 300


@dataclass(frozen=True)
class Watch:
    """What a stream made of a detector: alarms before the change, and samples from it to the first alarm (or None).

    `right_late` is the part of right answers over the last 50 samples.
    """

    false_alarms: int
    delay: int | None
    right_late: float


Change = Callable[[Features], Features]


def unchanged(x: Features) -> Features:
    """No change."""
    return x


def inverted(x: Features) -> Features:
    """The ends of the range change places."""
    turned: Features = x.min() + x.max() - x
    return turned


def rolled(x: Features) -> Features:
    """A sensor mounted elsewhere: all inputs moved by one place in eight."""
    return np.roll(x, x.shape[-1] // 8, axis=-1)


def faded(x: Features) -> Features:
    """A sensor that has become weak: a third of the signal, on a third of the range."""
    weak: Features = (x + x.max()) / 3
    return weak


CHANGES: dict[str, Change] = {"inverted": inverted, "moved": rolled, "faded": faded}


def watch(
    start: TrainedModel,
    pools: Pools,
    learner: Learner,
    seed: int,
    samples: int,
    change: Change,
    settings: Settings | None = None,
) -> Watch:
    """Stream samples of all classes, drawn with repetition; from BEFORE_SAMPLES on they are changed."""
    random = np.random.default_rng(seed)
    chosen = settings or Settings(known_mask(range(pools.classes)), standardise=start.scaling is not None)
    learner.begin(start.blob, chosen, LearningRate.from_float(LEARNING_RATE))
    before = [start.streamed(pool) for pool in pools.stream]
    after = [start.streamed(change(pool)) for pool in pools.stream]
    alarms, right = [], []
    for number in range(samples):
        label = int(random.integers(pools.classes))
        x = (before if change is unchanged or number < BEFORE_SAMPLES else after)[label]
        outcome = learner.learn(x[random.integers(len(x))], label)
        if outcome is not None:
            right.append(outcome.correct)
            alarms += [number] if outcome.drift else []
    if change is unchanged:
        return Watch(len(alarms), None, float(np.mean(right[-50:])))
    late = [alarm - BEFORE_SAMPLES + 1 for alarm in alarms if alarm >= BEFORE_SAMPLES]
    return Watch(len(alarms) - len(late), late[0] if late else None, float(np.mean(right[-50:])))
