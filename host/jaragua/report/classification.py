"""What is counted of the answers to held-out tasks: per class, per device, confusions. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

Labels = NDArray[np.int64]

#: Of an answer that is none of a task's classes.
NO_CLASS: Final = "none of them"
#: Tables of confusions are kept for so many classes.
MOST_CLASSES: Final = 64


@dataclass(frozen=True)
class Answered:
    """One task: what was asked and answered.

    truth, answers: int64 [queries], labels of the task. classes: what the labels mean, () if they have no names.
    device: whose task it is, "" if nobody's.
    """

    truth: Labels
    answers: Labels
    classes: tuple[str, ...] = ()
    device: str = ""


@dataclass(frozen=True)
class Confusion:
    """How often each class (row) was answered as each other (column), over all tasks.

    classes: names of the rows; the columns are those and, last, NO_CLASS.
    """

    classes: tuple[str, ...]
    counts: tuple[tuple[int, ...], ...]

    def recall(self) -> dict[str, float]:
        """Of each class that was asked: the part of its samples that was answered rightly, 0..1."""
        rows = zip(self.classes, self.counts, strict=True)
        return {name: row[place] / sum(row) for place, (name, row) in enumerate(rows) if sum(row)}

    def f1(self) -> dict[str, float]:
        """Of each class that was asked: the harmonic mean of precision and recall, 0..1."""
        counts = np.array(self.counts)
        right, answered, asked = np.diagonal(counts), counts.sum(axis=0)[:-1], counts.sum(axis=1)
        both = np.maximum(answered + asked, 1)
        return {name: float(2 * right[at] / both[at]) for at, name in enumerate(self.classes) if asked[at]}


def accuracy(task: Answered) -> float:
    """Part of the queries that is answered rightly, 0..1."""
    return float(np.mean(task.truth == task.answers))


def balanced_accuracy(task: Answered) -> float:
    """Mean over the classes asked of the part of each that is answered rightly, 0..1."""
    return float(np.mean([np.mean(task.answers[task.truth == label] == label) for label in np.unique(task.truth)]))


def macro_f1(task: Answered) -> float:
    """Mean over the classes asked of the harmonic mean of precision and recall, 0..1."""
    found = []
    for label in np.unique(task.truth):
        asked, answered = task.truth == label, task.answers == label
        found.append(2 * int(np.sum(asked & answered)) / int(np.sum(asked) + np.sum(answered)))
    return float(np.mean(found))


def confusion(tasks: Sequence[Answered]) -> Confusion | None:
    """Over all tasks, by the names of classes; None if classes have no names, or are more than MOST_CLASSES."""
    names = sorted({name for task in tasks for name in task.classes if name})
    if not 2 <= len(names) <= MOST_CLASSES or not all(task.classes for task in tasks):
        return None
    place = {name: number for number, name in enumerate(names)}
    counts = np.zeros((len(names), len(names) + 1), np.int64)
    for task in tasks:
        of_label = [place.get(name, len(names)) for name in task.classes]
        for truth, answer in zip(task.truth.tolist(), task.answers.tolist(), strict=True):
            counts[of_label[truth], of_label[answer] if answer < len(of_label) else len(names)] += 1
    return Confusion(tuple(names), tuple(tuple(row) for row in counts.tolist()))


def merged(parts: Iterable[Confusion]) -> Confusion | None:
    """All counts together, by the names of classes; None if there are fewer than two names, or too many."""
    known = list(parts)
    names = sorted({name for one in known for name in one.classes if name})
    if not 2 <= len(names) <= MOST_CLASSES:
        return None
    place = {name: number for number, name in enumerate(names)}
    counts = np.zeros((len(names), len(names) + 1), np.int64)
    for one in known:
        columns = [place.get(name, len(names)) for name in (*one.classes, "")]
        for row, asked in zip(columns, one.counts, strict=False):
            if row < len(names):
                np.add.at(counts[row], columns, asked)
    return Confusion(tuple(names), tuple(tuple(row) for row in counts.tolist()))


def tables_of_counts(found: Confusion | None) -> dict[str, Any]:
    """Confusions as JSON values, with recall and F1 of each class; empty without any."""
    if found is None:
        return {}
    return {"per_class": found.recall(), "per_class_f1": found.f1(), "confusion": asdict(found)}


def by_device(tasks: Sequence[Answered]) -> dict[str, float]:
    """Mean accuracy over the tasks of each device, 0..1, by name; empty if tasks have no devices."""
    found: dict[str, list[float]] = {}
    for task in tasks:
        if task.device:
            found.setdefault(task.device, []).append(accuracy(task))
    return {device: float(np.mean(found[device])) for device in sorted(found)}
