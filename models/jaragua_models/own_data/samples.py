"""Labelled samples of one's own, wherever they come from."""

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from jaragua_models.errors import DataError
from jaragua_models.randomness import number_for

FEWEST_CLASSES, MOST_CLASSES = 2, 64
HELD_OUT_PART = 4
"""Where the description is silent, one in so many devices (or classes, for images) is held out."""


@dataclass(frozen=True)
class Table:
    """x float32 [n, inputs]; class number [n], its names sorted; device [n]. `origin` is named in messages.

    exact: the same numbers as they were read, before they are standardised.
    """

    origin: Path
    x: NDArray[np.float32]
    labels: NDArray[np.int64]
    classes: tuple[str, ...]
    devices: NDArray[np.str_]
    exact: NDArray[np.float64] | None = None


def numbered(origin: Path, names: list[str]) -> tuple[NDArray[np.int64], tuple[str, ...]]:
    """Class numbers of class names, and the names in order. Raises: DataError if there are too few or too many."""
    classes = tuple(sorted(set(names)))
    if not FEWEST_CLASSES <= len(classes) <= MOST_CLASSES:
        raise DataError(
            f"{origin}: there {_are(len(classes), 'class', 'classes')}: {_some(list(classes))}.",
            f"Give {FEWEST_CLASSES} to {MOST_CLASSES} classes.",
        )
    place = {name: number for number, name in enumerate(classes)}
    return np.array([place[name] for name in names], dtype=np.int64), classes


def held_out(origin: Path, what: str, names: list[str], asked: tuple[str, ...], least: int) -> tuple[str, ...]:
    """Which devices or classes (`what`) are kept from training: those asked for, else one in four, by their names.

    Raises: DataError if there are not `least` of them on either side.
    """
    known = sorted(set(names))
    missing = [name for name in asked if name not in known]
    if missing:
        raise DataError(f"{origin}: there is no {what} {missing[0]!r} to hold out.", f"There are: {_some(known)}.")
    twice = [name for name in asked if asked.count(name) > 1]
    if twice:
        raise DataError(f"{origin}: {what} {twice[0]!r} is in held_out twice.", "Name it once.")
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
