"""When each row of a table was measured: numbers, or dates and times in ISO 8601 (D9)."""

import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from jaragua_models.errors import DataError


def times_of(
    path: Path, rows: Sequence[tuple[int, Mapping[str, str]]], columns: Sequence[str]
) -> NDArray[np.float64] | None:
    """float64 [rows], rising with time; None if no column tells. columns: one, or a date and a time of day.

    Numbers are in any unit. A date and time without a zone is UTC; `/` may stand for `-`. Raises: DataError.
    """
    if not columns:
        return None
    said = [(line, " ".join(row[column].strip() for column in columns)) for line, row in rows]
    read = _number if _number(said[0][1]) is not None else _date
    found = [read(text) for _, text in said]
    if None in found:
        line, text = said[found.index(None)]
        kind = "a number, as in the first row" if read is _number else "a time"
        raise DataError(
            f"{path}, line {line}, column {columns[0]!r}: {text!r} is not {kind}.",
            "Write all times as numbers, or all as 2024-05-31 13:45:00.",
        )
    return np.array(found, dtype=np.float64)


def is_time(text: str) -> bool:
    """Whether a cell is a date, with or without a time of the day."""
    return _date(text) is not None


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _date(text: str) -> float | None:
    try:
        found = datetime.fromisoformat(text.replace("/", "-"))
    except ValueError:
        return None
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()
