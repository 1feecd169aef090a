"""The samples of many devices in one row, and how they are cut into shares for several workers."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from jaragua.errors import ModelError
from jaragua.strategies import ClientWork
from jaragua.strategies.enrolment import enrolment_order, episodes_of
from jaragua_compiler import Network
from jaragua_compiler.engines.replay_order import replay_order
from jaragua_models import Samples


@dataclass(frozen=True)
class Lessons:
    """Which samples devices enrol, and on which others they train (A12).

    episodes: int64 [devices], the episodes of a pass. enrolled, trained: int64 [all episodes], how many samples of each
    are enrolled and how many are trained on; the samples of a device stand in this order. In an episode without
    enrolled samples all are enrolled, and then trained on.
    """

    episodes: NDArray[np.int64]
    enrolled: NDArray[np.int64]
    trained: NDArray[np.int64]

    def part(self, first: int, last: int) -> Lessons:
        """Of devices first to last - 1."""
        begin, end = int(self.episodes[:first].sum()), int(self.episodes[:last].sum())
        return Lessons(self.episodes[first:last], self.enrolled[begin:end], self.trained[begin:end])


@dataclass(frozen=True)
class Batch:
    """The samples of several devices, one after the other.

    x: float32 [n, inputs]; y: int64 [n] labels, or float32 [n, outputs]; counts and seeds: int64 [devices].
    """

    x: NDArray[np.float32]
    y: NDArray[np.int64] | NDArray[np.float32]
    counts: NDArray[np.int64]
    seeds: NDArray[np.int64]
    lessons: Lessons | None = None
    """None: no prototypes."""
    heads: int = 0
    """So many of the devices, the last ones, train the last layer alone (R35)."""

    def __len__(self) -> int:
        return len(self.counts)

    def part(self, first: int, last: int) -> Batch:
        """The samples of devices first to last - 1."""
        begin, end = int(self.counts[:first].sum()), int(self.counts[:last].sum())
        lessons = None if self.lessons is None else self.lessons.part(first, last)
        counts, seeds = self.counts[first:last], self.seeds[first:last]
        return Batch(self.x[begin:end], self.y[begin:end], counts, seeds, lessons)

    def shares(self, count: int) -> list[Batch]:
        """`count` shares of about the same number of devices, none of them empty."""
        if min(count, len(self)) == 1:
            return [self]
        edges = np.linspace(0, len(self), min(count, len(self)) + 1).round().astype(int)
        return [self.part(first, last) for first, last in itertools.pairwise(edges.tolist())]

    def replayed(self, passes: int, replay_buffer_size: int) -> Batch:
        """Each device's samples in replay order (`replay_order`)."""
        starts = np.concatenate([[0], np.cumsum(self.counts)[:-1]])
        order = {count: replay_order(count, passes, replay_buffer_size) for count in set(self.counts.tolist())}
        places = [start + order[count] for start, count in zip(starts, self.counts.tolist(), strict=True)]
        place = np.concatenate(places)
        return Batch(self.x[place], self.y[place], self.counts * passes, self.seeds)

    def with_lessons(self, shots: int, queries: int = 0) -> Batch:
        """Each device's samples in the order in which it enrols some and trains on others.

        shots: samples of each class that are enrolled only. queries: see `episodes_of`; 0: one episode, which trains
        on all others. Raises: ModelError for a device without an episode.
        """
        starts = np.concatenate([[0], np.cumsum(self.counts)[:-1]]).tolist()
        devices = [
            _episodes(self.y[start : start + count], shots, queries)
            for start, count in zip(starts, self.counts.tolist(), strict=True)
        ]
        place = np.concatenate([start + order for start, (order, _) in zip(starts, devices, strict=True)])
        pairs = [pair for _, found in devices for pair in found]
        enrolled, trained = (np.array([pair[side] for pair in pairs], dtype=np.int64) for side in (0, 1))
        lessons = Lessons(np.array([len(found) for _, found in devices], dtype=np.int64), enrolled, trained)
        counts = np.array([len(order) for order, _ in devices], dtype=np.int64)
        return Batch(self.x[place], self.y[place], counts, self.seeds, lessons)

    @property
    def trained(self) -> int:
        """Samples that a pass trains on."""
        return int(self.counts.sum() if self.lessons is None else self.lessons.trained.sum())

    def interleaved(self) -> Batch:
        """One device that holds them all: the first sample of each, then the second of each, and so on."""
        starts = np.concatenate([[0], np.cumsum(self.counts)[:-1]])
        turn = np.concatenate([np.arange(count) for count in self.counts])
        owner = np.repeat(np.arange(len(self)), self.counts)
        order = np.lexsort((owner, turn))
        place = (starts[owner] + turn)[order]
        return Batch(self.x[place], self.y[place], np.array([len(place)]), self.seeds[:1])


