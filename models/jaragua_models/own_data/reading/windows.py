"""Windows of consecutive rows as samples: statistics of each channel, or the rows themselves (D7, D8)."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from jaragua_models.errors import DataError
from jaragua_models.own_data.description import Description
from jaragua_models.own_data.samples import Table

STATISTICS = ("mean", "deviation", "smallest", "largest", "step")
"""D8, of a channel in a window; `step` is the mean size of the change from a row to the next."""


def windows_of(table: Table, description: Description) -> Table:
    """Rows [n, channels] -> windows [m, inputs]. Raises: DataError if no window is whole."""
    length, hop = description.window, description.hop or description.window
    starts = [start for first, end in _runs(table) for start in range(first, end - length + 1, hop)]
    if not starts:
        message = f"{table.origin}: no device has {length} rows of one class in a row, which is a window."
        raise DataError(message, "Set a smaller window, or check that the rows stand in the order of their time.")
    first = np.array(starts)
    cut = table.x.astype(np.float64)[first[:, None] + np.arange(length)]
    x = _statistics(cut) if description.windows == "statistics" else cut.reshape(len(cut), -1)
    columns = columns_of(table.columns, description)
    spans = None if table.spans is None else np.stack([table.spans[first, 0], table.spans[first + length - 1, 1]], 1)
    return replace(table.only(first), x=x, columns=columns, spans=spans)


def columns_of(columns: tuple[str, ...], description: Description) -> tuple[str, ...]:
    """Names of what is scaled, for the columns of the table: of windows with statistics one a statistic."""
    if not description.window or description.windows == "raw":
        return columns
    return tuple(f"{column} {word}" for word in STATISTICS for column in columns)


def _runs(table: Table) -> list[tuple[int, int]]:
    """First row and end of each run of rows of one device and one class."""
    changes = (table.labels[1:] != table.labels[:-1]) | (table.devices[1:] != table.devices[:-1])
    edges = [0, *(np.flatnonzero(changes) + 1).tolist(), len(table.labels)]
    return list(pairwise(edges))


def _statistics(cut: NDArray[np.float64]) -> NDArray[np.float64]:
    """Windows [m, rows, channels] -> [m, statistics · channels], one statistic of all channels after the other."""
    steps = np.abs(np.diff(cut, axis=1)).mean(axis=1) if cut.shape[1] > 1 else np.zeros((len(cut), cut.shape[2]))
    parts = (cut.mean(axis=1), cut.std(axis=1), cut.min(axis=1), cut.max(axis=1), steps)
    return np.concatenate(parts, axis=1)
