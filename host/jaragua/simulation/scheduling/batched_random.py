"""Seeds and random numbers for many devices at once, in C (batched_random.c): the same as one by one in less time."""

from __future__ import annotations

import ctypes
import functools
from collections.abc import Sequence
from itertools import accumulate
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from jaragua.coordinator.rounds import rules
from jaragua.simulation.native import library
from jaragua.simulation.settings import default_cache
from jaragua_compiler.engines.host_build import has_compiler
from jaragua_compiler.engines.native import kernel_folder
from jaragua_models.random_rows import Named, Seeds, unit_rows_of

_SOURCES: Final = ("batched_random.c", "sha256_lanes.h")
#: Of the firmware: what one digest and several in step share.
_WORDS: Final = "jrg_sha256_words.h"
#: Bytes of a seed in a text, of what stands before it, and of SHA-256's padding.
_MOST_DIGITS, _COMMA, _MOST_PADDING = 20, 2, 72


class _Names(ctypes.Structure):
    _fields_ = (("bytes", ctypes.c_char_p), ("ends", ctypes.c_void_p), ("count", ctypes.c_uint32))


class _Text(ctypes.Structure):
    _fields_ = (("bytes", ctypes.c_char_p), ("len_bytes", ctypes.c_size_t))


class BatchedRandom:
    """The library. Threads may call it at once."""

    def __init__(self, cache: Path, flags: tuple[str, ...] = ()) -> None:
        """flags: for the compiler. Raises: ToolchainError if the C cannot be built."""
        sources = {name: library.own_source(name) for name in _SOURCES}
        sources[_WORDS] = (kernel_folder().parent / "jrg_node" / _WORDS).read_text(encoding="utf-8")
        built = ctypes.CDLL(str(library.build(sources, None, cache, flags, ())))
        pointer, size, count = ctypes.c_void_p, ctypes.c_size_t, ctypes.c_uint32
        built.jrg_rows_seeds.argtypes = [pointer, pointer, pointer, size, pointer]
        built.jrg_rows_units.argtypes = [pointer, pointer, pointer, pointer, pointer, size, count, count, pointer]
        built.jrg_rows_seeds.restype = built.jrg_rows_units.restype = None
        self._lanes = count.in_dll(built, "jrg_rows_lanes").value
        self._library = built

    def train_seeds(self, run_seed: int, round_number: int, devices: Sequence[str]) -> Seeds:
        """`rules.train_seed` of each device (R2)."""
        head = _text(f"jaragua task {run_seed} {round_number} ")
        names = _listed(tuple(devices))
        seeds = np.empty(len(devices), np.int64)
        room = self._room(head.len_bytes + names.longest)
        self._library.jrg_rows_seeds(ctypes.byref(head), ctypes.byref(names.structure), *room, seeds.ctypes.data)
        return seeds

    def unit_rows(self, named: Named, skipped: int, count: int) -> NDArray[np.float64]:
        """The same as `random_rows.unit_rows_of`."""
        head, tail = map(_text, named.around)
        names = _quoted(tuple(named.devices))
        seeds = np.ascontiguousarray(named.seeds, np.int64)
        rows = np.empty((len(seeds), count))
        room = self._room(head.len_bytes + names.longest + _COMMA + _MOST_DIGITS + tail.len_bytes)
        texts = ctypes.byref(head), ctypes.byref(names.structure), seeds.ctypes.data, ctypes.byref(tail)
        self._library.jrg_rows_units(*texts, *room, skipped, count, rows.ctypes.data)
        return rows

    def _room(self, longest: int) -> tuple[ctypes.Array[ctypes.c_char], int]:
        """For as many texts as go in step, and the bytes of each."""
        stride = longest + _MOST_PADDING
        return ctypes.create_string_buffer(self._lanes * stride), stride


class ScalarRandom:
    """The same in NumPy and Python, for machines without a C compiler."""

    def train_seeds(self, run_seed: int, round_number: int, devices: Sequence[str]) -> Seeds:
        """`rules.train_seed` of each device (R2)."""
        return np.array([rules.train_seed(run_seed, round_number, device) for device in devices], np.int64)

    def unit_rows(self, named: Named, skipped: int, count: int) -> NDArray[np.float64]:
        """`random_rows.unit_rows_of`."""
        return unit_rows_of(named, skipped, count)


@functools.cache
def batched_random() -> BatchedRandom | ScalarRandom:
    """Of this process. Raises: ToolchainError if there is a compiler and it fails."""
    return BatchedRandom(default_cache()) if has_compiler() else ScalarRandom()


class _Listed:
    """Names as C reads them; keeps what the structure points to."""

    def __init__(self, names: Sequence[str]) -> None:
        encoded = [name.encode() for name in names]
        lengths = [len(name) for name in encoded]
        self.longest = max(lengths, default=0)
        self._ends = np.fromiter(accumulate(lengths), np.uint32, len(lengths))
        self.structure = _Names(b"".join(encoded), self._ends.ctypes.data, len(encoded))


@functools.lru_cache(maxsize=16)
def _listed(names: tuple[str, ...]) -> _Listed:
    """Often a round has the devices of the round before."""
    return _Listed(names)


@functools.lru_cache(maxsize=16)
def _quoted(names: tuple[str, ...]) -> _Listed:
    return _Listed([repr(name) for name in names])


def _text(text: str) -> _Text:
    encoded = text.encode()
    return _Text(encoded, len(encoded))
