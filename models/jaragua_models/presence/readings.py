"""The readings of Room Occupancy Estimation: four sensor nodes in one room, a row about every 30 s, seven days.

The Christmas days and 11 January are empty, and three quarters of all occupied rows lie in two days: see tasks.md.
"""

import csv
import functools
import hashlib
import io
import zipfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from jaragua_models.base import Features
from jaragua_models.data import Source, find, local
from jaragua_models.errors import DataError

NODES = ("S1", "S2", "S3", "S4")
KINDS = ("Temp", "Light", "Sound")
LABEL = "Room_Occupancy_Count"
MOST_PEOPLE = 3

# UCI publishes no sum of its archive: what counts is the digest of the numbers inside.
SOURCE = Source(
    "room_occupancy_estimation",
    "room_occupancy_estimation.zip",
    "https://archive.ics.uci.edu/static/public/864/room+occupancy+estimation.zip",
)
TABLE = "Occupancy_Estimation.csv"
CONTENT = "75b185bfb414c7593f0ff6d6afcab9ceaecf0820066e5f43dd5210905b2bc334"
"""SHA-256 of the rows as `content_digest` writes them."""

TRAINING_END = datetime(2017, 12, 25)
"""22 to 24 December train; what comes after is held out."""
SUPPORT_END = datetime(2018, 1, 10, 16, 40)
QUERY_START = datetime(2018, 1, 10, 16, 45)


@dataclass(frozen=True)
class Stretches:
    """Training tasks have the rows before training_end; held-out tasks take support and queries from later ones."""

    training_end: datetime = TRAINING_END
    support_end: datetime = SUPPORT_END
    query_start: datetime = QUERY_START
    end: datetime | None = None


PUBLISHED = Stretches()
VALIDATION = Stretches(
    datetime(2017, 12, 23, 14, 40), datetime(2017, 12, 23, 17, 30), datetime(2017, 12, 23, 17, 35), TRAINING_END
)
"""The training days alone: all until the noon of 23 December trains, its afternoon and the next day are held out."""
"""Held-out tasks adapt on what came before, and are evaluated on what came after: neighbours are nearly equal."""

CENTRE = (25.568, 37.660, 0.18539)
SCALE = (0.58517, 65.555, 0.39411)
"""Mean and standard deviation of temperature (°C), light (lux), sound (V): all nodes, training days."""
DEVIATIONS = 4
"""Features reach -1..1: so many standard deviations; what lies beyond is clipped."""

_DATES = ("%Y/%m/%d", "%d/%m/%Y", "%Y-%m-%d")


@dataclass(frozen=True)
class Readings:
    """values float64 [n, 4 nodes, 3 kinds], people int64 [n], times datetime64[s] [n], in order of time."""

    values: NDArray[np.float64]
    people: NDArray[np.int64]
    times: NDArray[np.datetime64]

    def rows(self, after: datetime | None, before: datetime | None) -> NDArray[np.int64]:
        """The rows of a stretch of time: after <= time < before."""
        inside = np.ones(len(self.times), dtype=bool)
        if after is not None:
            inside &= self.times >= np.datetime64(after)
        if before is not None:
            inside &= self.times < np.datetime64(before)
        return np.flatnonzero(inside)


@functools.cache
def load() -> Readings:
    """All rows. Raises: DataError if they cannot be had or are not the ones."""
    path = local(SOURCE.folder, TABLE) or find(SOURCE)
    try:
        readings = parse(_text(path))
    except (OSError, KeyError, ValueError, TypeError, zipfile.BadZipFile) as error:
        raise DataError(f"{path} cannot be read: {error}.", _remedy(path)) from error
    if content_digest(readings) != CONTENT:
        raise DataError(f"{path} is not the table of Room Occupancy Estimation, or was changed.", _remedy(path))
    return readings


def parse(text: str) -> Readings:
    """The table. Raises: KeyError, ValueError, TypeError if a column or a cell is missing or is not a number."""
    rows = sorted(csv.DictReader(io.StringIO(text)), key=_time)
    return Readings(
        values=np.array([[[float(row[f"{node}_{kind}"]) for kind in KINDS] for node in NODES] for row in rows]),
        people=np.array([int(row[LABEL]) for row in rows]),
        times=np.array([_time(row) for row in rows], dtype="datetime64[s]"),
    )


def features(values: NDArray[np.float64]) -> Features:
    """Readings of one node [n, 3] -> float32 [n, 3] in -1..1, by the fixed numbers CENTRE and SCALE."""
    standard: NDArray[np.float64] = (values - np.array(CENTRE)) / (np.array(SCALE) * DEVIATIONS)
    return np.clip(standard, -1, 1).astype(np.float32)


def content_digest(readings: Readings) -> str:
    """SHA-256 of all rows: time, numbers to six digits after the point, people; however the file writes them."""
    return hashlib.sha256("\n".join(_lines(readings)).encode()).hexdigest()


def _lines(readings: Readings) -> Iterable[str]:
    for time, values, people in zip(readings.times, readings.values, readings.people, strict=True):
        yield f"{time} {' '.join(f'{value:.6f}' for value in values.ravel())} {people}"


def _time(row: Mapping[str, str]) -> datetime:
    for form in _DATES:
        try:
            return datetime.strptime(f"{row['Date']} {row['Time']}", f"{form} %H:%M:%S")
        except ValueError:
            continue
    raise ValueError(f"{row['Date']!r} {row['Time']!r} is no time")


def _text(path: Path) -> str:
    if path.suffix != ".zip":
        return path.read_text(encoding="utf-8")
    with zipfile.ZipFile(path) as archive:
        return archive.read(TABLE).decode("utf-8")


def _remedy(path: Path) -> str:
    return f"Delete it and download {SOURCE.url} again." if path.suffix == ".zip" else "Put the original file there."
