"""Tasks of twice as many classes as are enrolled: the other half is unknown. Scores of their queries."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from jaragua.coordinator.weights.codec import ModelCodec
from jaragua.errors import DataError, ModelError
from jaragua.report.rejection import Marks, Queries, Rejection, Scores, rejection, threshold_for
from jaragua.strategies import Vector
from jaragua_compiler import ReferenceEngine
from jaragua_compiler.engine_protocol import ACCEPT_ALL, PrototypeEngine
from jaragua_compiler.engines.host_build import has_compiler
from jaragua_compiler.engines.native_prototypes import NativePrototypeEngine
from jaragua_compiler.planning.plan import with_prototypes
from jaragua_compiler.quantisation.blob import exponents, quantise_inputs
from jaragua_models import HasValidation, Model, Samples, Task

#: False-accept rates that are reported.
RATES: Final = (0.01, 0.05)
#: What A12.7 defines, and what it was chosen among: name of the score, and what it is.
SCORES: Final = ("relative", "plain", "between", "next")


@dataclass(frozen=True)
class Setup:
    """ways: classes enrolled, with `shots` samples each; as many more are unknown. queries: of each class at most.

    tasks: held out, and as many of the training side.
    """

    ways: int
    shots: int
    queries: int
    tasks: int


@dataclass(frozen=True)
class Measured:
    """By name of the score. thresholds: of A12.8, one for each of RATES. devices: among the held-out tasks."""

    scores: Mapping[str, Rejection]
    thresholds: tuple[int, ...]
    devices: int


class Recogniser:
    """Enrols and recognises with one set of weights, in the boards' integers."""

    def __init__(self, model: Model, weights: Vector | None, ways: int) -> None:
        """weights: float64 [parameters]; None: random ones, for a network without hidden layers."""
        codec = ModelCodec(model)
        self.plan = with_prototypes(codec.plan, ways)
        self.engine: PrototypeEngine = (NativePrototypeEngine if has_compiler() else ReferenceEngine)(self.plan)
        blob = codec.pack(codec.initial(0) if weights is None else weights)
        self.engine.load(blob)
        self.exponents = exponents(codec.plan, blob)

    def scored(self, task: Task, queries: int) -> dict[str, Queries]:
        """A task of 2 · ways classes, of which the first half is enrolled: the scores of its queries, by name."""
        ways = self.plan.prototypes
        self.enrol(task.support)
        between = self._between_prototypes()
        query = first_of_each(task.query, queries)
        matches = [self.engine.recognise(x) for x in quantise_inputs(self.plan, self.exponents, query.x)]
        known: Marks = query.y < ways
        right: Marks = np.array([match.label for match in matches]) == query.y
        distances = np.array([float(match.distance) for match in matches])
        others = np.array([float(match.runner_up) for match in matches])
        scores: dict[str, Scores] = {
            "relative": np.array([float(match.relative) for match in matches]),
            "plain": distances,
            "between": distances / between,
            "next": distances / np.maximum(others, 1),
        }
        return {name: Queries(scores[name], known, right, task.device) for name in SCORES}

    def enrol(self, support: Samples) -> None:
        """The samples of the first half of the classes, and nothing else."""
        self.engine.forget_all()
        for x, label in zip(quantise_inputs(self.plan, self.exponents, support.x), support.y, strict=True):
            if label < self.plan.prototypes:
                self.engine.enrol(x, int(label))

    def _between_prototypes(self) -> float:
        """The mean squared distance of two prototypes, in the unit of the distances; 1 if all are alike."""
        ways = self.plan.prototypes
        rows = np.stack([self.engine.prototype(label) for label in range(ways)]).astype(np.float64)
        total = float(np.square(rows[:, None] - rows[None]).sum())
        return total / (ways * (ways - 1)) or 1.0


def first_of_each(samples: Samples, count: int) -> Samples:
    """At most the first `count` samples of each class, in their order. Raises: DataError if there are none."""
    if not len(samples):
        raise DataError("the training tasks have no query samples", "measure a task that has some, or take fewer shots")
    kept = np.concatenate([np.flatnonzero(samples.y == label)[:count] for label in np.unique(samples.y)])
    return Samples(samples.x[np.sort(kept)], samples.y[np.sort(kept)])


def measured(model: Model, weights: Vector | None, setup: Setup, unseen: Vector | None = None) -> Measured:
    """Held-out tasks with the bounds of training tasks. Raises: ModelError, DataError, also those of the zoo.

    unseen: weights that trained without the task's validation devices; the bounds are those of these devices' tasks.
    """
    if not model.own_labels:
        message = f"labels of '{model.name}' mean the same in every task, so there are no classes left to be unknown"
        raise ModelError(message, "measure a task whose labels are each task's own, for example keywords")
    recogniser, source, classes = Recogniser(model, weights, setup.ways), model.tasks, 2 * setup.ways
    held_out = _by_score(
        recogniser.scored(source.held_out_task(seed, classes, setup.shots, setup.queries * classes), setup.queries)
        for seed in range(setup.tasks)
    )
    if unseen is None:
        calibration = _by_score(
            recogniser.scored(source.train_task(f"calibration-{seed}", seed, classes, setup.shots), setup.queries)
            for seed in range(setup.tasks)
        )
    else:
        calibration = _of_validation(model, unseen, setup)
    unknown = np.concatenate([task.scores[~task.known] for task in calibration["relative"]])
    return Measured(
        {name: rejection(held_out[name], calibration[name], RATES) for name in SCORES},
        tuple(threshold_for(unknown, rate, ACCEPT_ALL) for rate in RATES),
        len({task.device for task in held_out["relative"] if task.device}),
    )


def _of_validation(model: Model, unseen: Vector, setup: Setup) -> dict[str, list[Queries]]:
    if not isinstance(model.tasks, HasValidation):
        raise ModelError(f"'{model.name}' has no validation devices", "leave out the weights that have not seen them")
    recogniser, source, classes = Recogniser(model, unseen, setup.ways), model.tasks.for_validation(), 2 * setup.ways
    return _by_score(
        recogniser.scored(source.held_out_task(seed, classes, setup.shots, setup.queries * classes), setup.queries)
        for seed in range(setup.tasks)
    )


def _by_score(tasks: Iterable[dict[str, Queries]]) -> dict[str, list[Queries]]:
    found = list(tasks)
    return {name: [task[name] for task in found] for name in SCORES}
