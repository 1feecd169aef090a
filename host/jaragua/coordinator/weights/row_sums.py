"""Sums and lengths of rows that come some at a time, with the bits of those of one matrix. Pure."""

from __future__ import annotations

from typing import Final

import numpy as np

from jaragua.strategies.aggregation import Vector

#: R17: what rounding can add to the length of a row, relative to the row's and the start's: an addition, a subtraction
#: and a sum of so many squares err by less than 2^-53 for each number of a network, of which there are fewer than 2^22.
_SLACK: Final = 1e-9


class SumsAsked:
    """Which sums of the rows a run's strategy asks for: they are prepared where the rows are made anyway."""

    def __init__(self) -> None:
        self.plain = self.weighted = False

    @property
    def is_known(self) -> bool:
        """Whether it has asked for any."""
        return self.plain or self.weighted


class RunningSum:
    """Of rows that come some at a time, with the bits of one sum over all of them."""

    def __init__(self) -> None:
        self.total: Vector | None = None

    def add(self, rows: Vector) -> None:
        """These follow. The first of them is changed."""
        if self.total is not None:
            rows[0] += self.total
        self.total = np.add.reduce(rows, axis=0)


class RowSums:
    """Of all rows so far: bounds of their lengths, and the sums that are asked for; both where nobody has asked yet.

    start: float64 [parameters], which is added to what each device learned.
    """

    def __init__(self, start: Vector, asked: SumsAsked | None) -> None:
        self._start = start
        self._slack = _SLACK * float(np.linalg.norm(start))
        known = asked if asked is not None and asked.is_known else None
        self._plain = RunningSum() if known is None or known.plain else None
        self._weighted = RunningSum() if known is None or known.weighted else None
        self._lengths: list[Vector] = []

    @property
    def lengths(self) -> Vector:
        """Bounds of how far each row is from the start, float64 [rows]."""
        return np.concatenate(self._lengths) if self._lengths else np.zeros(0)

    @property
    def plain(self) -> Vector | None:
        """Sum of the rows, float64 [parameters]; None if it is not asked for."""
        return None if self._plain is None else self._plain.total

    @property
    def weighted(self) -> Vector | None:
        """Sum of the rows, each as often as it has samples."""
        return None if self._weighted is None else self._weighted.total

    def add(self, learned: Vector, samples: Vector) -> None:
        """These follow: what devices learned, float64 [rows, parameters], which is changed, and their samples."""
        with np.errstate(over="ignore", invalid="ignore"):
            squares = np.einsum("ij,ij->i", learned, learned)
            self._lengths.append(np.sqrt(squares) * (1 + _SLACK) + self._slack)
            learned += self._start
            if self._plain is not None:
                first = learned[0].copy()
                self._plain.add(learned)
                learned[0] = first
            if self._weighted is not None:
                learned *= samples[:, None]
                self._weighted.add(learned)
