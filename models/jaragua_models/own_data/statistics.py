"""Exact counts, sums and sums of squares of columns: parts of the data give the scaling that all of it gives."""

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from fractions import Fraction
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from jaragua_compiler.export.inputs.input_format import InputColumn, InputFormat, fitted_format
from jaragua_models.errors import DataError

_ROOT_BITS = 64  # of a square root in whole numbers: more than float64 keeps
DEVIATIONS = 4
"""I2: an input of 1 or -1 is so many standard deviations from the mean."""


@dataclass(frozen=True)
class ColumnSums:
    """Of one column: total and squares in units of 2^-shift and 2^-2shift; steps of a unit and `wide` as in I1."""

    name: str
    count: int
    shift: int
    total: int
    squares: int
    low: float
    high: float
    per_unit: float
    wide: bool

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
            max(self.per_unit, other.per_unit),
            self.wide or other.wide,
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
        """I1, I2: input = (reading - mean) / (4 standard deviations). One that never changes has a scale of 4."""
        return InputColumn(self.name, self.mean, _scale(self.deviation), self.per_unit, self.wide)


@dataclass(frozen=True)
class Statistics:
    """What is known of some rows, without the rows."""

    columns: tuple[ColumnSums, ...]

    @classmethod
    def of(cls, names: tuple[str, ...], x: NDArray[np.float64]) -> Self:
        """From rows [n, columns], n >= 1. Raises: CompileError for a column that integers of 32 bits cannot hold."""
        sums = [_sums(name, column) for name, column in zip(names, x.T, strict=True)]
        scales = [_scale(one.deviation) for one in sums]
        fitted = fitted_format(names, [one.mean for one in sums], scales, x)
        parts = zip(sums, fitted.columns, strict=True)
        return cls(
            tuple(ColumnSums(**asdict(one) | {"per_unit": told.per_unit, "wide": told.wide}) for one, told in parts)
        )

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

    def format(self) -> InputFormat:
        """The scaling. Raises: CompileError for a column that cannot be one, DataError if no column changes."""
        if all(one.low == one.high for one in self.columns):
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
    whole = (found.count, found.shift, found.total, found.squares)
    real = (found.low, found.high, found.per_unit)
    if not all(type(number) is int for number in whole) or not all(math.isfinite(number) for number in real):
        raise ValueError(f"{told}")
    if found.count < 1 or not 0 <= found.shift <= 2048 or type(found.name) is not str or type(found.wide) is not bool:
        raise ValueError(f"{told}")
    return found


def _sums(name: str, column: NDArray[np.float64]) -> ColumnSums:
    parts = [value.as_integer_ratio() for value in column.tolist()]
    shift = max(denominator.bit_length() - 1 for _, denominator in parts)
    whole = [numerator << (shift - denominator.bit_length() + 1) for numerator, denominator in parts]
    squares = sum(number * number for number in whole)
    low, high = float(column.min()), float(column.max())
    return ColumnSums(name, len(whole), shift, sum(whole), squares, low, high, per_unit=1.0, wide=False)


def _scale(deviation: float) -> float:
    return DEVIATIONS * (deviation if deviation > 0 else 1.0)
