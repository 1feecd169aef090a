"""The images of handwritten digits that lie beside this file (NOTICE.md tells whose they are)."""

import functools
import gzip
import hashlib
from dataclasses import dataclass, replace
from importlib import resources

import numpy as np
from numpy.typing import NDArray

from jaragua_models.errors import DataError

FILE_NAME = "digits.csv.gz"
SHA256 = "09f66e6debdee2cd2b5ae59e0d6abbb73fc2b0e0185d2e1957e9ebb51e23aa22"
PIXEL_MAXIMUM = 16
TRAINING_ROWS = 1258
"""The first 70 % of the rows train. The file keeps the order of its collection, so the rest is mostly other writers."""
VALIDATION_ROWS = 880
"""Of these the first 70 % train where the others validate."""


@dataclass(frozen=True)
class Images:
    """Pixels float32 [n, 64] in 0..1, their digits, and for either split the rows of each digit, all in file order."""

    pixels: NDArray[np.float32]
    digits: NDArray[np.int64]
    training_rows: tuple[NDArray[np.int64], ...]
    held_out_rows: tuple[NDArray[np.int64], ...]


@functools.cache
def for_validation() -> Images:
    """The same without the held-out rows: the last training rows take their place. Raises: as `load`."""
    whole = load()
    first = tuple(rows[rows < VALIDATION_ROWS] for rows in whole.training_rows)
    last = tuple(rows[rows >= VALIDATION_ROWS] for rows in whole.training_rows)
    return replace(whole, training_rows=first, held_out_rows=last)


@functools.cache
def load() -> Images:
    """Read, check and split the images, once. Raises: DataError if the file is missing or not the one expected."""
    table = parse(_read_bytes())
    digits = table[:, 64]
    training = np.arange(len(table)) < TRAINING_ROWS
    return Images(
        pixels=(table[:, :64] / PIXEL_MAXIMUM).astype(np.float32),
        digits=digits,
        training_rows=tuple(np.flatnonzero((digits == digit) & training) for digit in range(10)),
        held_out_rows=tuple(np.flatnonzero((digits == digit) & ~training) for digit in range(10)),
    )


def parse(data: bytes) -> NDArray[np.int64]:
    """The table int64 [1797, 65] of 64 pixels and the digit. Raises: DataError if the bytes are not the file's."""
    if hashlib.sha256(data).hexdigest() != SHA256:
        raise DataError(
            f"The images of the model 'digits' ({FILE_NAME}) are damaged: their SHA-256 is not the expected one.",
            "Restore the file, e.g. with `git checkout` in a clone, or install jaragua again.",
        )
    lines = gzip.decompress(data).decode("ascii").split()
    return np.array([line.split(",") for line in lines], dtype=np.int64)


def _read_bytes() -> bytes:
    try:
        return resources.files(__package__).joinpath(FILE_NAME).read_bytes()
    except OSError as error:
        raise DataError(
            f"The images of the model 'digits' ({FILE_NAME}) cannot be read: {error.strerror}.",
            "Install jaragua again, or restore the file in your clone.",
        ) from error
