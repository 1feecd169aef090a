"""Made-up tasks for a bench without data: every class is a pattern of its own, half of it zero, under noise."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from jaragua_models import Samples, Task
from jaragua_models.base import Features

_NOISE = 0.1
_CALIBRATION_SAMPLES = 64


@dataclass(frozen=True)
class SyntheticTasks:
    """A TaskSource of `classes` random patterns of `inputs` numbers, drawn anew for each task."""

    inputs: int
    classes: int

    def train_task(self, device: str, seed: int, ways: int, shots: int) -> Task:
        """The task of one device under one seed."""
        return self._task(np.random.default_rng([1, seed, *device.encode()]), ways, shots, shots)

    def held_out_task(self, seed: int, ways: int, shots: int, queries: int) -> Task:
        """A task no training task has."""
        return self._task(np.random.default_rng([2, seed]), ways, shots, -(-queries // ways))

    def calibration(self) -> Features:
        """Inputs as in the tasks."""
        return self._task(np.random.default_rng(3), _CALIBRATION_SAMPLES, 1, 1).support.x

    def _task(self, random: np.random.Generator, ways: int, shots: int, queries: int) -> Task:
        patterns = random.uniform(0.0, 1.0, (ways, self.inputs)) * (random.random((ways, self.inputs)) < 0.5)
        return Task(self._samples(random, patterns, shots), self._samples(random, patterns, queries))

    def _samples(self, random: np.random.Generator, patterns: np.ndarray, count: int) -> Samples:
        labels = random.permutation(np.repeat(np.arange(len(patterns)), count))
        noise = random.normal(0.0, _NOISE, (len(labels), self.inputs))
        return Samples((patterns[labels] + noise).astype(np.float32), (labels % self.classes).astype(np.int64))
