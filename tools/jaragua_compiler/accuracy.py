"""What the integer formats cost: adapted accuracy of w16 and w8 against float32 training, paired, task by task.

    python -m jaragua_compiler.accuracy --model digits --tasks 1000

Every format starts from the same real numbers (a start that was meta-trained), learns the same samples of a held-out
task in the same order at the same rate, and is judged on the same queries.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from jaragua_compiler.bench.workload import meta_train
from jaragua_compiler.blob import exponents, pack, quantise_inputs, quantise_targets
from jaragua_compiler.errors import CompileError
from jaragua_compiler.exponents import calibrate
from jaragua_compiler.float_engine import FloatEngine
from jaragua_compiler.initial import Weights
from jaragua_compiler.layers import WeightFormat
from jaragua_compiler.native import NativeEngine
from jaragua_compiler.plan import plan
from jaragua_compiler.rate import LearningRate
from jaragua_models import Model, Task, get

FORMATS: tuple[WeightFormat, ...] = ("w16", "w8")
FIRST_TASK = 100_000  # seeds no other study draws
NORMAL_95 = 1.959964

Scores = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Comparison:
    """Adapted accuracy in percent over `tasks` tasks, and its paired difference from float32 in points, 95 %."""

    name: str
    tasks: int
    accuracy: float
    difference: float
    half_width: float


class FormatUnderTest:
    """A network in one format of weights on the native engine."""

    def __init__(self, model: Model, weights: Weights, weight_format: WeightFormat) -> None:
        network = replace(model.network, weights=weight_format)
        self._plan = plan(network)
        self._blob = pack(self._plan, weights, calibrate(self._plan, weights, model.tasks.calibration()))
        self._exponents = exponents(self._plan, self._blob)
        self._engine = NativeEngine(self._plan)

    def adapted(self, task: Task, rate: float, passes: int, seed: int) -> float:
        """Accuracy on the queries after learning the support set `passes` times."""
        inputs = quantise_inputs(self._plan, self._exponents, task.support.x)
        targets = quantise_targets(self._plan, self._exponents, task.support.y)
        self._engine.load(self._blob)
        self._engine.set_seed(seed)
        step_rate = LearningRate.from_float(rate)
        for _ in range(passes):
            for x, target in zip(inputs, targets, strict=True):
                self._engine.train_step(x, target, step_rate)
        queries = quantise_inputs(self._plan, self._exponents, task.query.x)
        answers = [int(np.argmax(self._engine.forward(x))) for x in queries]
        return float(np.mean(np.array(answers) == task.query.y))


def adapted_float(model: Model, weights: Weights, task: Task, rate: float, passes: int) -> float:
    """The same in float32."""
    engine = FloatEngine(model.network, weights)
    for _ in range(passes):
        for x, target in zip(task.support.x, task.support.y, strict=True):
            engine.train_step(x, target, rate)
    return float(np.mean(np.argmax(engine.forward(task.query.x), axis=1) == task.query.y))


def compare(model: Model, weights: Weights, tasks: int, passes: int) -> list[Comparison]:
    """float32 first, then every format."""
    formats = [FormatUnderTest(model, weights, weight_format) for weight_format in FORMATS]
    defaults = model.defaults
    scores = np.empty((tasks, 1 + len(formats)))
    for number in range(tasks):
        seed = FIRST_TASK + number
        task = model.tasks.held_out_task(seed, defaults.ways, defaults.shots, defaults.queries)
        scores[number, 0] = adapted_float(model, weights, task, defaults.learning_rate, passes)
        for column, under_test in enumerate(formats, start=1):
            scores[number, column] = under_test.adapted(task, defaults.learning_rate, passes, seed)
    return [_comparison(name, scores[:, index], scores[:, 0]) for index, name in enumerate(("float32", *FORMATS))]


def table(comparisons: Sequence[Comparison]) -> str:
    """For people."""
    lines = [
        "| weights | adapted accuracy, % | difference from float32, points (95 %) |",
        "|---|---|---|",
    ]
    for row in comparisons:
        difference = f"{row.difference:+.2f} ± {row.half_width:.2f}" if row.name != "float32" else ""
        lines.append(f"| {row.name} | {row.accuracy:.2f} | {difference} |")
    return "\n".join(lines)


def _comparison(name: str, scores: Scores, baseline: Scores) -> Comparison:
    differences = 100.0 * (scores - baseline)
    half_width = NORMAL_95 * float(differences.std(ddof=1)) / len(scores) ** 0.5
    return Comparison(name, len(scores), 100.0 * float(scores.mean()), float(differences.mean()), half_width)


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m jaragua_compiler.accuracy", description=__doc__)
    parser.add_argument("--model", default="digits", help="a classifier of the zoo")
    parser.add_argument("--tasks", type=int, default=1000)
    parser.add_argument("--passes", type=int, help="passes over the support set (the model's default)")
    parser.add_argument("--rounds", type=int, help="rounds of meta-training before (the model's default)")
    options = parser.parse_args()
    model = get(options.model)
    if not model.network.classifier:
        raise SystemExit(f"{model.name} is judged by its error, not by accuracy.")
    if options.rounds is not None:
        model = replace(model, defaults=replace(model.defaults, rounds=options.rounds))
    passes = options.passes or model.defaults.passes
    try:
        weights = meta_train(model, plan(model.network))
        rows = compare(model, weights, options.tasks, passes)
    except CompileError as error:
        raise SystemExit(f"{error}") from error
    print(f"{model.name}: {options.tasks} tasks, passes {passes}, rounds before {model.defaults.rounds}\n")
    print(table(rows))


if __name__ == "__main__":
    main()
