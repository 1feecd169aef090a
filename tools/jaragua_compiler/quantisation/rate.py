"""The learning rate as the device takes it (A5.2) and as one layer's arithmetic uses it (A5.3)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import NamedTuple

from jaragua_compiler.errors import CompileError

MANTISSA_MIN, MANTISSA_MAX = 16384, 32767
EXPONENT_MIN, EXPONENT_MAX = 15, 46


class LearningRate(NamedTuple):
    """lr = mantissa · 2^-exponent (A5.2)."""

    mantissa: int
    exponent: int

    @classmethod
    def from_float(cls, rate: float) -> LearningRate:
        """The nearest rate of the format. Raises CompileError unless 2^-32 <= rate < 1."""
        if not 2.0**-32 <= rate < 1.0:
            raise CompileError(f"learning rate {rate!r} is out of range.", "Give a rate from 2.4e-10 to below 1.")
        return cls(*_normalised(Fraction(rate), exponent_min=EXPONENT_MIN))

    def to_float(self) -> float:
        """The rate this stands for."""
        return math.ldexp(self.mantissa, -self.exponent)

    def check(self) -> None:
        """Raises CompileError if the two numbers are not a rate of A5.2."""
        if not (MANTISSA_MIN <= self.mantissa <= MANTISSA_MAX and EXPONENT_MIN <= self.exponent <= EXPONENT_MAX):
            raise CompileError(
                f"({self.mantissa}, {self.exponent}) is not a learning rate.", "Make it with LearningRate.from_float."
            )


@dataclass(frozen=True)
class LossFactor:
    """The factor of a loss gradient, gm · 2^-ge (A5.3); None for a factor of one."""

    mantissa: int
    exponent: int


def loss_factor(outputs: int, classifier: bool) -> LossFactor | None:
    """A5.3: one for cross-entropy, 2/outputs for the mean squared error."""
    return None if classifier else LossFactor(*_normalised(Fraction(2, outputs)))


def effective_rate(rate: LearningRate, factor: LossFactor | None) -> LearningRate:
    """A5.3: the rate with the loss factor in it."""
    if factor is None:
        return rate
    mantissa = (rate.mantissa * factor.mantissa + (1 << 14)) >> 15
    exponent = rate.exponent + factor.exponent - 15
    return LearningRate(mantissa, exponent) if mantissa >= MANTISSA_MIN else LearningRate(2 * mantissa, exponent + 1)


def _normalised(value: Fraction, exponent_min: int = -64) -> tuple[int, int]:
    """(m, e) with m in 16384..32767 and m · 2^-e nearest to value."""
    exponent = 15 - math.floor(math.log2(value)) - 1
    mantissa = round(value * Fraction(2) ** exponent)
    if mantissa > MANTISSA_MAX and exponent > exponent_min:
        return mantissa // 2, exponent - 1
    return min(mantissa, MANTISSA_MAX), exponent
