"""The samples of many devices in one row, and how they are cut into shares for several workers."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from jaragua.errors import ModelError
from jaragua.strategies import ClientWork
from jaragua.strategies.enrolment import enrolment_order
from jaragua_compiler import Network
from jaragua_compiler.engines.replay_order import replay_order
from jaragua_models import Samples


@dataclass(frozen=True)
class Batch:
    """The samples of several devices, one after the other.

    x: float32 [n, inputs]; y: int64 [n] labels, or float32 [n, outputs]; counts and seeds: int64 [devices].
    """

    x: NDArray[np.float32]
    y: NDArray[np.int64] | NDArray[np.float32]
    counts: NDArray[np.int64]
    seeds: NDArray[np.int64]
    enrolled: NDArray[np.int64] | None = None
    """int64 [devices]: the first samples of each device, which it enrols and does not train on; None: no prototypes."""
    heads: int = 0
    """So many of the devices, the last ones, train the last layer alone (R35)."""

    def __len__(self) -> int:
        return len(self.counts)

    def part(self, first: int, last: int) -> Batch:
        """The samples of devices first to last - 1."""
        begin, end = int(self.counts[:first].sum()), int(self.counts[:last].sum())
        enrolled = None if self.enrolled is None else self.enrolled[first:last]
        counts, seeds = self.counts[first:last], self.seeds[first:last]
        return Batch(self.x[begin:end], self.y[begin:end], counts, seeds, enrolled)

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

    def enrolled_first(self, shots: int) -> Batch:
        """Each device's samples in the order of `enrolment_order`: those it enrols first."""
        starts = np.concatenate([[0], np.cumsum(self.counts)[:-1]]).tolist()
        orders = [
            enrolment_order(self.y[start : start + count], shots)
            for start, count in zip(starts, self.counts.tolist(), strict=True)
        ]
        place = np.concatenate([start + order for start, (order, _) in zip(starts, orders, strict=True)])
        enrolled = np.array([count for _, count in orders], dtype=np.int64)
        return Batch(self.x[place], self.y[place], self.counts, self.seeds, enrolled)

    @property
    def trained(self) -> int:
        """Samples that a pass trains on."""
        return int(self.counts.sum() - (0 if self.enrolled is None else self.enrolled.sum()))

    def interleaved(self) -> Batch:
        """One device that holds them all: the first sample of each, then the second of each, and so on."""
        starts = np.concatenate([[0], np.cumsum(self.counts)[:-1]])
        turn = np.concatenate([np.arange(count) for count in self.counts])
        owner = np.repeat(np.arange(len(self)), self.counts)
        order = np.lexsort((owner, turn))
        place = (starts[owner] + turn)[order]
        return Batch(self.x[place], self.y[place], np.array([len(place)]), self.seeds[:1])


def in_one_pass(work: ClientWork, batch: Batch) -> tuple[ClientWork, Batch]:
    """The same steps as one pass over samples in replay order, if devices hold only some of them.

    With prototypes each device's samples come in the order in which it enrols some and trains on the others.
    """
    if work.prototypes:
        return work, batch.enrolled_first(work.enrolled_shots)
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
