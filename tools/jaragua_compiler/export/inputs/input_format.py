"""How readings in physical units become a network's inputs: the rules I1 to I4 of docs/reference/compile.md.

The rules are integer ones. The host computes a model's samples by them (`standardised`) and the generated C computes a
board's, so both feed a network the same bits.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from fractions import Fraction
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from jaragua_compiler.errors import CompileError

GRID_EXPONENT = 23
"""I3: a standardised number is a multiple of 2^-23 from -1 to 1, which float32 holds exactly."""
MULTIPLIER_BITS = 30
SHIFT_MAX = 62
_RAW_LIMIT = 1 << 31
MOST_DECIMALS = 9
NOT_DECIMAL = 10
"""Of `decimals_of`: readings that are no decimal numbers."""
_LOST = 1e-9  # of a reading: what programs that write decimals lose
_MOST_LOST = 1e-6  # of a step: more than float64 loses of 2^31 steps
_FLOAT32_SAFE = 1 << 22  # float32 holds a decimal number of so many steps well enough for its step to be found again
_FLOAT32_EXACT = 1 << 24
_FEWEST_STEPS = 1 << 12  # of a column's scale; with fewer in float32 it is wide
_LEAST_STEPS = 1 << 8
_WIDER = 6  # bits between 2^24 and what an integer of 32 bits holds, with room for larger readings


@dataclass(frozen=True)
class InputColumn:
    """One column of readings: input = (reading - offset) / scale, cut off at -1 and 1.

    per_unit: whole steps of the column in one physical unit, a power of ten or of two: a raw integer is a reading times
    `per_unit`, rounded. wide: float32 does not hold the readings well enough, so that a board should give integers.
    """

    name: str
    offset: float
    scale: float
    per_unit: float = 1.0
    wide: bool = False


class Affine(NamedTuple):
    """I2: standardised number · 2^23 = (raw · multiplier + addend) >> shift."""

    multiplier: int
    addend: int
    shift: int


@dataclass(frozen=True)
class InputFormat:
    """The columns of an input in their order. Input n is column n modulo their count: of a window, the channels."""

    columns: tuple[InputColumn, ...]

    def __post_init__(self) -> None:
        if not self.columns:
            raise CompileError("an input format has no columns.", "Name at least one.")
        for column in self.columns:
            _affine(column)  # raises for what the rule cannot hold

    @property
    def affines(self) -> tuple[Affine, ...]:
        """Per column the integers of I2."""
        return tuple(map(_affine, self.columns))

    def check_inputs(self, inputs: int) -> None:
        """Raises CompileError unless the columns go a whole number of times into so many inputs."""
        if inputs % len(self.columns):
            raise CompileError(
                f"an input format has {len(self.columns)} columns, the network {inputs} inputs.",
                "Give one column for each input, or for each channel of a window.",
            )

    def raw(self, readings: npt.ArrayLike) -> npt.NDArray[np.int32]:
        """I1: readings [n, inputs] in physical units -> raw integers int32 [n, inputs].

        A reading is rounded to float32 first, unless its column is wide. Raises CompileError for one that is no number.
        """
        values = np.asarray(readings, dtype=np.float64)
        self.check_inputs(values.shape[-1])
        if not np.isfinite(values).all():
            raise CompileError("a reading is not a finite number.", "Remove it, or say what stands for it.")
        per_unit = self._repeated([column.per_unit for column in self.columns], values.shape[-1])
        wide = self._repeated([column.wide for column in self.columns], values.shape[-1])
        with np.errstate(over="ignore", under="ignore"):
            narrow = values.astype(np.float32) * per_unit.astype(np.float32)
            scaled = np.where(wide, values * per_unit, narrow)
        away = np.copysign(np.floor(np.abs(scaled) + 0.5), scaled)
        return np.clip(away, -_RAW_LIMIT, _RAW_LIMIT - 1).astype(np.int32)

    def standardised(self, readings: npt.ArrayLike) -> npt.NDArray[np.float32]:
        """I1 to I3: readings [n, inputs] -> what the network is trained on, float32 [n, inputs] from -1 to 1."""
        return self.of_raw(self.raw(readings))

    def of_raw(self, raw: npt.NDArray[np.int32]) -> npt.NDArray[np.float32]:
        """I2, I3: raw integers [n, inputs] -> float32 [n, inputs] from -1 to 1."""
        multiplier, addend, shift = (
            self._repeated(list(numbers), raw.shape[-1]) for numbers in zip(*self.affines, strict=True)
        )
        grid = (raw.astype(np.int64) * multiplier + addend) >> shift
        one = 1 << GRID_EXPONENT
        standardised: npt.NDArray[np.float32] = (np.clip(grid, -one, one) / one).astype(np.float32)
        return standardised

    def facts(self) -> dict[str, Any]:
        """For jaragua.json and the metadata of weights: plain numbers and words."""
        return {"columns": [asdict(column) for column in self.columns]}

    @classmethod
    def from_facts(cls, facts: Mapping[str, Any]) -> InputFormat:
        """What `facts` gave. Raises CompileError for anything else."""
        try:
            return cls(tuple(_column(**column) for column in facts["columns"]))
        except (TypeError, KeyError, ValueError) as error:
            raise CompileError("an input format is damaged: its columns are not listed.", "Write it again.") from error

    def _repeated(self, values: Sequence[float], inputs: int) -> npt.NDArray[Any]:
        """One value a column -> one an input."""
        return np.tile(np.asarray(values), inputs // len(self.columns))


def fitted_format(
    names: Sequence[str], offsets: npt.ArrayLike, scales: npt.ArrayLike, readings: npt.ArrayLike
) -> InputFormat:
    """A format for columns of which some readings are known, each with the coarsest step that keeps them.

    offsets, scales: [columns], in physical units; readings: [n, columns], n >= 1. Readings of few decimals (21.37) have
    steps of a power of ten, so that integers, float32 and float64 give the same raw integer; others a power of two.
    Raises CompileError for readings that are no numbers, or so large and so much alike that 32 bits do not hold them.
    """
    values = np.asarray(readings, dtype=np.float64)
    numbers = (np.asarray(told, dtype=np.float64).tolist() for told in (offsets, scales))
    return InputFormat(tuple(_fitted(*column) for column in zip(names, *numbers, values.T, strict=True)))


def decimals_of(readings: npt.NDArray[np.float64]) -> int:
    """The least number of decimals, 0 to 9, that holds every reading; 10 if none does. Of two parts: the larger one."""
    for decimals in range(MOST_DECIMALS + 1):
        steps = readings * 10.0**decimals
        if (np.abs(steps - np.rint(steps)) <= np.minimum(_LOST * np.abs(steps), _MOST_LOST)).all():
            return decimals
    return NOT_DECIMAL


def fitted_column(name: str, offset: float, scale: float, largest: float, decimals: int) -> InputColumn:
    """A column of which only the largest magnitude and `decimals_of` its readings are known.

    Raises: CompileError for readings so large and so much alike that 32 bits do not hold them.
    """
    largest = max(largest, abs(offset))
    if decimals <= MOST_DECIMALS and largest * 10.0**decimals < _RAW_LIMIT:
        steps = 10.0**decimals
        return InputColumn(name, offset, scale, steps, wide=largest * steps >= _FLOAT32_SAFE)
    exponent = 0 if largest == 0 else math.floor(math.log2(_FLOAT32_EXACT / largest))
    wide = abs(scale) * math.ldexp(1.0, exponent) < _FEWEST_STEPS
    steps = math.ldexp(1.0, exponent + _WIDER if wide else exponent)
    if abs(scale) * steps < _LEAST_STEPS:
        raise CompileError(
            f"column {name!r}: its readings, up to {largest:g}, change too little for integers of 32 bits.",
            "Take from each reading what they have in common.",
        )
    return InputColumn(name, offset, scale, steps, wide)


def _fitted(name: str, offset: float, scale: float, readings: npt.NDArray[np.float64]) -> InputColumn:
    if not np.isfinite(readings).all():
        raise CompileError(f"column {name!r}: a reading is not a finite number.", "Remove it.")
    largest = float(np.abs(readings).max(initial=0.0))
    return fitted_column(name, offset, scale, largest, decimals_of(readings))


def _column(name: str, offset: float, scale: float, per_unit: float, wide: bool) -> InputColumn:
    return InputColumn(str(name), float(offset), float(scale), float(per_unit), bool(wide))


def _affine(column: InputColumn) -> Affine:
    """I2, worked out exactly. Raises CompileError for a column that its integers cannot hold."""
    numbers = (column.offset, column.scale, column.per_unit)
    if not all(map(math.isfinite, numbers)) or column.scale == 0 or column.per_unit <= 0:
        raise CompileError(
            f"column {column.name!r}: offset {column.offset:g}, scale {column.scale:g} and {column.per_unit:g} steps a"
            " unit are no format.",
            "Give finite numbers, a scale that is not 0 and steps above 0.",
        )
    offset, scale, per_unit = map(Fraction, numbers)
    ratio = (1 << GRID_EXPONENT) / (per_unit * scale)
    shift = min(MULTIPLIER_BITS - _bits(ratio), SHIFT_MAX)
    if abs(offset * per_unit) > _RAW_LIMIT or shift < 1:
        raise CompileError(
            f"column {column.name!r}: {column.per_unit:g} steps a unit do not suit offset {column.offset:g} and scale"
            f" {column.scale:g}.",
            "Give steps so that offset and scale are some thousands to 2^31 of them.",
        )
    multiplier = round(ratio * (1 << shift))
    # With the rounded multiplier, so that its error is felt only as far as a reading is from the offset.
    return Affine(multiplier, round(-offset * per_unit * multiplier) + (1 << (shift - 1)), shift)


def _bits(ratio: Fraction) -> int:
    """The least n with |ratio| < 2^n, or one more."""
    return abs(ratio.numerator).bit_length() - ratio.denominator.bit_length() + 1
