"""Labelled samples of one's own, wherever they come from."""

import math
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self, TypeAlias

import numpy as np
from numpy.typing import NDArray

from jaragua_models.errors import DataError
from jaragua_models.randomness import number_for

FEWEST_CLASSES, MOST_CLASSES = 2, 64
HELD_OUT_PART = 4
"""Where the description is silent, one in so many devices (or classes, for images) is held out."""


Spans: TypeAlias = NDArray[np.float64]


@dataclass(frozen=True)
class Table:
    """x float [n, inputs]; class number [n], its names in order; device [n]. `origin` is named in messages.

    columns: of a table, in its own units: what input n is, column n modulo their count. sounds: of recordings.
    spans: float64 [n, 2], when a sample begins and ends, if the data tell. is_ordered: whether neighbouring rows may be
    alike; False where rows are known to have no order.
    """

    origin: Path
    x: NDArray[np.floating]
    labels: NDArray[np.int64]
    classes: tuple[str, ...]
    devices: NDArray[np.str_]
    columns: tuple[str, ...] = ()
    sounds: tuple["Sound", ...] = ()
    spans: Spans | None = None
    is_ordered: bool = False

    def require_rows(self) -> None:
        """Raises: DataError if there are none (N5)."""
        if not len(self.labels):
            hint = "Name the table (path = …): only the coordinator of a fleet, `jaragua run`, does without."
            raise DataError(f"{self.origin}: this file has no path, so there are no rows.", hint)

    def only(self, rows: NDArray[np.int64]) -> Self:
        """The same with some of its rows."""
        sounds = tuple(self.sounds[row] for row in rows) if self.sounds else ()
        spans = None if self.spans is None else self.spans[rows]
        kept = {"x": self.x[rows], "labels": self.labels[rows], "devices": self.devices[rows]}
        return replace(self, **kept, sounds=sounds, spans=spans)  # type: ignore[arg-type]


@dataclass(frozen=True)
class Sound:
    """How a recording was before it became one second of 16 kHz.

    name: of the file, with its speaker's and word's folder; loudness_db: of full scale; clipped: the fraction of its
    samples at the ends of the range; rows: of the sound in that second, from its first to its last loud one (F10).
    """

    name: str
    rate_hz: int
    channels: int
    seconds: float
    loudness_db: float
    clipped: float
    rows: int


def numbered(origin: Path, names: list[str], told: tuple[str, ...] = ()) -> tuple[NDArray[np.int64], tuple[str, ...]]:
    """Class numbers of class names, and the names in order: as told, else those there are.

    Raises: DataError if there are too few or too many, or one that was not told.
    """
    other = sorted(set(names) - set(told)) if told else []
    if other:
        hint = "Add it to classes in every copy of the TOML file, or take its samples out."
        raise DataError(f"{origin}: class {other[0]!r} is not in classes: {_some(list(told))}.", hint)
    classes = told or tuple(sorted(set(names)))
    if len(set(classes)) < len(classes):
        raise DataError(f"{origin}: a class is in classes twice.", "Name it once.")
    if not FEWEST_CLASSES <= len(classes) <= MOST_CLASSES:
        raise DataError(
            f"{origin}: there {_are(len(classes), 'class', 'classes')}: {_some(list(classes))}.",
            f"Give {FEWEST_CLASSES} to {MOST_CLASSES} classes.",
        )
    place = {name: number for number, name in enumerate(classes)}
    return np.array([place[name] for name in names], dtype=np.int64), classes


def held_out(origin: Path, what: str, names: list[str], asked: tuple[str, ...], least: int) -> tuple[str, ...]:
    """Which devices or classes (`what`) are kept from training: those asked for, else one in four, by their names.

    A file may have rows of none of the devices that are asked for: a node may hold only its own (N3).
    Raises: DataError if there are not `least` of them on either side.
    """
    known = sorted(set(names))
    missing = [name for name in asked if name not in known]
    if missing and what == "class":
        raise DataError(f"{origin}: there is no {what} {missing[0]!r} to hold out.", f"There are: {_some(known)}.")
    twice = [name for name in asked if asked.count(name) > 1]
    if twice:
        raise DataError(f"{origin}: {what} {twice[0]!r} is in held_out twice.", "Name it once.")
    if asked and what == "device":
        return asked
    shuffled = sorted(known, key=lambda name: number_for("held-out", what, name))
    kept = asked or tuple(shuffled[: max(least, math.ceil(len(known) / HELD_OUT_PART))])
    if min(len(set(kept)), len(known) - len(set(kept))) < least:
        plural = {"device": "devices", "class": "classes"}[what]
        raise DataError(
            f"{origin}: there {_are(len(known), what, plural)}, of which {len(set(kept))} held out; at least"
            f" {least} must be held out, and {least} left to train on.",
            f"Give {2 * least} {plural} or more, or hold out others (held_out).",
        )
    return kept


def _some(names: list[str]) -> str:
    return ", ".join(names[:8]) + (", ..." if len(names) > 8 else "")


def _are(count: int, one: str, several: str) -> str:
    return ("is " if count == 1 else "are ") + counted(count, one, several)


def counted(count: int, one: str, several: str) -> str:
    """`1 class`, `2 classes`."""
    return f"{count} {one if count == 1 else several}"
