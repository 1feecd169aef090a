"""Compares what was simulated with simple methods on the same support and query sets."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from jaragua.coordinator.weights.codec import ModelCodec
from jaragua.errors import ToolError
from jaragua.report.classification import Answered
from jaragua.simulation.clients.engine import Evaluation, VirtualFleet
from jaragua.simulation.comparison import simple_methods
from jaragua.simulation.comparison.figures import Comparison, MethodFigures, of_answers, of_scores, tables_of
from jaragua.simulation.comparison.random_start import best_random_start
from jaragua.simulation.evaluation.evaluation import drawn_tasks
from jaragua.simulation.models import task_model
from jaragua.simulation.settings import Simulation
from jaragua.simulation.strategy import adaptation_of
from jaragua_models import KnowsTrainingSamples, Task

#: Held-out tasks that methods are compared on; of more the first.
MOST_TASKS: Final = 200

Answers = NDArray[np.int64]


def compared(simulation: Simulation, fleet: VirtualFleet, codec: ModelCodec, evaluated: Evaluation) -> Comparison:
    """What was simulated beside the simple methods. evaluated: of all held-out tasks of the simulation.

    Without scikit-learn two methods are left out. Raises: DataError.
    """
    count = min(simulation.evaluation.tasks, MOST_TASKS)
    one = _Comparing(simulation, drawn_tasks(simulation, range(count)))
    learned = one.adapted(simulation.strategy, evaluated, count)
    devices = {task.device for task in one.tasks if task.device}
    return Comparison(
        metric=task_model(simulation).metric,
        tasks=count,
        devices=len(devices),
        methods=(learned, *one.simple(), *one.random_start(fleet, codec)),
        missing=one.missing,
        task_devices=tuple(task.device for task in one.tasks),
        **(tables_of(one.answered(one.of_tasks(evaluated.answers, count))) if one.classifies else {}),
    )


@dataclass
class _Comparing:
    """The tasks of one comparison, and what methods make of them."""

    simulation: Simulation
    tasks: list[Task]
    missing: tuple[str, ...] = ()

    @property
    def classifies(self) -> bool:
        """Whether the tasks are of classes."""
        return task_model(self.simulation).metric == "accuracy"

    def adapted(self, name: str, evaluated: Evaluation, count: int, **settings: float) -> MethodFigures:
        """The first tasks, as an engine answered them."""
        if not self.classifies:
            return of_scores(name, evaluated.after[:count].tolist(), self._devices(), **settings)
        return of_answers(name, self.answered(self.of_tasks(evaluated.answers, count)), **settings)

    def simple(self) -> Iterator[MethodFigures]:
        """Methods that see nothing but a task's support set, and the pooled classifier."""
        if not self.classifies:
            yield self._regressed("mean of the support set", simple_methods.mean_target)
            yield self._regressed("nearest neighbour", simple_methods.nearest_neighbour)
            return
        chances = [1 / len(np.unique(task.support.y)) for task in self.tasks]
        yield of_scores("chance", chances, self._devices())
        yield self._of("nearest neighbour", simple_methods.nearest_neighbour)
        yield self._of("nearest prototype", simple_methods.nearest_prototype)
        try:
            simple_methods.require_sklearn()
        except ToolError as error:
            self.missing += (f"{error.message}: {error.hint}",)
            return
        yield self._logistic_regression()
        yield from self._pooled()

    def random_start(self, fleet: VirtualFleet, codec: ModelCodec) -> Iterator[MethodFigures]:
        """Random weights with plain steps, whatever the strategy does; a network of too few outputs has none."""
        one = self.simulation
        wanted = one.changed(strategy="scratch", options={}, ways=one.held_out_ways, server_optimiser="plain")
        if codec.plan.network.classifier and wanted.held_out_ways > codec.plan.network.outputs:
            self.missing += ("the random start needs an output for each class, and the network has fewer",)
            return
        found = best_random_start(wanted, fleet, codec, self.tasks, adaptation_of(wanted))
        settings = {"learning_rate": found.learning_rate, "passes": found.passes}
        yield self.adapted("random start", found.evaluated, found.tasks, **settings)

    def of_tasks(self, answers: Answers, count: int) -> list[Answers]:
        """The answers to each of the first tasks, of those to all queries in a row."""
        edges = np.cumsum([len(task.query) for task in self.tasks[:count]])
        return np.split(answers[: edges[-1]], edges[:-1])

    def answered(self, answers: Sequence[Answers]) -> list[Answered]:
        """The first tasks with what was answered."""
        found = zip(self.tasks, answers, strict=False)
        return [Answered(task.query.y.astype(np.int64), given, task.classes, task.device) for task, given in found]

    def _devices(self) -> list[str]:
        return [task.device for task in self.tasks]

    def _of(self, name: str, method: Callable[[Task], Answers], **settings: float) -> MethodFigures:
        return of_answers(name, self.answered([method(task) for task in self.tasks]), **settings)

    def _regressed(self, name: str, method: Callable[[Task], NDArray[Any]]) -> MethodFigures:
        errors = [float(np.mean((method(task) - task.query.y) ** 2)) for task in self.tasks]
        return of_scores(name, errors, self._devices())

    def _logistic_regression(self) -> MethodFigures:
        """With the regularisation that suits it best on these tasks."""
        return max(map(self._regression, simple_methods.REGRESSIONS), key=lambda one: one.score.mean)

    def _regression(self, how: simple_methods.Regression) -> MethodFigures:
        settings = {"C": how.strength} | ({"intercept_penalty": 1.0} if how.penalised else {})
        return self._of("logistic regression", partial(simple_methods.logistic_regression, how=how), **settings)

    def _pooled(self) -> Iterator[MethodFigures]:
        model = task_model(self.simulation)
        if not model.own_labels and isinstance(model.tasks, KnowsTrainingSamples):
            yield self._of("pooled classifier", simple_methods.PooledClassifier(model.tasks.training_samples()).answers)
