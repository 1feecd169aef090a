"""Rows from which the formats of a table's integers are estimated: the same for everybody, whoever has rows (D10)."""

from typing import Final

import numpy as np

from jaragua_models.base import Features
from jaragua_models.randomness import generator_for

ROWS: Final = 64
_TERMS: Final = 12  # of a sum of uniform numbers that is nearly normal, with a variance of 1
_BITS: Final = 19
_DEVIATIONS: Final = 4  # from 0 to 1 (I2)


def drawn_rows(inputs: int, columns: int) -> Features:
    """float32 [64, inputs]: each column is nearly normal with a standard deviation of 1/4, cut off at -1 and 1.

    Input n is column n modulo their count; in raw windows a column keeps its value over the window, because its rows
    are alike. Whole numbers are added, so every machine has the same rows.
    """
    random = generator_for("calibration", columns)
    sums = random.integers(0, 1 << _BITS, (_TERMS, ROWS, columns)).sum(axis=0)
    values = (sums / (1 << _BITS) - _TERMS / 2) / _DEVIATIONS
    return np.tile(np.clip(values, -1, 1), inputs // columns).astype(np.float32)
