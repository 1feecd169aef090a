"""Exact counts, sums and sums of squares of columns: parts of the data give the scaling that all of it gives."""

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from fractions import Fraction
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from jaragua_compiler.export.inputs.input_format import (
    NOT_DECIMAL,
    InputColumn,
    InputFormat,
    decimals_of,
    fitted_column,
)
from jaragua_models.errors import DataError

_ROOT_BITS = 64  # of a square root in whole numbers: more than float64 keeps
MOST_ROWS = 1 << 32
MOST_SHIFT = 1100
"""Bits behind the point: more than a float64 has."""
MOST_MAGNITUDE = 1e15
"""Of a reading (docs/reference/own-data.md)."""
DEVIATIONS = 4
"""I2: an input of 1 or -1 is so many standard deviations from the mean."""


@dataclass(frozen=True)
class ColumnSums:
    """Of one column: total and squares in units of 2^-shift and 2^-2shift; decimals: see `decimals_of`."""

    name: str
    count: int
    shift: int
    total: int
    squares: int
    low: float
    high: float
    decimals: int

    def joined(self, other: Self) -> Self:
        """Of the rows of both."""
        shift = max(self.shift, other.shift)
        mine, others = shift - self.shift, shift - other.shift
        return type(self)(
            self.name,
            self.count + other.count,
            shift,
            (self.total << mine) + (other.total << others),
            (self.squares << 2 * mine) + (other.squares << 2 * others),
            min(self.low, other.low),
            max(self.high, other.high),
            max(self.decimals, other.decimals),
        )

    @property
    def mean(self) -> float:
        """The nearest float64, whatever the order of the rows."""
        return float(self._mean)

    @property
    def deviation(self) -> float:
        """Standard deviation of the rows (not of a population they are drawn from)."""
        square = Fraction(self.squares, self.count << 2 * self.shift) - self._mean**2
        if not square:
            return 0.0
        bits = _ROOT_BITS + max(0, square.denominator.bit_length() - square.numerator.bit_length())
        root = math.isqrt((square.numerator << 2 * bits) // square.denominator)
        return float(Fraction(root, 1 << bits))

    @property
    def _mean(self) -> Fraction:
        return Fraction(self.total, self.count << self.shift)

    def column(self) -> InputColumn:
        """I1, I2: input = (reading - mean) / (4 standard deviations). One that never changes has a scale of 4.

        Raises: CompileError for a column that integers of 32 bits cannot hold.
        """
        largest = max(abs(self.low), abs(self.high))
        return fitted_column(self.name, self.mean, _scale(self.deviation), largest, self.decimals)

    def is_possible(self) -> bool:
        """Whether any readings have these numbers (R27.4).

        rows · low <= total <= rows · high, and the variance is at most (high - mean) (mean - low): Bhatia and Davis,
        "A Better Bound on the Variance" (2000). All in whole numbers.
        """
        within = abs(self.low) <= MOST_MAGNITUDE and abs(self.high) <= MOST_MAGNITUDE and self.low <= self.high
        counted = 1 <= self.count <= MOST_ROWS and 0 <= self.shift <= MOST_SHIFT and 0 <= self.decimals <= NOT_DECIMAL
        if not (within and counted):
            return False
        unit = 1 << self.shift
        low, high = Fraction(self.low) * unit, Fraction(self.high) * unit
        below, above = self.total - self.count * low, self.count * high - self.total
        variance = self.count * self.squares - self.total**2  # rows² · variance
        return below >= 0 and above >= 0 and 0 <= variance <= below * above


@dataclass(frozen=True)
class Statistics:
    """What is known of some rows, without the rows."""

    columns: tuple[ColumnSums, ...]

    @classmethod
    def of(cls, names: tuple[str, ...], x: NDArray[np.float64]) -> Self:
        """From finite rows [n, columns], n >= 1."""
        return cls(tuple(_sums(name, column) for name, column in zip(names, x.T, strict=True)))

    def joined(self, other: Self) -> Self:
        """Of the rows of both. Raises: DataError if they have other columns."""
        names, others = ([one.name for one in part.columns] for part in (self, other))
        if names != others:
            message = f"statistics of the columns {', '.join(names)} and of {', '.join(others)} are not of one task"
            raise DataError(f"{message}.", "Make them with the same TOML file on every node.")
        return type(self)(tuple(one.joined(two) for one, two in zip(self.columns, other.columns, strict=True)))

    @property
    def rows(self) -> int:
        """How many rows they are of."""
        return self.columns[0].count

    def format(self, *, check_changes: bool = True) -> InputFormat:
        """The scaling. Raises: CompileError for a column that cannot be one, DataError if no column changes."""
        if check_changes and all(one.low == one.high for one in self.columns):
            message = "no feature changes: each has one value in all rows of the devices that train."
            raise DataError(message, "Add columns that tell the classes apart, or hold out other devices (held_out).")
        return InputFormat(tuple(one.column() for one in self.columns))

    def to_json(self) -> str:
        """One line of JSON, which `from_json` reads."""
        return json.dumps({"statistics": [asdict(one) for one in self.columns]})

    @classmethod
    def from_json(cls, text: str, origin: str) -> Self:
        """Raises: DataError for anything else."""
        try:
            return cls(tuple(_checked(one) for one in json.loads(text)["statistics"]))
        except (ValueError, TypeError, KeyError, RecursionError) as error:
            hint = "Make it with `jaragua data TASK.toml --statistics`."
            raise DataError(f"{origin}: these are no statistics of a table.", hint) from error


def _checked(told: Mapping[str, Any]) -> ColumnSums:
    found = ColumnSums(**told)
    whole = (found.count, found.shift, found.total, found.squares, found.decimals)
    if not all(type(number) is int for number in whole) or type(found.name) is not str:
        raise ValueError(f"{told}")
    if not all(math.isfinite(number) for number in (found.low, found.high)) or not found.is_possible():
        raise ValueError(f"{told}")
    return found


def _sums(name: str, column: NDArray[np.float64]) -> ColumnSums:
    parts = [value.as_integer_ratio() for value in column.tolist()]
    shift = max(denominator.bit_length() - 1 for _, denominator in parts)
    whole = [numerator << (shift - denominator.bit_length() + 1) for numerator, denominator in parts]
    squares = sum(number * number for number in whole)
    low, high = float(column.min()), float(column.max())
    return ColumnSums(name, len(whole), shift, sum(whole), squares, low, high, decimals_of(column))


def _scale(deviation: float) -> float:
    return DEVIATIONS * (deviation if deviation > 0 else 1.0)
