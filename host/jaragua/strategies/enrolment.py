"""Which samples of a task a device enrols, and in which order it takes them: fleets and simulations do the same."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

#: Bias of a class without samples.
_NEVER: Final = -1e30


@dataclass(frozen=True)
class Episode:
    """The places of samples that are enrolled together, and of those that are then trained on: int64 [n] each."""

    enrolled: NDArray[np.int64]
    trained: NDArray[np.int64]


def episodes_of(labels: NDArray[np.int64] | NDArray[np.float32], shots: int, queries: int) -> list[Episode]:
    """The episodes of a pass in which enrolled samples teach (A12.10).

    labels: int [n], the class of each sample. An episode takes the next `shots` samples of each class to enrol, and
    the next `queries` of each, or fewer where a class has no more, to train on. A class without `shots` + 1 samples
    left has no part in it, and there is none with fewer than two classes. Samples keep their order within each part.
    """
    by_class = [np.flatnonzero(labels == label) for label in np.unique(labels)]
    found: list[Episode] = []
    first = 0
    while True:
        left = [places[first:] for places in by_class if len(places) > first + shots]
        if len(left) < 2:
            return found
        enrolled = np.sort(np.concatenate([places[:shots] for places in left]))
        trained = np.sort(np.concatenate([places[shots : shots + queries] for places in left]))
        found.append(Episode(enrolled, trained))
        first += shots + queries


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
