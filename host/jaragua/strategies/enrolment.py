"""Which samples of a task a device enrols, and in which order it takes them: fleets and simulations do the same."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


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
