"""What the rounds of a simulation need of an arithmetic."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, fields
from typing import Protocol, Self

import numpy as np
from numpy.typing import NDArray

from jaragua.simulation.clients.samples import Batch
from jaragua.strategies import ClientWork, Vector
from jaragua.strategies.aggregation import LazyRows, UpdateMask


class Learned(Protocol):
    """What devices learned, their weights less the start's, before anybody made a matrix of it."""

    def matrix(self) -> Vector:
        """float64 [devices, parameters], which the caller may change."""
        ...

    def onto(self, vector: Vector) -> LazyRows:
        """The same, added to a vector: the rows of matrix() + vector."""
        ...


def learned_onto(vector: Vector, learned: Vector | Learned) -> Vector | LazyRows:
    """What devices learned, added to a vector; a matrix itself is changed."""
    if not isinstance(learned, np.ndarray):
        return learned.onto(vector)
    learned += vector
    return learned


@dataclass(frozen=True)
class Trained:
    """What the devices of a round made of a start.

    rows: what they learned. loss: mean over all samples. update_mask: bool [devices, parameters], what of it a device
    of coarser weights than others has anything to say of (R14).
    """

    rows: Vector | Learned
    loss: float
    update_mask: UpdateMask | None = None

    @functools.cached_property
    def learned(self) -> Vector:
        """float64 [devices, parameters], their weights less the start's; the caller may change it."""
        return self.rows if isinstance(self.rows, np.ndarray) else self.rows.matrix()


@dataclass(frozen=True)
class Evaluation:
    """One figure for each task, float64 [tasks], in the metric of the model.

    answers: int64 [query samples of all tasks], the first largest output after adaptation: of a classifier its class.
    """

    before: NDArray[np.float64]
    after: NDArray[np.float64]
    answers: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))


def joined_evaluations(parts: Sequence[Evaluation]) -> Evaluation:
    """Several evaluations as one, in their order."""
    return Evaluation(*(np.concatenate([getattr(part, one.name) for part in parts]) for one in fields(Evaluation)))


class Closing:
    """A context manager that closes on its way out what was entered into `_open`."""

    def __init__(self) -> None:
        self._open = ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self._open.close()


class VirtualFleet(Protocol):
    """Devices of one arithmetic. A start is what they are sent: the bytes of a model."""

    def __enter__(self) -> VirtualFleet: ...

    def __exit__(self, *exception: object) -> None: ...

    def start(self, vector: Vector) -> bytes:
        """What devices are sent for a vector."""
        ...

    def numbers(self, start: bytes) -> Vector:
        """What a start stands for: the vector, as far as the devices' format holds it; the caller may change it."""
        ...

    def train(self, start: bytes, work: ClientWork, batch: Batch) -> Trained:
        """Every device of the batch does the work, from the same start."""
        ...

    def adapt(self, start: bytes, work: ClientWork, support: Batch, query: Batch) -> Evaluation:
        """Every device is evaluated on its query samples before and after it did the work on its support samples."""
        ...
