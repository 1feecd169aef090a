"""Which samples of a task a device enrols, and in which order it takes them: fleets and simulations do the same."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

#: Bias of a class without samples.
_NEVER: Final = -1e30


def enrolment_order(labels: NDArray[np.int64] | NDArray[np.float32], shots: int) -> tuple[NDArray[np.int64], int]:
    """The places of the samples in the order in which a device takes them, and how many of them are enrolled only.

    labels: int [n], the class of each sample. shots: the first samples of each class are enrolled only; 0: none are,
    all of them are enrolled and trained on. Samples keep their order among those enrolled and among the others.
    """
    seen: dict[int, int] = {}
    enrolled = np.zeros(len(labels), dtype=bool)
    for place, label in enumerate(labels.tolist()):
        seen[label] = seen.get(label, 0) + 1
        enrolled[place] = seen[label] <= shots
    order = np.concatenate([np.flatnonzero(enrolled), np.flatnonzero(~enrolled)])
    return order, int(enrolled.sum())


def prototype_layer(
    features: NDArray[np.floating[Any]], labels: NDArray[np.int64], temperature: float, outputs: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The linear layer that prototypes are in real numbers: W = 2 T P [outputs, features] and b = -T |P|² [outputs].

    Its logits are -T |x - P|² but for what all classes share (A12.4). P is the mean of the features [n, features] of a
    class; a class without samples is never the largest.
    """
    rows, biases = np.zeros((outputs, features.shape[1])), np.full(outputs, _NEVER)
    for label in np.unique(labels):
        mean = features[labels == label].mean(axis=0, dtype=np.float64)
        rows[label], biases[label] = 2 * temperature * mean, -temperature * float(mean @ mean)
    return rows, biases
