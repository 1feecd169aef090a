"""Few-shot tasks of spoken words: one speaker, a few words under names of the task's own, from one or a few takes each.

The words are shared by all; held out are speakers. What a start can learn is what makes two takes of a word alike.
"""

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Self

import numpy as np

from jaragua_models.base import Features, Samples, Task
from jaragua_models.data.drawing import Drawn, Rows, check_counts, class_names, draw, spread
from jaragua_models.errors import DataError
from jaragua_models.keywords import clips
from jaragua_models.keywords.features import EXPONENT, FrontEnd
from jaragua_models.randomness import generator_for, own_of

HELD_OUT_SPEAKERS = 10
"""Held-out speakers of 39, drawn from a fixed name."""
VALIDATION_PART = 4


@dataclass(frozen=True)
class KeywordTasks:
    """Tasks in features -1..1 of a front end; a label is the place of the word in the task, 0..ways-1.

    A device is a training speaker: the one its name says, or one its name decides. A task has only words of which
    the speaker has takes enough (3 to 5 each).

    front_end: what the sound becomes; the tasks are the same ones with any.
    validates: held-out speakers are left alone; one in VALIDATION_PART of the training speakers takes their place.
    """

    validates: bool = False
    front_end: FrontEnd = clips.ZOO

    def train_task(self, device: str, seed: int, ways: int, shots: int) -> Task:
        """A new task of the device's speaker; the query set is what is left of the takes, the same of each word."""
        return self._task(self._drawn_to_train(device, seed, ways, shots))

    def training_classes(self) -> int:
        """The ten words."""
        return len(clips.WORDS)

    def train_support_by_class(self, device: str, seed: int, ways: int, shots: int) -> Samples:
        """The support samples of `train_task`, a label being the place of the word in WORDS."""
        support, _ = self._drawn_to_train(device, seed, ways, shots)
        return Samples(self._features(support.rows), clips.load(self.front_end).words[support.rows])

    def held_out_task(self, seed: int, ways: int, shots: int, queries: int) -> Task:
        """A task of a speaker never trained on; `queries` are spread evenly over the words."""
        check_counts("keywords", range(2, len(clips.WORDS) + 1), ways, shots, queries)
        random = generator_for("keywords", "held-out", seed, ways, shots, queries)
        needed = shots + -(-queries // ways)
        able = [name for name in self._split().held_out if len(_able_words(_takes()[name], needed)) >= ways]
        if not able:
            raise _too_many(needed, ways)
        words = _takes()[able[random.integers(len(able))]]
        return self._task(draw(random, _drawn_words(random, words, ways, needed), shots, spread(queries, ways)))

    def check_devices(self, devices: Sequence[str], ways: int, shots: int) -> None:
        """Raises: DataError that names a training speaker with too few takes."""
        check_counts("keywords", range(2, len(clips.WORDS) + 1), ways, shots)
        for speaker in sorted({own_speaker(device, self._split()) for device in devices}):
            able = len(_able_words(_takes()[speaker], shots))
            if able < ways:
                raise DataError(
                    f"Speaker {speaker!r} has {shots} takes (shots) of {able} words, and a task takes {ways}.",
                    "Set fewer shots in training (--train-shots) or ways.",
                )

    def owners(self) -> int:
        """The training speakers."""
        return len(self._split().training)

    def for_validation(self) -> Self:
        """On the training speakers alone."""
        return replace(self, validates=True)

    def _split(self) -> "Split":
        return split(self.validates)

    def _drawn_to_train(self, device: str, seed: int, ways: int, shots: int) -> tuple[Drawn, Drawn]:
        """Support and query of a training task."""
        check_counts("keywords", range(2, len(clips.WORDS) + 1), ways, shots)
        random = generator_for("keywords", "train", device, seed, ways, shots)
        pools = _drawn_words(random, _takes()[own_speaker(device, self._split())], ways, shots)
        left = min(len(pool) for pool in pools) - shots
        return draw(random, pools, shots, [left] * ways)

    def calibration(self) -> Features:
        """All clips of the training speakers."""
        return self._features(np.flatnonzero(np.isin(clips.load(self.front_end).speakers, self._split().training)))

    def _features(self, rows: Rows) -> Features:
        return features(rows, self.front_end)

    def _task(self, drawn: tuple[Drawn, Drawn]) -> Task:
        support, query = drawn
        data = clips.load(self.front_end)
        names = class_names(support, [clips.WORDS[word] for word in data.words[support.rows]])
        return Task(self._samples(support), self._samples(query), str(data.speakers[support.rows[0]]), names)

    def _samples(self, drawn: Drawn) -> Samples:
        return Samples(self._features(drawn.rows), drawn.labels)


@dataclass(frozen=True)
class Split:
    """Names of speakers, sorted."""

    training: tuple[str, ...]
    held_out: tuple[str, ...]


@functools.cache
def split(validates: bool = False) -> Split:
    """The same on every machine: the order is drawn from a fixed name. validates: within the training speakers."""
    speakers = np.unique(clips.load().speakers)
    order = generator_for("keywords", "split").permutation(len(speakers))
    held_out, training = speakers[order[:HELD_OUT_SPEAKERS]], speakers[order[HELD_OUT_SPEAKERS:]]
    if validates:
        count = len(training) // VALIDATION_PART
        held_out, training = training[:count], training[count:]
    return Split(tuple(sorted(training.tolist())), tuple(sorted(held_out.tolist())))


def own_speaker(device: str, parted: Split | None = None) -> str:
    """The training speaker a device stands for."""
    return own_of(device, (parted or split()).training, "keywords", "speaker")


def features(rows: Rows, front_end: FrontEnd = clips.ZOO) -> Features:
    """Clips float32 [n, count of the front end]."""
    return clips.load(front_end).features[rows].astype(np.float32) / np.float32(1 << EXPONENT)


@functools.cache
def _takes() -> Mapping[str, tuple[Rows, ...]]:
    """The rows of every word, for each speaker."""
    data = clips.load()
    return {
        str(speaker): tuple(
            np.flatnonzero((data.speakers == speaker) & (data.words == word)) for word in range(len(clips.WORDS))
        )
        for speaker in np.unique(data.speakers)
    }


def _able_words(words: tuple[Rows, ...], needed: int) -> list[int]:
    return [word for word, rows in enumerate(words) if len(rows) >= needed]


def _drawn_words(random: np.random.Generator, words: tuple[Rows, ...], ways: int, needed: int) -> list[Rows]:
    able = _able_words(words, needed)
    if len(able) < ways:
        raise _too_many(needed, ways)
    return [words[word] for word in random.choice(able, ways, replace=False)]


def _too_many(needed: int, ways: int) -> DataError:
    return DataError(
        f"No speaker has {needed} takes (shots and queries) of {ways} words: there are {clips.LEAST_TAKES} to"
        f" {clips.MOST_TAKES} of each.",
        "Set fewer shots, queries or ways.",
    )
