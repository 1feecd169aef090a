"""Which statistics of devices count for the scaling of a run, and what they give together (R27). Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from fractions import Fraction
from functools import reduce
from statistics import median
from typing import Final

from jaragua.bases.value import Value
from jaragua_models.own_data.statistics import ColumnSums, Statistics

#: R27.5: how far a device may be from the middle of all, in rows and in spreads of a column.
MOST_FACTOR: Final = 64
_FEWEST: Final = 3


class DeviceSums(Value):
    """What a device told: whose rows, and their sums."""

    owner: str
    sums: Statistics


class Collected(Value):
    """Sums of all devices that count, in the order of their names; excluded: by device why it does not."""

    devices: tuple[str, ...]
    sums: Statistics
    excluded: Mapping[str, str]


def together(told: Mapping[str, DeviceSums]) -> Collected | None:
    """None if nobody is left. The order of `told` does not matter, nor how rows are spread over devices."""
    excluded = dict(_twice(told))
    single = {device: told[device].sums for device in sorted(told) if device not in excluded}
    excluded |= dict(_implausible(single))
    counted = {device: sums for device, sums in single.items() if device not in excluded}
    if not counted:
        return None
    joined = reduce(Statistics.joined, counted.values())
    return Collected(tuple(counted), joined, excluded)


def _twice(told: Mapping[str, DeviceSums]) -> Iterator[tuple[str, str]]:
    """R27.3: of devices with the rows of one owner the first in the order of names counts."""
    first: dict[str, str] = {}
    for device in sorted(told):
        owner = told[device].owner
        if owner in first:
            yield device, f"its rows are those of {first[owner]}"
        first.setdefault(owner, device)


def _implausible(told: Mapping[str, Statistics]) -> Iterator[tuple[str, str]]:
    """R27.5."""
    if len(told) < _FEWEST:
        return
    usual_rows = median(sums.rows for sums in told.values())
    bounds = [_bounds([sums.columns[place] for sums in told.values()]) for place in range(_width(told))]
    for device, sums in told.items():
        if sums.rows > MOST_FACTOR * usual_rows:
            yield device, f"it tells of {sums.rows} rows, the others of {usual_rows:g}"
            continue
        for column, (middle, reach) in zip(sums.columns, bounds, strict=True):
            if reach and abs(_mean(column) - middle) > reach:
                yield device, f"its mean of {column.name!r} is {column.mean:g}, that of the others {float(middle):g}"
                break


def _bounds(columns: list[ColumnSums]) -> tuple[Fraction, Fraction]:
    """Median of the devices' means, and how far from it a mean may be; 0: any, where the devices see no change."""
    middle = median(_mean(one) for one in columns)
    spread = median(Fraction(one.high) - Fraction(one.low) for one in columns)
    away = median(abs(_mean(one) - middle) for one in columns)
    return middle, MOST_FACTOR * (spread + away) if spread else Fraction(0)


def _mean(column: ColumnSums) -> Fraction:
    return Fraction(column.total, column.count << column.shift)


def _width(told: Mapping[str, Statistics]) -> int:
    return len(next(iter(told.values())).columns)
