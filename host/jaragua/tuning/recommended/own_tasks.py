"""Tasks of one's own among the rows of the comparison, written from public data: tables, recordings and TOML files."""

from __future__ import annotations

import csv
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


def _watch_rows(path: Path) -> Iterable[Sequence[str]]:
    try:
        data: dict[str, Any] = np.load(path, allow_pickle=True).item()
    except (OSError, ValueError) as error:
        raise DataError(f"{path} cannot be read: {error}", "give watch_dataset.npy of the package seglearn") from error
    for readings_of, label, person in zip(data["X"], data["y"], data["subject"], strict=True):
        for row in readings_of:
            yield (f"p{int(person):02d}", *(f"{value:.5g}" for value in row), data["y_labels"][int(label)])


def _write_table(path: Path, header: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(header)
        writer.writerows(rows)
