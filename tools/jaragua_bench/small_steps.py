"""What the formats of weights make of small steps: a network 30-24-5 that learns slowly, in float32, w16 and w8.

    python -m jaragua_bench.small_steps [--seeds 20] [--rate 0.0003]

Each seed draws five classes in 30 dimensions, a start and an order of 6,000 samples; every format learns the same. At a
rate of 0.0003 most steps are below half a unit of an int16 weight, so a format that rounds to the nearest loses them.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from jaragua_compiler.engines.native import NativeEngine
from jaragua_compiler.floating.engine import FloatEngine
from jaragua_compiler.graph.initial_weights import Weights, initial_weights
from jaragua_compiler.graph.layers import Dense, WeightFormat
from jaragua_compiler.graph.network import Network
from jaragua_compiler.planning.plan import plan
from jaragua_compiler.quantisation.blob import exponents, pack, quantise_inputs, quantise_targets
from jaragua_compiler.quantisation.exponents import calibrate
from jaragua_compiler.quantisation.rate import LearningRate

NETWORK = Network("small-steps", 30, (Dense(24, "relu"), Dense(5, "linear")), loss="softmax_cross_entropy")
FORMATS: tuple[WeightFormat, ...] = ("w16", "w8")
SAMPLES = 400
STEPS = 6000
SPREAD = 0.2  # of a class, and of the classes' centres: small inputs make small steps
RATES = (0.0003, 0.001, 0.01)
NORMAL_95 = 1.959964

Floats = npt.NDArray[np.float32]
Labels = npt.NDArray[np.int64]


@dataclass(frozen=True)
class SlowTask:
    """What is learned, in which order, from which start, and what is asked."""

    seed: int
    x: Floats
    y: Labels
    query_x: Floats
    query_y: Labels
    order: npt.NDArray[np.int64]
    start: Weights


def slow_task(seed: int) -> SlowTask:
    """The same seed gives the same task."""
    random = np.random.default_rng(seed)
    centres = random.normal(size=(NETWORK.outputs, NETWORK.input_size))
    (x, y), (query_x, query_y) = _drawn(random, centres), _drawn(random, centres)
    order = np.random.default_rng(seed + 1).integers(SAMPLES, size=STEPS)
    return SlowTask(seed, x, y, query_x, query_y, order, initial_weights(NETWORK, seed))


def learned_in_float(task: SlowTask, rate: float) -> float:
    """Accuracy on the queries after STEPS steps in float32."""
    engine = FloatEngine(NETWORK, task.start)
    for index in task.order:
        engine.train_step(task.x[index], task.y[index], rate)
    return float(np.mean(np.argmax(engine.forward(task.query_x), axis=1) == task.query_y))


def learned(task: SlowTask, rate: float, weight_format: WeightFormat) -> float:
    """The same on the native engine."""
    compiled = plan(replace(NETWORK, weights=weight_format))
    blob = pack(compiled, task.start, calibrate(compiled, task.start, task.x))
    found, step_rate = exponents(compiled, blob), LearningRate.from_float(rate)
    inputs, targets = quantise_inputs(compiled, found, task.x), quantise_targets(compiled, found, task.y)
    engine = NativeEngine(compiled)
    engine.load(blob)
    engine.set_seed(task.seed)
    for index in task.order:
        engine.train_step(inputs[index], targets[index], step_rate)
    answers = [int(np.argmax(engine.forward(x))) for x in quantise_inputs(compiled, found, task.query_x)]
    return float(np.mean(np.array(answers) == task.query_y))


def table(seeds: Sequence[int], rates: Sequence[float]) -> Iterator[str]:
    """The lines of docs/results/accuracy.md's table: the mean over the seeds, and differences with their 95 %."""
    columns = ["rate", "seeds", "float32, %", *(f"{name}, points from float32" for name in FORMATS)]
    yield f"| {' | '.join(columns)} |"
    yield "|" + len(columns) * "---|"
    for rate in rates:
        tasks = [slow_task(seed) for seed in seeds]
        floats = np.array([learned_in_float(task, rate) for task in tasks])
        differences = [_difference([learned(task, rate, name) for task in tasks] - floats) for name in FORMATS]
        yield f"| {rate:g} | {len(seeds)} | {100 * floats.mean():.2f} | {' | '.join(differences)} |"


def _drawn(random: np.random.Generator, centres: npt.NDArray[np.float64]) -> tuple[Floats, Labels]:
    labels = random.integers(len(centres), size=SAMPLES)
    noise = random.normal(size=(SAMPLES, centres.shape[1]))
    return (SPREAD * (centres[labels] + noise)).astype(np.float32), labels


def _difference(differences: npt.NDArray[np.float64]) -> str:
    half_width = NORMAL_95 * differences.std(ddof=1) / len(differences) ** 0.5
    return f"{100 * differences.mean():+.2f} ± {100 * half_width:.2f}"


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; returns the process's exit code."""
    parser = argparse.ArgumentParser(prog="python -m jaragua_bench.small_steps", description=__doc__)
    parser.add_argument("--seeds", type=int, default=20, help="tasks, at least 2")
    parser.add_argument("--rate", type=float, action="append", help="learning rate (may be repeated)")
    options = parser.parse_args(arguments)
    for line in table(range(max(2, options.seeds)), options.rate or RATES):
        print(line, flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
