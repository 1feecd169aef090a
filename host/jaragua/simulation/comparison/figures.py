"""What a comparison is: the figures of each method on the same held-out tasks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from jaragua.report.classification import (
    Answered,
    Confusion,
    accuracy,
    balanced_accuracy,
    by_device,
    confusion,
    macro_f1,
)
from jaragua.report.intervals import clustered_interval, mean_interval
from jaragua.simulation.settings import Means


@dataclass(frozen=True)
class MethodFigures:
    """One method. score: in the metric of the task; balanced_accuracy, f1: of classifiers, means over classes, 0..1.

    Intervals cluster the tasks of one device, where tasks have devices. scores: one for each task.
    settings: what was picked for it.
    """

    name: str
    score: Means
    tasks: int
    scores: tuple[float, ...] = field(repr=False)
    balanced_accuracy: Means | None = None
    f1: Means | None = None
    settings: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Comparison:
    """Several methods on the same tasks; the first is what was simulated, and the tables are its own.

    devices: held-out devices among the tasks, 0 where tasks have none. per_class, per_class_f1, per_device: 0..1, by
    name. missing: sentences on methods that could not be computed.
    """

    metric: str
    tasks: int
    devices: int
    methods: tuple[MethodFigures, ...]
    per_class: dict[str, float] = field(default_factory=dict)
    per_class_f1: dict[str, float] = field(default_factory=dict)
    per_device: dict[str, float] = field(default_factory=dict)
    confusion: Confusion | None = None
    missing: tuple[str, ...] = ()
    task_devices: tuple[str, ...] = ()
    """Whose each task is, in the order of the scores; "" for nobody's."""

    @property
    def learned(self) -> MethodFigures:
        """What was simulated."""
        return self.methods[0]

    @property
    def best_simple(self) -> MethodFigures:
        """The best of the others."""
        sign = 1.0 if self.metric == "accuracy" else -1.0
        return max(self.methods[1:], key=lambda method: sign * method.score.mean)

    def gap(self, other: MethodFigures) -> Means:
        """How much more what was simulated scores than another method, task by task."""
        pairs = zip(self.learned.scores, other.scores, strict=False)
        return clustered_means([one - two for one, two in pairs], self.task_devices[: other.tasks])

    def as_json(self) -> dict[str, Any]:
        """As JSON values."""
        return asdict(self)


def clustered_means(values: Sequence[float], devices: Sequence[str]) -> Means:
    """Mean and half the width of its 95 % interval: over devices if there are several, else over tasks; 0 for one."""
    if len(values) < 2:
        return Means(values[0], 0.0)
    clusters = clustered_interval(values, devices) if all(devices) else None
    found = clusters or mean_interval(values)
    return Means(found.mean, found.high - found.mean)


def of_scores(name: str, scores: Sequence[float], devices: Sequence[str], **settings: float) -> MethodFigures:
    """A method of which only the score of each task is known. devices: of each task, "" for none."""
    values = [float(score) for score in scores]
    means = clustered_means(values, devices[: len(values)])
    return MethodFigures(name, means, len(values), tuple(values), settings=settings)


def of_answers(name: str, tasks: Sequence[Answered], **settings: float) -> MethodFigures:
    """A classifier of which the answers are known."""

    def means(figure: Callable[[Answered], float]) -> Means:
        return clustered_means([figure(task) for task in tasks], [task.device for task in tasks])

    scores = tuple(accuracy(task) for task in tasks)
    return MethodFigures(name, means(accuracy), len(tasks), scores, means(balanced_accuracy), means(macro_f1), settings)


def tables_of(tasks: Sequence[Answered]) -> dict[str, Any]:
    """The fields of a Comparison that describe one classifier."""
    found = confusion(tasks)
    return {
        "confusion": found,
        "per_class": found.recall() if found else {},
        "per_class_f1": found.f1() if found else {},
        "per_device": by_device(tasks),
    }
