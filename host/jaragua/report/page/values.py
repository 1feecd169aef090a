"""Numbers and texts of files and devices, made safe to show. Pure.

A file may be changed by anyone, and names and reasons come from devices: nothing here raises, whatever it is given.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from jaragua.printable import printable

#: Longer texts are cut: a page is for people.
_LONGEST_TEXT: Final = 300
#: No figure of a run is larger (M11 ends at 10^24), and no chart could show it.
_LARGEST: Final = 1e30
UNKNOWN: Final = "unknown"


def number(value: object) -> float | None:
    """A number of a size that a run can have, or None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        found = float(value)
    except OverflowError:
        return None
    return found if abs(found) <= _LARGEST else None


def half_width(value: object) -> float | None:
    """Half the width of an interval: a number that is not negative, or None for anything else."""
    found = number(value)
    return None if found is None or found < 0 else found


def numbers(values: object) -> list[float]:
    """The finite numbers of a list; [] for anything else."""
    return [found for one in sequence(values) if (found := number(one)) is not None]


def text(value: object) -> str:
    """One line of printable text."""
    try:
        shown = printable(str(value))
    except ValueError:  # an integer of thousands of digits
        shown = "a number too large to show"
    return shown if len(shown) <= _LONGEST_TEXT else shown[:_LONGEST_TEXT] + "…"


def count(value: object) -> str:
    """A whole number with separators."""
    found = number(value)
    return UNKNOWN if found is None else f"{round(found):,}"


def figure(value: object, metric: str = "") -> str:
    """A metric or a loss: accuracy in percent, everything else with four digits."""
    found = number(value)
    if found is None:
        return "out of range" if isinstance(value, float) else UNKNOWN
    return f"{100 * found:.1f} %" if metric == "accuracy" else f"{found:.4g}"


def spread(means: object, metric: str = "") -> str:
    """A mean with half the width of its interval. means: {mean, ci95}."""
    found = table(means)
    mean, half = number(found.get("mean")), half_width(found.get("ci95"))
    if mean is None:
        return UNKNOWN
    if half is None:
        return figure(mean, metric)
    return f"{100 * mean:.1f} ± {100 * half:.1f} %" if metric == "accuracy" else f"{mean:.4g} ± {half:.2g}"


def table(value: object) -> Mapping[str, Any]:
    """A mapping, {} for anything else."""
    return value if isinstance(value, Mapping) else {}


def sequence(value: object) -> Sequence[Any]:
    """A list or tuple, () for anything else."""
    return value if isinstance(value, list | tuple) else ()
