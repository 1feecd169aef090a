"""How long a host waits for a board before it says something of it (docs/reference/protocol.md, L5)."""

from __future__ import annotations

import math
import os
from dataclasses import dataclass
from typing import Final

from jaragua.errors import UsageError

#: L5.4: a factor for all times of a process and of those it starts; `--board-patience` goes before it.
PATIENCE_VARIABLE: Final = "JARAGUA_BOARD_PATIENCE"


@dataclass(frozen=True, slots=True)
class Patience:
    """Seconds. The defaults are those of L5; `of_environment` is what everything takes that is not told another."""

    greeting_s: float = 10.0
    """For how long HELLO may stay unanswered (L5.1)."""
    silence_s: float = 30.0
    """For how long no frame may come while an answer is due (L5.2)."""
    answer_s: float = 300.0
    """For how long an answer may take while frames come (L5.3)."""

    def times(self, factor: float) -> Patience:
        """All times longer or shorter. UsageError if the factor is not a positive number."""
        if not (math.isfinite(factor) and factor > 0):
            raise UsageError(
                f"a board's patience of {factor:g} is not a positive number",
                "1 is the default, 10 is for a slow machine",
            )
        return Patience(factor * self.greeting_s, factor * self.silence_s, factor * self.answer_s)


def patience_of(factor: float | None) -> Patience:
    """The defaults times `factor`; with None, times JARAGUA_BOARD_PATIENCE. UsageError if either is not a number."""
    if factor is not None:
        return Patience().times(factor)
    text = os.environ.get(PATIENCE_VARIABLE) or "1"
    try:
        return Patience().times(float(text))
    except ValueError:
        raise UsageError(
            f"{PATIENCE_VARIABLE}={text!r} is not a number", "set it to 1, or to 10 on a slow machine"
        ) from None
