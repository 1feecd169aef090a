"""Tasks of one's own among the rows of the comparison, written from public data: tables, recordings and TOML files."""

from __future__ import annotations

import csv
import pickle
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from jaragua.errors import DataError
from jaragua_models.keywords import clips
from jaragua_models.presence import readings

_ROOM: Final = """\
[task]
name = "{name}"
kind = "table"
path = "room.csv"
label = "occupied"
device = "node"
features = ["temperature", "sound"]
held_out = ["S4"]
time = {time}
"""
_WATCH: Final = """\
[task]
name = "watch"
kind = "table"
path = "watch.csv"
label = "exercise"
device = "person"
window = 100
time = []
"""
_WORDS: Final = """\
[task]
name = "words"
kind = "audio"
path = "words"
naming = "shuffled"

[defaults]
ways = 5
queries = 5
"""
#: All that a pickled array of arrays, numbers and texts needs; `encode` makes the bytes of an array from a text.
_OF_ARRAYS: Final = {
    (f"numpy.{core}.multiarray", name) for core in ("core", "_core") for name in ("_reconstruct", "scalar")
} | {("numpy", "ndarray"), ("numpy", "dtype"), ("_codecs", "encode")}
_CHANNELS: Final = ("ax", "ay", "az", "gx", "gy", "gz")


def write_own_tasks(folder: Path, watch: Path | None = None) -> list[str]:
    """Write tasks into a folder; returns their rows, by the paths of their files.

    Room occupancy without light (D9: rows in no order, and by time), and ten words under each task's own names. watch:
    the file `watch_dataset.npy` of the package seglearn, for smartwatch exercises.
    Raises: DataError if data cannot be had.
    """
    folder.mkdir(parents=True, exist_ok=True)
    texts = {
        "room": _ROOM.format(name="room", time="[]"),
        "room-time": _ROOM.format(name="room-time", time='"time"'),
        "words": _WORDS,
    }
    _write_room(folder / "room.csv")
    _write_words(folder / "words")
    if watch is not None:
        texts["watch"] = _WATCH
        _write_table(folder / "watch.csv", ("person", *_CHANNELS, "exercise"), _watch_rows(watch))
    for name, text in texts.items():
        (folder / f"{name}.toml").write_text(text, encoding="utf-8")
    return [f"{folder / name}.toml:{shots}" for name in texts for shots in (1, 3 if name == "words" else 5)]


def _write_room(path: Path) -> None:
    found = readings.load()
    kinds = [readings.KINDS.index(kind) for kind in ("Temp", "Sound")]
    rows = (
        (node, str(when), *(f"{value:g}" for value in values[kinds]), "yes" if people else "no")
        for when, nodes, people in zip(found.times, found.values, found.people, strict=True)
        for node, values in zip(readings.NODES, nodes, strict=True)
    )
    _write_table(path, ("node", "time", "temperature", "sound", "occupied"), rows)


def _write_words(folder: Path) -> None:
    for take, data in clips.recordings().items():
        place = folder / take.speaker / take.word / f"{take.number}.wav"
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(data)


class _ArraysOnly(pickle.Unpickler):
    """A pickle may call any function of any module: this one takes those that make arrays, and no others."""

    def find_class(self, module: str, name: str) -> Any:
        """Of pickle. Raises: UnpicklingError."""
        if (module, name) not in _OF_ARRAYS:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}, which makes no array")
        return super().find_class(module, name)


def _pickled_arrays(path: Path) -> dict[str, Any]:
    """The dictionary in a .npy file of one object. Raises: OSError, ValueError, or what pickle raises."""
    with path.open("rb") as file:
        np.lib.format.read_magic(file)
        np.lib.format.read_array_header_1_0(file)
        found = _ArraysOnly(file).load().item()
    if not isinstance(found, dict):
        raise ValueError("it holds no dictionary")
    return found


def _watch_rows(path: Path) -> Iterable[Sequence[str]]:
    try:
        data = _pickled_arrays(path)
    except (OSError, ValueError, AttributeError, EOFError, ImportError, IndexError, pickle.UnpicklingError) as error:
        raise DataError(f"{path} cannot be read: {error}", "give watch_dataset.npy of the package seglearn") from error
    for readings_of, label, person in zip(data["X"], data["y"], data["subject"], strict=True):
        for row in readings_of:
            yield (f"p{int(person):02d}", *(f"{value:.5g}" for value in row), data["y_labels"][int(label)])


def _write_table(path: Path, header: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(header)
        writer.writerows(rows)
