"""Do the tasks of the zoo let a fleet learn to learn, in the device's integers?

TinyReptile with the defaults of docs/reference/tasks.md, few rounds, no wires: the native engine is every device, the
initialisation is float64 and moves by the mean of what the devices learned (docs/design/architecture.md).
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

import jaragua_compiler as compiler
import jaragua_models
from jaragua_compiler import Exponents, LearningRate, NativeEngine
from jaragua_models import Model, Samples, Task

Layers = list[NDArray[np.float64]]
SEED = 1
HELD_OUT_TASKS = 20


@dataclass
class Device:
    """One model on the native engine; weights travel as the flat list of all matrices and biases."""

    model: Model

    def __post_init__(self) -> None:
        self.plan = compiler.plan(self.model.network)
        self.engine = NativeEngine(self.plan)
        self.rate = LearningRate.from_float(self.model.defaults.learning_rate)
        self.typical = self.model.tasks.calibration()
        self.exponents: Exponents

    def start(self, layers: Layers) -> bytes:
        weights = list(zip(layers[::2], layers[1::2], strict=True))
        self.exponents = compiler.calibrate(self.plan, weights, self.typical)
        blob = compiler.pack(self.plan, weights, self.exponents)
        self.engine.load(blob)
        return blob

    def layers(self, blob: bytes) -> Layers:
        return [tensor for pair in compiler.unpack(self.plan, blob) for tensor in pair]

    def learn(self, samples: Samples) -> Layers:
        """Every sample once, one step each."""
        for x, target in self.quantised(samples):
            self.engine.train_step(x, target, self.rate)
        return self.layers(self.engine.blob())

    def quantised(self, samples: Samples) -> list[tuple[NDArray[np.int16], NDArray[np.int16]]]:
        x = compiler.quantise_inputs(self.plan, self.exponents, samples.x)
        return list(zip(x, compiler.quantise_targets(self.plan, self.exponents, samples.y), strict=True))

    def score(self, samples: Samples) -> float:
        if self.model.metric == "accuracy":
            return float(np.mean([self.engine.evaluate(x, target).correct for x, target in self.quantised(samples)]))
        outputs = np.array([self.engine.forward(x) for x, _ in self.quantised(samples)])
        return float(np.mean((outputs * 2.0**-self.exponents.output - samples.y) ** 2))

    def before_and_after(self, layers: Layers, task: Task) -> tuple[float, float]:
        self.start(layers)
        before = self.score(task.query)
        self.learn(task.support)
        return before, self.score(task.query)


def random_start(model: Model, seed: int) -> Layers:
    return [tensor for pair in compiler.initial_weights(model.network, seed) for tensor in pair]


def meta_train(device: Device, rounds: int) -> Layers:
    defaults = device.model.defaults
    layers = random_start(device.model, SEED)
    for number in range(rounds):
        base = device.layers(device.start(layers))
        trained = []
        for client in range(defaults.clients):
            device.start(layers)
            task = device.model.tasks.train_task(f"device-{client}", number, defaults.ways, defaults.shots)
            trained.append(device.learn(task.support))
        alpha = defaults.alpha * (1 - number / rounds)
        means = [np.mean(tensors, axis=0) for tensors in zip(*trained, strict=True)]
        layers = [phi + alpha * (mean - old) for phi, mean, old in zip(layers, means, base, strict=True)]
    return layers


def evaluated(name: str, rounds: int) -> NDArray[np.float64]:
    """[held-out tasks, 3]: before, after, and after from a random start of each task's own."""
    device = Device(jaragua_models.get(name))
    defaults = device.model.defaults
    learned = meta_train(device, rounds)
    rows = []
    for seed in range(HELD_OUT_TASKS):
        task = device.model.tasks.held_out_task(seed, defaults.ways, defaults.shots, defaults.queries)
        from_random = device.before_and_after(random_start(device.model, 1000 + seed), task)
        rows.append((*device.before_and_after(learned, task), from_random[1]))
    return np.array(rows)


def lower_bound(differences: NDArray[np.float64]) -> float:
    """Of the 95 % interval of the mean of paired differences."""
    return float(differences.mean() - 1.96 * differences.std(ddof=1) / np.sqrt(len(differences)))


@pytest.mark.parametrize(("name", "rounds", "least_gain"), [("digits", 60, 0.1), ("sine", 100, 1.0)])
def test_a_learned_start_adapts_far_better_than_a_random_one(name: str, rounds: int, least_gain: float) -> None:
    _check_gain(name, rounds, least_gain)


def test_a_learned_start_knows_presence_better_after_it_adapted(use_data: Callable[[str], Path]) -> None:
    use_data("room_occupancy_estimation")
    _check_gain("presence", 60, 0.0)


def _check_gain(name: str, rounds: int, least_gain: float) -> None:
    figures = evaluated(name, rounds)
    better = 1 if jaragua_models.get(name).metric == "accuracy" else -1
    before, after, from_random = figures.T
    print(f"{name}, {rounds} rounds: before {before.mean():.3f}, after {after.mean():.3f}, "
          f"from random {from_random.mean():.3f}")  # fmt: skip
    assert lower_bound(better * (after - before)) > least_gain
    assert lower_bound(better * (after - from_random)) > least_gain
