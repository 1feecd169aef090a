"""A5.9, A7.7, A8.5: the dither of stochastic rounding, counter based: any machine computes any number of it alone."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

UintArray = npt.NDArray[np.uint64]

GOLDEN = 0x9E3779B9  # from step to step, and from quad to quad
LAYER = 0x85EBCA6B
PAIR, ROW = 0xC13FA9A9, 0x91E10DA5  # A7.7
COLUMNS, COLUMN_BLOCK, ROW_TURN = 0x9E00, 32, 28  # A5.9
FRACTION_BITS = 24  # A8.4
_MASK = 0xFFFFFFFF


class Dither:
    """Where the dither of an engine stands: the seed, and the training steps since it was set (A8.5)."""

    def __init__(self) -> None:
        self._seed = self._step = 0
        self._sums = False

    def restart(self, seed: int) -> None:
        """Begin anew."""
        self._seed, self._step, self._sums = seed, 0, False

    def advance(self) -> None:
        """A training step is over."""
        self._step += 1
        self._sums = False

    def sum_steps(self, sums: bool) -> None:
        """Whether what is learned next goes into sums (A11.2)."""
        self._sums = sums

    def layer_key(self, layer: int) -> int:
        """H of a dense int16 layer in this step (A5.9)."""
        key = mix32(np.array([(self._seed + GOLDEN * self._step) & _MASK], dtype=np.uint64))
        return (int((mix32(key) if self._sums else key)[0]) + LAYER * layer) & _MASK

    def keys(self, layer: int, rows: int) -> UintArray:
        """h of every row of a layer in this step."""
        return row_keys(self._seed, self._step, layer, rows)


def mix32(values: UintArray) -> UintArray:
    """The finaliser of A8.5 on numbers below 2^32."""
    mixed: UintArray = values & np.uint64(_MASK)
    mixed = mixed ^ (mixed >> np.uint64(16))
    mixed = (mixed * np.uint64(0x7FEB352D)) & np.uint64(_MASK)
    mixed = mixed ^ (mixed >> np.uint64(15))
    mixed = (mixed * np.uint64(0x846CA68B)) & np.uint64(_MASK)
    return mixed ^ (mixed >> np.uint64(16))


def row_keys(seed: int, step: int, layer: int, rows: int) -> UintArray:
    """h of every row of a layer (A8.5): uint [rows], below 2^32."""
    key = mix32(np.array([(seed + GOLDEN * step) & _MASK], dtype=np.uint64))
    counts: UintArray = np.arange(rows, dtype=np.uint64)
    return mix32(key + np.uint64((LAYER * layer) & _MASK) + counts)


def factor_dithers(key: int, rows: int) -> npt.NDArray[np.int64]:
    """rho of the row factors of a dense int16 layer (A5.9): int [rows], 32 bits. key: Dither.layer_key."""
    return (key + (np.arange(rows, dtype=np.int64) << ROW_TURN)) & _MASK


def bias_dither(key: int) -> int:
    """rho of the biases of a dense int16 layer (A5.9): 32 bits."""
    return (key << 16) & _MASK


def column_dithers(key: int, columns: int) -> npt.NDArray[np.int64]:
    """rho of the columns of a dense int16 layer (A5.9): int [columns], 16 bits."""
    return (key + np.arange(columns, dtype=np.int64) // COLUMN_BLOCK * COLUMNS) & 0xFFFF


def sum_dithers(key: int, rows: int, columns: int) -> npt.NDArray[np.int64]:
    """rho of the means of a dense int16 layer's weights (A11.5): int [rows, columns], 32 bits."""
    stride = columns + columns % 2
    quads: npt.NDArray[np.int64] = np.arange(rows * stride, dtype=np.int64) // 4
    return ((key + quads * GOLDEN) & _MASK).reshape(rows, stride)[:, :columns]


def plane_dithers(key: int, rows: int, columns: int) -> npt.NDArray[np.int64]:
    """rho of every weight of a layer of windows (A7.7): int [rows, columns], 32 bits. key: h of row 0 (row_keys)."""
    places = np.arange(columns, dtype=np.uint64)
    along = places // np.uint64(2) * np.uint64(PAIR) + places % np.uint64(2) * np.uint64(1 << 31)
    starts = np.uint64(key) + np.arange(rows, dtype=np.uint64) * np.uint64(ROW)
    return ((starts[:, None] + along) & np.uint64(_MASK)).astype(np.int64)


def dithers(keys: UintArray, columns: int) -> npt.NDArray[np.int64]:
    """rho of every weight (A8.5): int [rows, columns], 24 bits."""
    quads = np.arange((columns + 3) // 4, dtype=np.uint64)
    draws = (keys[:, None] + quads * np.uint64(GOLDEN)) & np.uint64(_MASK)
    first, second = draws >> np.uint64(8), draws & np.uint64((1 << FRACTION_BITS) - 1)
    spread = np.stack([first, first, second, second], axis=2).reshape(len(keys), -1)
    return spread[:, :columns].astype(np.int64)
