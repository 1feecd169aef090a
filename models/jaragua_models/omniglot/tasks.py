"""Few-shot tasks of Omniglot: tell a few characters apart of which one or a few drawings are known.

The split of the literature (Vinyals 2016, Finn 2017, Nichol 2018): of the 1,623 characters 1,200 drawn at random train,
each in four rotations that count as classes of their own; the other 423 are held out and not rotated.
"""

import functools
from dataclasses import dataclass, replace
from typing import Literal, Self, TypeAlias, get_args

import numpy as np

from jaragua_models.base import Features, Samples, Task
from jaragua_models.data.drawing import Drawn, Rows, check_counts, draw, spread
from jaragua_models.errors import DataError, ModelError
from jaragua_models.omniglot import images
from jaragua_models.randomness import generator_for, number_for

TRAINING_CHARACTERS = 1200
ROTATIONS = 4
INPUTS = images.SIDE * images.SIDE
MOST_WAYS = 20
TRAINING_QUERIES = 15
"""Query drawings of a training task, as far as the drawings reach."""
CALIBRATION_IMAGES = 1000
VALIDATION_PART = 4
SHIFTS = 2
"""Pixels by which a training drawing is shifted at most, along each axis, under `with_shifts`."""

Partition: TypeAlias = Literal["random", "alphabet", "drawer"]


