"""M11, M30: what a device may report of its work, for the side that says it and the side that checks it. Pure."""

from __future__ import annotations

import math
from typing import Final, TypeVar

from jaragua.errors import ProtocolError
from jaragua.wire.messages import AdaptResult

#: By metric: nats, or the squared error of one output.
LARGEST_LOSS: Final = {"accuracy": 1e6, "mse": 1e24}
#: By metric: a fraction of right answers, or a squared error.
LARGEST_SCORE: Final = {"accuracy": 1.0, "mse": 1e24}
#: What a board's counter holds.
LARGEST_INSTRUCTIONS: Final = 2**32 - 1

#: Of an accuracy in float64 that was written by another machine.
_ROUNDING: Final = 1e-9

Number = TypeVar("Number", int, float)


def within(value: Number, least: Number, most: Number) -> Number:
    """The nearest number of the range; NaN becomes the largest."""
    return max(least, value) if value <= most else most


def check_answers(result: AdaptResult) -> None:
    """ProtocolError if the answers by class contradict one another, or the other figures (M30)."""
    classes, rows = len(result.classes or ()), result.confusion or ()
    if (len(rows), {len(row) for row in rows}) != (classes, {classes + 1} if classes else set()):
        raise ProtocolError(
            f"{result.device} reports answers of trial {result.trial} whose table does not fit {classes} classes (M30)"
        )
    if not classes:
        return
    counted, right = sum(map(sum, rows)), sum(row[place] for place, row in enumerate(rows))
    agrees = result.metric == "accuracy" and counted == result.queries > 0
    if not (agrees and math.isclose(right / counted, result.after, abs_tol=_ROUNDING)):
        raise ProtocolError(
            f"{result.device} reports {right} of {counted} right answers of trial {result.trial}, "
            f"and {result.metric} {result.after:g} of {result.queries} (M30)"
        )
