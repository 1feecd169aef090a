"""The ranges of real numbers that a quantised model file gives for its activations. Pure data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple


class Range(NamedTuple):
    """What the integers least..most of a tensor stand for: real = (integer - zero) · step."""

    step: float
    zero: int
    least: int = -128
    most: int = 127

    @property
    def low(self) -> float:
        """The real number of `least`."""
        return (self.least - self.zero) * self.step

    @property
    def high(self) -> float:
        """The real number of `most`."""
        return (self.most - self.zero) * self.step

    @property
    def magnitude(self) -> float:
        """The largest magnitude, less half a step: `zero` is rounded, so a range of -1..1 may end in 1.004.

        Less float32's rounding of `step`, too.
        """
        return (max(abs(self.low), abs(self.high)) - self.step / 2) * (1 - 2.0**-20)


@dataclass(frozen=True)
class Ranges:
    """The ranges of a network's values: of its input, and per layer of its output and of what its activation reads.

    None where the file says nothing.
    """

    input: Range
    outputs: tuple[Range | None, ...]
    before_activation: tuple[Range | None, ...]

    def __str__(self) -> str:
        """For people: "the ranges of the file, inputs -1 to 1"."""
        others = any((*self.outputs, *self.before_activation))
        what = "the ranges of the file, inputs" if others else "the range of the file's inputs,"
        return f"{what} {self.input.low:.4g} to {self.input.high:.4g}"

    def of_input_alone(self) -> Ranges:
        """What is left of them under other weights."""
        nothing = (None,) * len(self.outputs)
        return Ranges(self.input, nothing, nothing)