@dataclass(frozen=True)
class OmniglotTasks:
    """Tasks in 784 pixels (28 rows of 28), ink 0..1; a label is the place of the character in the task, 0..ways-1.

    `partition` says what a device owns of the training characters: "random": everything, every task has other
    classes (as in the literature); "alphabet": the characters of one alphabet, drawn by all; "drawer": those of one
    person who drew one alphabet, so one drawing of each: such a task has one shot and no query samples.
    Held-out tasks are the same in all three.

    validates: held-out characters are left alone; one in VALIDATION_PART of the training characters takes their place.
    shifts: a drawing of a training task is shifted at random by up to so many pixels along each axis.
    """

    partition: Partition = "random"
    validates: bool = False
    shifts: int = 0

    def __post_init__(self) -> None:
        if self.partition not in get_args(Partition):
            raise ModelError(
                f"Omniglot has no partition {self.partition!r}.", f"Use one of: {', '.join(get_args(Partition))}."
            )

    def train_task(self, device: str, seed: int, ways: int, shots: int) -> Task:
        """A new task of what `device` owns."""
        task = _task(self._drawn_to_train(device, seed, ways, shots))
        random = _generator_of_shifts(device, seed, ways, shots)
        return replace(task, support=self._shifted(task.support, random), query=self._shifted(task.query, random))

    def training_classes(self) -> int:
        """The training characters, in four rotations each; the same in all partitions."""
        return len(self._split().training) * ROTATIONS

    def train_support_by_class(self, device: str, seed: int, ways: int, shots: int) -> Samples:
        """The support samples of `train_task`, a label being 4 · the character's place in the split + its rotation."""
        support, _ = self._drawn_to_train(device, seed, ways, shots)
        characters, rotations = np.divmod(support.rows // images.DRAWERS, ROTATIONS)
        labels = _class(np.searchsorted(self._split().training, characters), rotations)
        random = _generator_of_shifts(device, seed, ways, shots)
        return self._shifted(Samples(pixels(support.rows), labels), random)

    def held_out_task(self, seed: int, ways: int, shots: int, queries: int) -> Task:
        """A task of characters never trained on; `queries` are spread evenly over them."""
        check_counts("omniglot", range(2, MOST_WAYS + 1), ways, shots, queries)
        _check_drawings(shots, -(-queries // ways), images.DRAWERS)
        random = generator_for("omniglot", "held-out", seed, ways, shots, queries)
        characters = random.choice(self._split().held_out, ways, replace=False)
        pools = [_class(character, 0) * images.DRAWERS + np.arange(images.DRAWERS) for character in characters]
        return _task(draw(random, pools, shots, spread(queries, ways)))

    def for_validation(self) -> Self:
        """On the training characters alone."""
        return replace(self, validates=True)

    def with_shifts(self) -> Self:
        """See `ShiftsPictures`."""
        return replace(self, shifts=SHIFTS)

    def _shifted(self, samples: Samples, random: np.random.Generator) -> Samples:
        if not self.shifts or not len(samples.x):
            return samples
        steps = random.integers(2 * self.shifts + 1, size=(len(samples.x), 2)) - self.shifts
        return replace(samples, x=shifted(samples.x, steps))

    def _split(self) -> "Split":
        return split(self.validates)

    def calibration(self) -> Features:
        """Drawings of training characters, unrotated, taken at random once and for all."""
        random = generator_for("omniglot", "calibration")
        characters = random.choice(self._split().training, CALIBRATION_IMAGES)
        drawers = random.integers(images.DRAWERS, size=CALIBRATION_IMAGES)
        return pixels(_class(characters, 0) * images.DRAWERS + drawers)

    def _drawn_to_train(self, device: str, seed: int, ways: int, shots: int) -> tuple[Drawn, Drawn]:
        """Support and query of a training task."""
        check_counts("omniglot", range(2, MOST_WAYS + 1), ways, shots)
        drawings = self._own_drawings(device)
        _check_drawings(shots, 0, len(drawings))
        random = generator_for("omniglot", "train", self.partition, device, seed, ways, shots)
        classes = random.choice(self._own_classes(device), ways, replace=False)
        pools = [character * images.DRAWERS + drawings for character in classes]
        return draw(random, pools, shots, [min(TRAINING_QUERIES, len(drawings) - shots)] * ways)

    def _own_drawings(self, device: str) -> Rows:
        if self.partition == "drawer":
            return np.array([number_for("omniglot", "drawer", device) % images.DRAWERS])
        return np.arange(images.DRAWERS)

    def _own_classes(self, device: str) -> Rows:
        characters = self._split().training
        if self.partition != "random":
            alphabets = images.load().alphabets[characters]
            named = np.unique(alphabets)
            characters = characters[alphabets == named[number_for("omniglot", "alphabet", device) % len(named)]]
        return (_class(characters, 0)[:, None] + np.arange(ROTATIONS)).ravel()


@dataclass(frozen=True)
class Split:
    """Numbers of characters (places in `images.load()`)."""

    training: Rows
    held_out: Rows


@functools.cache
def split(validates: bool = False) -> Split:
    """The same on every machine: the order is drawn from a fixed name. validates: within the training characters."""
    order = generator_for("omniglot", "split").permutation(len(images.load().ink))
    characters, held_out = order[:TRAINING_CHARACTERS], order[TRAINING_CHARACTERS:]
    if validates:
        count = TRAINING_CHARACTERS // VALIDATION_PART
        characters, held_out = characters[count:], characters[:count]
    return Split(np.sort(characters), np.sort(held_out))


def pixels(rows: Rows) -> Features:
    """Images float32 [n, 784]. A row is (character · 4 + rotation) · 20 + drawer; rotations are by 90 degrees, left."""
    classes, drawers = np.divmod(rows, images.DRAWERS)
    characters, rotations = np.divmod(classes, ROTATIONS)
    ink = images.load().ink[characters, drawers]
    turned = ink.copy()
    for rotation in range(1, ROTATIONS):
        chosen = rotations == rotation
        turned[chosen] = np.rot90(ink[chosen], rotation, axes=(1, 2))
    return turned.reshape(len(rows), INPUTS).astype(np.float32) / np.float32(images.INK)


def _generator_of_shifts(device: str, seed: int, ways: int, shots: int) -> np.random.Generator:
    """The support samples of a task draw their shifts first, then the query samples."""
    return generator_for("omniglot", "moves", device, seed, ways, shots)


def shifted(x: Features, steps: Rows) -> Features:
    """Pictures shifted within their frame, float32 [n, 784]; what comes in at a border has no ink.

    steps: int [n, 2], the rows and columns by which each is shifted up and left.
    """
    most = int(np.abs(steps).max(initial=0))
    frame = np.pad(x.reshape(-1, images.SIDE, images.SIDE), ((0, 0), (most, most), (most, most)))
    rows, columns = (most + steps[:, axis, np.newaxis] + np.arange(images.SIDE) for axis in (0, 1))
    pictures = np.arange(len(x))[:, np.newaxis, np.newaxis]
    seen: Features = frame[pictures, rows[:, :, np.newaxis], columns[:, np.newaxis, :]]
    return seen.reshape(len(x), INPUTS)


def _class(character: Rows, rotation: int | Rows) -> Rows:
    return character * ROTATIONS + rotation


def _task(drawn: tuple[Drawn, Drawn]) -> Task:
    support, query = drawn
    return Task(_samples(support), _samples(query))


def _samples(drawn: Drawn) -> Samples:
    if not len(drawn.rows):
        return Samples(np.empty((0, INPUTS), dtype=np.float32), drawn.labels)
    return Samples(pixels(drawn.rows), drawn.labels)


def _check_drawings(shots: int, queries: int, drawings: int) -> None:
    if shots + queries > drawings:
        raise DataError(
            f"{shots + queries} drawings of one character ({shots} shots and the queries) are more than the {drawings}"
            " there are.",
            "Set fewer shots or queries.",
        )
