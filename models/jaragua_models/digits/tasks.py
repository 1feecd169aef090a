"""Few-shot tasks of the digits: a device knows a few of the ten digits, under names of its own.

A task picks `ways` digits and gives each one of the ten labels ("its name"), another for every task. A start that has
learned all ten digits is therefore worth nothing before it adapts; what can be learned is how to learn the names fast.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Self

import numpy as np

from jaragua_models.base import Features, Samples, Task
from jaragua_models.data.drawing import Drawn, Rows, class_names
from jaragua_models.digits import images
from jaragua_models.errors import DataError
from jaragua_models.randomness import generator_for, number_for

CLASSES = 10
OWN_IMAGES = 30
"""Images of each digit a device owns: neighbours in the file, so its handwriting is that of a few people."""
HELD_OUT_PART = 4
"""One name-giving in so many is kept for held-out tasks."""

Naming = Mapping[int, int]
"""From digit to its name in this task."""


@dataclass(frozen=True)
class DigitTasks:
    """Tasks of `ways` digits in 64 pixels 0..1, the label being the digit's name in the task.

    Training tasks draw from the device's own images of the training split. Held-out tasks draw from images of the
    other split, and from name-givings that no training task has.

    validates: held-out images and name-givings are left alone; some of the training images take their place.
    """

    validates: bool = False

    def train_task(self, device: str, seed: int, ways: int, shots: int) -> Task:
        """A new task from `device`'s own images; the query set is what it owns of these digits beside the support."""
        return _task(self._drawn_to_train(device, seed, ways, shots))

    def training_classes(self) -> int:
        """The ten digits."""
        return CLASSES

    def train_support_by_class(self, device: str, seed: int, ways: int, shots: int) -> Samples:
        """The support samples of `train_task` with their digits as labels."""
        support, _ = self._drawn_to_train(device, seed, ways, shots)
        return replace(_samples(support), y=images.load().digits[support.rows])

    def held_out_task(self, seed: int, ways: int, shots: int, queries: int) -> Task:
        """A task from held-out images with a name-giving never seen; `queries` are spread evenly over its digits."""
        rows = self._images().held_out_rows
        _check_counts(ways, shots, queries, per_digit=min(len(own) for own in rows), split="the held-out")
        random = generator_for("digits", "held-out", seed, ways, shots, queries)
        naming = draw_naming(random, ways, held_out=not self.validates)
        return _task(_draw(random, rows, naming, shots, _spread(queries, ways)))

    def for_validation(self) -> Self:
        """On the training images alone."""
        return replace(self, validates=True)

    def calibration(self) -> Features:
        """All images of the training split."""
        data = self._images()
        return data.pixels[np.sort(np.concatenate(data.training_rows))]

    def _images(self) -> images.Images:
        return images.for_validation() if self.validates else images.load()

    def _drawn_to_train(self, device: str, seed: int, ways: int, shots: int) -> tuple[Drawn, Drawn]:
        """Support and query of a training task."""
        _check_counts(ways, shots, queries=0, per_digit=OWN_IMAGES - 1, split="a device's own")
        random = generator_for("digits", "train", device, seed, ways, shots)
        naming = draw_naming(random, ways, held_out=False)
        queries = [OWN_IMAGES - shots] * ways
        return _draw(random, own_rows(device, self._images()), naming, shots, queries)


def own_rows(device: str, data: images.Images | None = None) -> tuple[Rows, ...]:
    """For each digit the training rows that `device` owns: OWN_IMAGES neighbours, from a place its name decides."""
    place = number_for("digits", "own images", device)
    of_digits = (data or images.load()).training_rows
    return tuple(np.roll(rows, -(place % len(rows)))[:OWN_IMAGES] for rows in of_digits)


def draw_naming(random: np.random.Generator, ways: int, held_out: bool) -> Naming:
    """Digits and their names at random, from the name-givings of one side."""
    while True:
        digits, names = (random.permutation(CLASSES)[:ways].tolist() for _ in range(2))
        naming = dict(zip(digits, names, strict=True))
        if is_held_out(naming) == held_out:
            return naming


def is_held_out(naming: Naming) -> bool:
    """Whether this name-giving is kept from training; depends on which digit has which name, and on nothing else."""
    return number_for("digits", "naming", repr(sorted(naming.items()))) % HELD_OUT_PART == 0


def _draw(
    random: np.random.Generator, pool: tuple[Rows, ...], naming: Naming, shots: int, queries: list[int]
) -> tuple[Drawn, Drawn]:
    drawn = {digit: random.permutation(pool[digit]) for digit in naming}
    support = {digit: rows[:shots] for digit, rows in drawn.items()}
    query = {digit: rows[shots : shots + count] for (digit, rows), count in zip(drawn.items(), queries, strict=True)}
    return _shuffled(random, naming, support), _shuffled(random, naming, query)


def _shuffled(random: np.random.Generator, naming: Naming, rows: Mapping[int, Rows]) -> Drawn:
    labels = np.concatenate([np.full(len(own), naming[digit], dtype=np.int64) for digit, own in rows.items()])
    order = random.permutation(len(labels))
    return Drawn(np.concatenate(list(rows.values()))[order], labels[order])


def _task(drawn: tuple[Drawn, Drawn]) -> Task:
    support, query = drawn
    names = class_names(support, [str(digit) for digit in images.load().digits[support.rows]])
    return Task(_samples(support), _samples(query), classes=names)


def _samples(drawn: Drawn) -> Samples:
    return Samples(images.load().pixels[drawn.rows], drawn.labels)


def _spread(total: int, parts: int) -> list[int]:
    return [total // parts + (part < total % parts) for part in range(parts)]


def _check_counts(ways: int, shots: int, queries: int, per_digit: int, split: str) -> None:
    if not 2 <= ways <= CLASSES:
        raise DataError(f"A task of 'digits' has 2 to {CLASSES} ways, not {ways}.", f"Set ways to 2..{CLASSES}.")
    if shots < 1 or queries < 0:
        raise DataError(
            f"A task of 'digits' needs at least 1 shot and no fewer than 0 queries, not {shots} and {queries}.",
            "Set shots to 1 or more and queries to 0 or more.",
        )
    wanted = shots + -(-queries // ways)
    if wanted > per_digit:
        raise DataError(
            f"{wanted} images of one digit ({shots} shots and the queries) are more than {split} {per_digit}.",
            "Set fewer shots or queries.",
        )
