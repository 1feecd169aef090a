"""Shrink images by area average in whole numbers, so that every machine gets the same bits."""

import math

import numpy as np
from numpy.typing import NDArray

Counts = NDArray[np.int64]


def overlaps(size: int, wanted: int) -> Counts:
    """How much of each of `size` pixels lies under each of `wanted`: int64 [wanted, size], every row has the same sum.

    Both rows of pixels are cut into lcm(size, wanted) pieces and pieces are counted.
    """
    pieces = math.lcm(size, wanted)
    new = np.arange(pieces) * wanted // pieces
    old = np.arange(pieces) * size // pieces
    counts = np.zeros((wanted, size), dtype=np.int64)
    np.add.at(counts, (new, old), 1)
    return counts


def area_sums(image: NDArray[np.uint8], height: int, width: int) -> tuple[Counts, int]:
    """int64 [height, width] of weighted sums over `image` [h, w], and the sum an image of ones would give."""
    down, across = overlaps(image.shape[0], height), overlaps(image.shape[1], width)
    whole = int(down[0].sum() * across[0].sum())
    return down @ image.astype(np.int64) @ across.T, whole
