"""What a device tells of the answers to a held-out task: counts by class, and no single answer (M30). Pure."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt

from jaragua.node.training.trainer import Labels, SampleSet

#: Names of classes that one message carries.
FEWEST_CLASSES: Final = 2
MOST_CLASSES: Final = 64


def can_be_told(classes: tuple[str, ...]) -> bool:
    """Whether the task's classes have names, and no more than a message has room for."""
    return FEWEST_CLASSES <= len(classes) <= MOST_CLASSES


def confusions(truth: npt.NDArray[Any], answers: Labels, classes: int) -> tuple[tuple[int, ...], ...]:
    """Of each class (row) how often it was answered as each other, and last as none of the task's classes.

    truth: labels [n], below `classes`. answers: labels [n], of any size.
    """
    counts = np.zeros((classes, classes + 1), np.int64)
    np.add.at(counts, (truth.astype(np.int64), np.minimum(answers, classes)), 1)
    return tuple(tuple(row) for row in counts.tolist())


def enrolled_samples(support: SampleSet) -> tuple[int, ...]:
    """How many samples each label has."""
    return tuple(np.bincount(support.targets[:, 0].astype(np.int64)).tolist())
