"""M11: the ranges of what a device reports of its work, for the side that says it and the side that checks it. Pure."""

from __future__ import annotations

from typing import Final, TypeVar

#: By metric: nats, or the squared error of one output.
LARGEST_LOSS: Final = {"accuracy": 1e6, "mse": 1e24}
#: By metric: a fraction of right answers, or a squared error.
LARGEST_SCORE: Final = {"accuracy": 1.0, "mse": 1e24}
#: What a board's counter holds.
LARGEST_INSTRUCTIONS: Final = 2**32 - 1

Number = TypeVar("Number", int, float)


def within(value: Number, least: Number, most: Number) -> Number:
    """The nearest number of the range; NaN becomes the largest."""
    return max(least, value) if value <= most else most
