"""Sine waves: every device has one of its own, y = a sin(x + p), and learns it from a handful of points.

The distribution of the Reptile and TinyReptile papers: amplitude in 0.1..5, phase in 0..pi, x in -5..5, all uniform.
The network is given x / 5, in -1..1: steps on single samples with x up to 5 diverge at any useful learning rate.
Targets and errors stay in the unit of y.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from numpy.typing import NDArray

from jaragua_models.base import Features, Samples, Task
from jaragua_models.errors import DataError
from jaragua_models.random_rows import Named, Seeds, UnitRows, unit_rows_of
from jaragua_models.randomness import generator_for

AMPLITUDE = (0.1, 5.0)
PHASE = (0.0, np.pi)
X_LIMIT = 5.0
TRAINING_QUERIES = 50
CALIBRATION_POINTS = 256

Points = NDArray[np.float64]


@dataclass(frozen=True)
class SineTasks:
    """Regression of one sine: x / 5 float32 [n, 1] to y float32 [n, 1]. Every task draws a wave of its own; one way.

    held_out: the name that waves to be evaluated are drawn from.
    """

    held_out: str = "held-out"

    def train_task(self, device: str, seed: int, ways: int, shots: int) -> Task:
        """The wave `device` meets under `seed`."""
        _check_counts(ways, shots, TRAINING_QUERIES)
        random = generator_for("sine", "train", device, seed, shots)
        return _draw_task(random, shots, _points(random, TRAINING_QUERIES))

    def train_supports(
        self, devices: Sequence[str], seeds: Seeds, ways: int, shots: int, unit_rows: UnitRows = unit_rows_of
    ) -> Samples:
        """The support samples of `train_task` for each device and its seed, one after the other, drawn all at once."""
        _check_counts(ways, shots, TRAINING_QUERIES)
        drawn = unit_rows(Named(("sine", "train"), devices, seeds, (shots,)), TRAINING_QUERIES, 2 + shots)
        amplitude, phase = _between(*AMPLITUDE, drawn[:, :1]), _between(*PHASE, drawn[:, 1:2])
        return _wave(amplitude, phase, _between(-X_LIMIT, X_LIMIT, drawn[:, 2:]))

    def held_out_task(self, seed: int, ways: int, shots: int, queries: int) -> Task:
        """A wave never seen; its queries lie evenly over the whole range of x, as in the Reptile paper."""
        _check_counts(ways, shots, queries)
        random = generator_for("sine", self.held_out, seed, shots)
        return _draw_task(random, shots, np.linspace(-X_LIMIT, X_LIMIT, queries))

    def for_validation(self) -> Self:
        """With other waves to be evaluated on."""
        return replace(self, held_out="validation")

    def calibration(self) -> Features:
        """Points over the whole range of x."""
        return np.linspace(-1.0, 1.0, CALIBRATION_POINTS, dtype=np.float32).reshape(-1, 1)


def _draw_task(random: np.random.Generator, shots: int, query_x: Points) -> Task:
    amplitude, phase = random.uniform(*AMPLITUDE), random.uniform(*PHASE)
    return Task(
        support=_wave(amplitude, phase, _points(random, shots)),
        query=_wave(amplitude, phase, query_x),
    )


def _points(random: np.random.Generator, count: int) -> Points:
    return random.uniform(-X_LIMIT, X_LIMIT, count)


def _between(low: float, high: float, unit: Points) -> Points:
    """What Generator.uniform makes of doubles in [0, 1)."""
    return low + (high - low) * unit


def _wave(amplitude: float | Points, phase: float | Points, x: Points) -> Samples:
    y = amplitude * np.sin(x + phase)
    return Samples(x=(x / X_LIMIT).astype(np.float32).reshape(-1, 1), y=y.astype(np.float32).reshape(-1, 1))


def _check_counts(ways: int, shots: int, queries: int) -> None:
    if ways != 1:
        raise DataError(f"A task of 'sine' has one way, not {ways}: it is a regression.", "Set ways to 1.")
    if shots < 1 or queries < 0:
        raise DataError(
            f"A task of 'sine' needs at least 1 shot and no fewer than 0 queries, not {shots} and {queries}.",
            "Set shots to 1 or more and queries to 0 or more.",
        )
