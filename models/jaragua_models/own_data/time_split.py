"""Support from the first part of a device's time, queries from the last (D9). Pure."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from jaragua_models.data.drawing import Rows


def split_by_time(
    spans: NDArray[np.float64], by_class: Sequence[Rows], shots: int, queries: int
) -> tuple[list[Rows], list[Rows]]:
    """For each class the rows before a moment, and those from it on.

    The moment is the same for all classes of the device: of those that leave most classes with `shots` rows before it
    and `queries` rows after, the one next to the middle row. spans: float64 [all rows, 2], when a sample begins and
    ends; one that goes on over the moment is on neither side. by_class: rows of each class.
    """
    moments = np.unique(spans[np.concatenate(by_class), 0])
    begins = np.sort(spans[np.concatenate(by_class), 0])
    able = np.zeros(len(moments), np.int64)
    for rows in by_class:
        before = np.searchsorted(np.sort(spans[rows, 1]), moments, side="left")
        after = len(rows) - np.searchsorted(np.sort(spans[rows, 0]), moments, side="left")
        able += (before >= shots) & (after >= queries) & (len(rows) > 0)
    distance = np.abs(np.searchsorted(begins, moments, side="left") - len(begins) / 2)
    moment = moments[np.lexsort((distance, -able))[0]]
    return (
        [rows[spans[rows, 1] < moment] for rows in by_class],
        [rows[spans[rows, 0] >= moment] for rows in by_class],
    )
