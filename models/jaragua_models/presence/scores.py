"""How well a yes-or-no question is answered when one answer is rare."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike


@dataclass(frozen=True)
class Scores:
    """All in 0..1."""

    accuracy: float
    balanced_accuracy: float
    """The mean over the classes that occur of the part of each that is found."""
    f1: float
    """2 TP / (2 TP + FP + FN) of class 1; 0 where it neither occurs nor is found."""


def scores(labels: ArrayLike, predictions: ArrayLike) -> Scores:
    """Evaluate predictions against labels, both [n] with n > 0."""
    truth, found = np.asarray(labels), np.asarray(predictions)
    right = truth == found
    hits = int((right & (truth == 1)).sum())
    asked = int((truth == 1).sum() + (found == 1).sum())
    return Scores(
        accuracy=float(right.mean()),
        balanced_accuracy=float(np.mean([right[truth == label].mean() for label in np.unique(truth)])),
        f1=2 * hits / asked if asked else 0.0,
    )