def one_lesson_each(batch: Batch) -> Lessons:
    """One episode for each device, which trains on all of its samples."""
    devices = len(batch)
    return Lessons(np.ones(devices, np.int64), np.zeros(devices, np.int64), batch.counts)


def _episodes(
    labels: NDArray[np.int64] | NDArray[np.float32], shots: int, queries: int
) -> tuple[NDArray[np.int64], list[tuple[int, int]]]:
    """The places of one device's samples in the order of its lessons, and the enrolled and trained of each episode."""
    if not queries:
        order, enrolled = enrolment_order(labels, shots)
        return order, [(enrolled, len(order) - enrolled)]
    found = episodes_of(labels, shots, queries)
    if not found:
        raise ModelError(
            f"A task of {len(labels)} samples has no episode: {shots} of each class are enrolled.",
            "Ask for more shots than enrolled_shots, and for two classes or more.",
        )
    order = np.concatenate([part for one in found for part in (one.enrolled, one.trained)])
    return order, [(len(one.enrolled), len(one.trained)) for one in found]


def in_one_pass(work: ClientWork, batch: Batch) -> tuple[ClientWork, Batch]:
    """The same steps as one pass over samples in replay order, if devices hold only some of them.

    With prototypes each device's samples come in the order in which it enrols some and trains on the others.
    """
    if work.prototypes:
        return work, batch.with_lessons(work.enrolled_shots, work.episode_queries)
    if not work.replay_buffer_size or work.passes == 1:
        return work, batch
    return replace(work, passes=1, replay_buffer_size=0), batch.replayed(work.passes, work.replay_buffer_size)


def require_classes(batch: Batch, network: Network) -> None:
    """Raises: ModelError for a label that is no class of the network: an engine would write where it says."""
    if network.classifier and not ((batch.y >= 0) & (batch.y < network.outputs)).all():
        message = f"A label is not a class of {network.name!r}: they go from 0 to {network.outputs - 1}."
        raise ModelError(message, "Correct the model's source of tasks.")


def asked_of(batch: Batch, samples: int | None) -> int:
    """How many samples each device is asked to learn from: `samples`; None: as many as the one that has most."""
    return int(batch.counts.max()) if samples is None else samples


def joined(tasks: Sequence[Samples], seeds: Sequence[int]) -> Batch:
    """The samples of several tasks as one batch."""
    counts = np.array([len(samples) for samples in tasks], dtype=np.int64)
    x = np.concatenate([samples.x for samples in tasks])
    y = np.concatenate([samples.y for samples in tasks])
    return Batch(x, y, counts, np.array(seeds, dtype=np.int64))


def of_equal_tasks(samples: Samples, seeds: Sequence[int] | NDArray[np.int64]) -> Batch:
    """As many tasks as there are seeds, all of the same length, one after the other."""
    counts = np.full(len(seeds), len(samples) // len(seeds), dtype=np.int64)
    return Batch(samples.x, samples.y, counts, np.array(seeds, dtype=np.int64))
