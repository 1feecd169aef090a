"""The ranges of what a device reports of its work (docs/reference/protocol.md, M11). Pure.

A figure outside its range is never stored. A run folder of an older version may hold one: it is read as the nearest
number inside, so that means are finite and such a run goes on.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import replace
from operator import mul

from jaragua.store import StoredUpdate
from jaragua.wire.figures import LARGEST_INSTRUCTIONS, LARGEST_LOSS, LARGEST_SCORE, within
from jaragua.wire.messages import UpdateHeader


def implausible(header: UpdateHeader | StoredUpdate, most_samples: int) -> str:
    """The first figure outside its range, in a sentence; "" if there is none.

    most_samples: that the command asked for.
    """
    if (
        0 <= header.loss <= LARGEST_LOSS[header.metric]
        and 0 <= header.score <= LARGEST_SCORE[header.metric]
        and 1 <= header.samples <= most_samples
        and 0 <= header.instructions <= LARGEST_INSTRUCTIONS
    ):
        return ""
    checks: tuple[tuple[str, float, float, float], ...] = (
        ("loss", header.loss, 0, LARGEST_LOSS[header.metric]),
        ("score", header.score, 0, LARGEST_SCORE[header.metric]),
        ("number of samples", header.samples, 1, most_samples),
        ("number of instructions", header.instructions, 0, LARGEST_INSTRUCTIONS),
    )
    for name, value, least, most in checks:
        # Written so that NaN is outside.
        if not least <= value <= most:
            return f"its {name} is {value:g}, outside {least:g} to {most:g}"
    return ""


def tamed(update: StoredUpdate, most_samples: int) -> StoredUpdate:
    """A stored update with every figure inside its range: itself, if they are."""
    if not implausible(update, most_samples):
        return update
    return replace(
        update,
        loss=within(update.loss, 0.0, LARGEST_LOSS.get(update.metric, 1e24)),
        score=within(update.score, 0.0, LARGEST_SCORE.get(update.metric, 1e24)),
        samples=within(update.samples, 1, most_samples),
        instructions=within(update.instructions, 0, LARGEST_INSTRUCTIONS),
    )


def mean_of(values: Iterable[float], weights: Sequence[int]) -> float:
    """The weighted mean; finite for figures inside their ranges. values: as many as weights."""
    return math.fsum(map(mul, values, weights)) / sum(weights)
