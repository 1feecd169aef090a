"""What the integer formats cost: adapted accuracy of w16 and w8 against float32 training, paired, task by task.

    python -m jaragua_bench.accuracy [--model digits] [--tasks 1000]

Every format starts from the same real numbers (a start that was meta-trained), learns the same samples of a held-out
task in the same order at the same rate, and is evaluated on the same queries. Without --model it prints the table of
docs/results/accuracy.md.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from jaragua_bench.workload import meta_train
from jaragua_compiler.command_line import exit_code_of
from jaragua_compiler.engines.native import NativeEngine
from jaragua_compiler.errors import CompileError
from jaragua_compiler.floating.engine import FloatEngine
from jaragua_compiler.graph.initial_weights import Weights
from jaragua_compiler.graph.layers import WeightFormat
from jaragua_compiler.planning.plan import plan
from jaragua_compiler.quantisation.blob import exponents, pack, quantise_inputs, quantise_targets
from jaragua_compiler.quantisation.exponents import calibrate
from jaragua_compiler.quantisation.rate import LearningRate
from jaragua_models import Model, ModelError, Samples, Task, get

FORMATS: tuple[WeightFormat, ...] = ("w16", "w8")
FIRST_TASK = 100_000  # seeds no other study draws
NORMAL_95 = 1.959964

Scores = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Study:
    """How a model is studied: after how many passes over the support set it is evaluated, and on how many tasks.

    `rounds` of meta-training come before, None for the model's default.
    """

    passes: tuple[int, ...]
    tasks: int = 1000
    rounds: int | None = None


STUDIES: Mapping[str, Study] = {
    "digits": Study((1, 4), rounds=150),
    "keywords-mel": Study((4, 8), tasks=4000),  # five queries a task tell less than the fifty of the others
    "omniglot-cnn": Study((4,), rounds=300),
}


@dataclass(frozen=True)
class Difference:
    """What a format of weights makes of the accuracy: points from float32, the mean over the tasks and its 95 %."""

    points: float
    half_width: float

    def __str__(self) -> str:
        return f"{self.points:+.2f} ± {self.half_width:.2f}"


@dataclass(frozen=True)
class Row:
    """A line of the table: float32's adapted accuracy in percent, and the difference of each of FORMATS from it."""

    model: str
    passes: int
    tasks: int
    float32: float
    differences: tuple[Difference, ...]


class FormatUnderTest:
    """A network in one format of weights on the native engine."""

    def __init__(self, model: Model, weights: Weights, weight_format: WeightFormat) -> None:
        network = replace(model.network, weights=weight_format)
        self._plan = plan(network)
        self._blob = pack(self._plan, weights, calibrate(self._plan, weights, model.tasks.calibration()))
        self._exponents = exponents(self._plan, self._blob)
        self._engine = NativeEngine(self._plan)

    def adapted(self, task: Task, rate: float, passes: Sequence[int], seed: int) -> list[float]:
        """Accuracy on the queries each time the support set was learned one of `passes` (rising) times."""
        inputs = quantise_inputs(self._plan, self._exponents, task.support.x)
        targets = quantise_targets(self._plan, self._exponents, task.support.y)
        self._engine.load(self._blob)
        self._engine.set_seed(seed)
        step_rate = LearningRate.from_float(rate)
        scores = []
        for number in range(1, passes[-1] + 1):
            for x, target in zip(inputs, targets, strict=True):
                self._engine.train_step(x, target, step_rate)
            if number in passes:
                scores.append(self._accuracy(task.query))
        return scores

    def _accuracy(self, query: Samples) -> float:
        answers = [int(np.argmax(self._engine.forward(x))) for x in self._quantised(query)]
        return float(np.mean(np.array(answers) == query.y))

    def _quantised(self, samples: Samples) -> npt.NDArray[np.int16]:
        return quantise_inputs(self._plan, self._exponents, samples.x)


def adapted_float(model: Model, weights: Weights, task: Task, passes: Sequence[int]) -> list[float]:
    """The same in float32."""
    engine = FloatEngine(model.network, weights)
    scores = []
    for number in range(1, passes[-1] + 1):
        for x, target in zip(task.support.x, task.support.y, strict=True):
            engine.train_step(x, target, model.defaults.learning_rate)
        if number in passes:
            scores.append(float(np.mean(np.argmax(engine.forward(task.query.x), axis=1) == task.query.y)))
    return scores


