"""Labelled samples of a model's task, class by class, as a board in one place would meet them over its life.

Label j is output j of the network. What trained a start, what streams past the board and what tests it share nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from jaragua.errors import DataError
from jaragua_models import Model
from jaragua_models.base import Features
from jaragua_models.data.drawing import Rows
from jaragua_models.digits import images as digit_images
from jaragua_models.keywords import clips
from jaragua_models.keywords import tasks as keyword_tasks
from jaragua_models.keywords.features import FrontEnd
from jaragua_models.omniglot import images as omniglot_images
from jaragua_models.omniglot import tasks as omniglot_tasks
from jaragua_models.own_data.tasks import ClassTasks, DeviceTasks

DIGITS_TRAINED = 60
KEYWORD_STREAM_SPEAKERS = 9
OMNIGLOT_TRAINED = 5
OMNIGLOT_STREAMED = 7
OWN_DATA_PART, OWN_DATA_LEAST = 3, 2
"""Of the samples of a class one in three is streamed; fewer than two are no stream."""


@dataclass(frozen=True)
class Pools:
    """Per label the samples float32 [n, inputs]: the start's training, the board's stream, and the test's."""

    training: tuple[Features, ...]
    stream: tuple[Features, ...]
    test: tuple[Features, ...]

    @property
    def classes(self) -> int:
        """How many labels there are."""
        return len(self.test)


def pools(model: Model, seed: int) -> Pools:
    """The samples of a model's task: `seed` draws the classes and the split. Raises: DataError, ModelError."""
    name = model.name
    if isinstance(model.tasks, DeviceTasks | ClassTasks):
        return _own_data(model.tasks, model.network.outputs, np.random.default_rng(seed))
    for prefix, draw in _SOURCES.items():
        if name == prefix or name.startswith(f"{prefix}-"):
            return draw(np.random.default_rng(seed))
    hint = f"Take one of: {', '.join(_SOURCES)}, or the TOML file of your own data."
    raise DataError(f"{name!r} has no stream of labelled classes", hint)


def _digits(random: np.random.Generator) -> Pools:
    """All ten digits; tested on those of other people (docs/reference/tasks.md)."""
    data = digit_images.load()
    mixed = [random.permutation(rows) for rows in data.training_rows]
    return Pools(
        tuple(data.pixels[rows[:DIGITS_TRAINED]] for rows in mixed),
        tuple(data.pixels[rows[DIGITS_TRAINED:]] for rows in mixed),
        tuple(data.pixels[rows] for rows in data.held_out_rows),
    )


def _keywords(random: np.random.Generator, front_end: FrontEnd = clips.ZOO) -> Pools:
    """Five words of all speakers; three groups of speakers, the test's being the zoo's held-out ones."""
    data, split = clips.load(front_end), keyword_tasks.split()
    words = random.permutation(len(clips.WORDS))[:5]
    training = random.permutation(split.training)
    groups = (training[KEYWORD_STREAM_SPEAKERS:], training[:KEYWORD_STREAM_SPEAKERS], split.held_out)

    def of(word: int, speakers: Sequence[str] | NDArray[np.str_]) -> Features:
        rows: Rows = np.flatnonzero((data.words == word) & np.isin(data.speakers, speakers))
        return keyword_tasks.features(random.permutation(rows), front_end)

    first, second, third = (tuple(of(word, speakers) for word in words) for speakers in groups)
    return Pools(first, second, third)


def _keywords_mel(random: np.random.Generator) -> Pools:
    """The same on the features of that model."""
    return _keywords(random, FrontEnd())


def _omniglot(random: np.random.Generator) -> Pools:
    """Five characters that no training task has, drawn by twenty people each."""
    characters = random.choice(omniglot_tasks.split().held_out, 5, replace=False)
    drawers = [random.permutation(omniglot_images.DRAWERS) for _ in characters]

    def of(part: slice) -> tuple[Features, ...]:
        rows = [
            character * omniglot_tasks.ROTATIONS * omniglot_images.DRAWERS + own[part]
            for character, own in zip(characters, drawers, strict=True)
        ]
        return tuple(omniglot_tasks.pixels(own) for own in rows)

    streamed = OMNIGLOT_TRAINED + OMNIGLOT_STREAMED
    return Pools(of(slice(OMNIGLOT_TRAINED)), of(slice(OMNIGLOT_TRAINED, streamed)), of(slice(streamed, None)))


def _own_data(tasks: DeviceTasks | ClassTasks, outputs: int, random: np.random.Generator) -> Pools:
    """As many classes as the network has outputs. Devices that are held out test; where no device is, rows do."""
    table = tasks.table
    shared = ~np.isin(table.devices, tasks.held_out)
    classes = range(outputs) if outputs == len(table.classes) else random.permutation(len(table.classes))[:outputs]
    training, stream, test = [], [], []
    for label in classes:
        mixed = random.permutation(np.flatnonzero((table.labels == label) & shared))
        tested = np.flatnonzero((table.labels == label) & ~shared)
        if not len(tested):
            mixed, tested = mixed[len(mixed) // OWN_DATA_PART :], mixed[: len(mixed) // OWN_DATA_PART]
        streamed = len(mixed) // OWN_DATA_PART
        if min(streamed, len(tested)) < OWN_DATA_LEAST:
            name = table.classes[label]
            message = f"{table.origin}: of {name!r} there are too few samples to train on, to stream and to test"
            raise DataError(message, f"Give {2 * OWN_DATA_PART * OWN_DATA_LEAST} or more of each class.")
        training.append(table.x[mixed[streamed:]])
        stream.append(table.x[mixed[:streamed]])
        test.append(table.x[tested])
    return Pools(tuple(training), tuple(stream), tuple(test))


_SOURCES: dict[str, Callable[[np.random.Generator], Pools]] = {
    "digits": _digits,
    "keywords": _keywords,
    "keywords-mel": _keywords_mel,
    "omniglot": _omniglot,
}
