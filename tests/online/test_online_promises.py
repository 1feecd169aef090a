"""What online.md states: how much is forgotten at most, how soon drift is noticed, how rare false alarms are.

The short form, on digits; `make online` holds more seeds and keywords to the same numbers.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

import jaragua_models
from jaragua.experiments.online.drift import Change, inverted, rolled, unchanged, watch
from jaragua.experiments.online.forgetting import measure
from jaragua.experiments.online.measure import drift_is_as_stated
from jaragua.online.pools import Pools, pools
from jaragua.online.trained_model import TrainedModel, train_model
from jaragua_compiler import plan
from jaragua_compiler.online import NativeLearner

MODEL = jaragua_models.get("digits")
SEEDS = (100, 101, 102)
MOST_LOST_POINTS = 10.0
MOST_LOST_MEAN_POINTS = 6.0
LEAST_NEW = 0.5


@cache
def learner() -> NativeLearner:
    return NativeLearner(plan(MODEL.network))


@cache
def deployed(seed: int, known: tuple[int, ...]) -> tuple[TrainedModel, Pools]:
    drawn = pools(MODEL, seed)
    return train_model(MODEL, drawn, known, seed), drawn


@pytest.mark.parametrize("pure", [True, False], ids=["alone", "mixed"])
def test_o6_a_new_class_is_learned_and_the_old_ones_are_kept(pure: bool) -> None:
    """O9.1. Alone is the hard case: 30 samples in a row of a class never seen."""
    found = []
    for seed in SEEDS:
        new = seed % 10
        start, drawn = deployed(seed, tuple(label for label in range(10) if label != new))
        found.append(measure(start, drawn, new, learner(), seed, pure=pure, replays=8))
    assert max(one.points for one in found) <= MOST_LOST_POINTS
    assert np.mean([one.points for one in found]) <= MOST_LOST_MEAN_POINTS
    assert min(one.new_after for one in found) >= LEAST_NEW


def test_o5_without_prototypes_the_old_classes_would_be_lost() -> None:
    """What the replay is for: so the test above would fail without it."""
    start, drawn = deployed(100, tuple(range(1, 10)))
    assert measure(start, drawn, 0, learner(), 100, pure=True, replays=0).points > MOST_LOST_POINTS


@pytest.mark.parametrize(("change", "delay"), [(inverted, 10), (rolled, 30)], ids=["inverted", "moved"])
def test_o7_drift_is_noticed_soon(change: Change, delay: int) -> None:
    """O9.2: within the stated number of samples."""
    for seed in SEEDS:
        start, drawn = deployed(seed, tuple(range(10)))
        seen = watch(start, drawn, learner(), seed, 300 + delay, change)
        assert seen.false_alarms == 0
        assert seen.delay is not None, f"not noticed within {delay} samples, seed {seed}"


@pytest.mark.parametrize("seed", SEEDS)
def test_o7_a_stream_that_does_not_change_raises_no_alarm(seed: int) -> None:
    start, drawn = deployed(seed, tuple(range(10)))
    assert watch(start, drawn, learner(), seed, 2000, unchanged).false_alarms == 0


@pytest.mark.parametrize(
    ("alarms", "inverted_after", "moved_after", "holds"),
    [(10, 10, 30, True), (11, 5, 8, False), (0, 11, 8, False), (0, 5, 31, False), (0, 5, None, False)],
)
def test_o9_2_the_long_form_fails_where_a_drift_is_noticed_later_than_stated(
    alarms: int, inverted_after: int, moved_after: int | None, holds: bool
) -> None:
    delays = {"inverted": [5, inverted_after], "moved": [16, moved_after], "faded": [None, 61]}
    assert drift_is_as_stated(alarms, 100_000, delays) is holds