def compare(model: Model, weights: Weights, study: Study) -> list[Row]:
    """One row for each of the study's passes, all from the start `weights`."""
    formats = [FormatUnderTest(model, weights, weight_format) for weight_format in FORMATS]
    defaults, passes = model.defaults, sorted(study.passes)
    scores = np.empty((len(passes), 1 + len(formats), study.tasks))
    for number in range(study.tasks):
        seed = FIRST_TASK + number
        task = model.tasks.held_out_task(seed, defaults.ways, defaults.shots, defaults.queries)
        scores[:, 0, number] = adapted_float(model, weights, task, passes)
        for column, under_test in enumerate(formats, start=1):
            scores[:, column, number] = under_test.adapted(task, defaults.learning_rate, passes, seed)
    return [_row(model.name, number, found) for number, found in zip(passes, scores, strict=True)]


def study_model(name: str, study: Study) -> list[Row]:
    """Meta-train a start for a model of the zoo and compare. Raises CompileError if its metric is not accuracy."""
    model = get(name)
    if not model.network.classifier:
        raise CompileError(f"{name} is evaluated by its error, not by accuracy.", f"Take one of {', '.join(STUDIES)}.")
    model = replace(model, defaults=replace(model.defaults, rounds=study.rounds or model.defaults.rounds))
    return compare(model, meta_train(model, plan(model.network)), study)


def table(rows: Sequence[Row]) -> Iterator[str]:
    """The lines of docs/results/accuracy.md's table."""
    columns = ["model", "passes", "tasks", "float32, %", *(f"{name}, points from float32" for name in FORMATS)]
    yield f"| {' | '.join(columns)} |"
    yield "|" + len(columns) * "---|"
    for row in rows:
        cells = [row.model, row.passes, row.tasks, f"{row.float32:.2f}", *row.differences]
        yield f"| {' | '.join(map(str, cells))} |"


def _row(model: str, passes: int, scores: Scores) -> Row:
    """Row of the table for scores [1 + formats, tasks], float32 first."""
    differences = 100.0 * (scores[1:] - scores[0])
    half_widths = NORMAL_95 * differences.std(axis=1, ddof=1) / differences.shape[1] ** 0.5
    pairs = zip(differences.mean(axis=1).tolist(), half_widths.tolist(), strict=True)
    return Row(
        model, passes, scores.shape[1], 100.0 * float(scores[0].mean()), tuple(Difference(*pair) for pair in pairs)
    )


def _chosen(options: argparse.Namespace) -> dict[str, Study]:
    """The studies a command line asks for."""
    chosen = {name: STUDIES.get(name, Study(())) for name in options.model or STUDIES}
    return {
        name: Study(
            tuple(options.passes or study.passes or (get(name).defaults.passes,)),
            options.tasks or study.tasks,
            options.rounds or study.rounds,
        )
        for name, study in chosen.items()
    }


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m jaragua_bench.accuracy", description=__doc__)
    parser.add_argument("--model", action="append", help="a classifier of the zoo (may be repeated)")
    parser.add_argument("--tasks", type=_at_least(2), help="held-out tasks")
    parser.add_argument("--passes", type=_at_least(1), action="append", help="over the support set (may be repeated)")
    parser.add_argument("--rounds", type=_at_least(1), help="rounds of meta-training before")
    return parser


def _at_least(least: int) -> Callable[[str], int]:
    def number(text: str) -> int:
        if int(text) < least:
            raise argparse.ArgumentTypeError(f"give {least} or more, not {text}")
        return int(text)

    return number


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; returns the process's exit code."""
    options = _parser().parse_args(arguments)
    return exit_code_of(lambda: _study(options), CompileError, ModelError)


def _study(options: argparse.Namespace) -> None:
    rows = []
    for name, study in _chosen(options).items():
        print(f"{name}: {study.tasks} tasks …", file=sys.stderr)
        rows += study_model(name, study)
    print("\n".join(table(rows)))


if __name__ == "__main__":
    sys.exit(main())
