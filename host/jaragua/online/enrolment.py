"""Classes that a device enrols after deployment, as prototypes (A12): a board on its port, or this machine's engine."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np

from jaragua.bases.value import Value
from jaragua.errors import BoardError
from jaragua.online.lesson import TEST_SAMPLES_OF_A_CLASS
from jaragua.online.pools import Pools
from jaragua.online.trained_model import TrainedModel
from jaragua.serial import Board, samples_of
from jaragua_compiler.engine_protocol import Match, PrototypeEngine
from jaragua_compiler.quantisation.blob import Int16Array

#: Samples of each class that are enrolled, at most.
ENROLLED = 5


class Classes(Protocol):
    """What enrols, recognises and forgets: x int16 [n, inputs], labels int16 [n]."""

    async def begin(self, blob: bytes) -> None:
        """No class is enrolled, and these are the weights."""

    async def enrol(self, x: Int16Array, labels: Int16Array) -> None:
        """Take samples into the means of their classes."""

    async def recognise(self, x: Int16Array, rejection: int) -> Sequence[Match]:
        """The nearest class of each sample, accepted up to this relative distance."""

    async def forget(self, label: int) -> None:
        """Forget all samples of a class."""

    async def prototype(self, label: int) -> Int16Array:
        """The mean features of a class, int16 [features]."""


class BoardClasses:
    """Those of a board whose image has prototypes (L4.13)."""

    def __init__(self, board: Board) -> None:
        self._board = board
        self._base = b""

    async def begin(self, blob: bytes) -> None:
        """The first samples bring the weights. Raises: BoardError if the image has no prototypes."""
        if not self._board.identity.prototypes:
            raise BoardError(
                f"{self._board.url}: the board's image has no room for prototypes",
                "Build it with JARAGUA_PROTOTYPES=N for N classes (docs/how-to/flash-a-board.md).",
            )
        self._base, self._fresh = blob, True

    async def enrol(self, x: Int16Array, labels: Int16Array) -> None:
        """One job."""
        samples = samples_of(x, labels)
        await self._board.enrol(self._board.new_job(), samples, self._base, fresh=self._fresh)
        self._base, self._fresh = b"", False

    async def recognise(self, x: Int16Array, rejection: int) -> Sequence[Match]:
        """One job; what a sample is labelled does not matter."""
        samples = samples_of(x, np.zeros(len(x), np.int16))
        return await self._board.recognise(self._board.new_job(), samples, rejection=rejection)

    async def forget(self, label: int) -> None:
        """One request."""
        await self._board.forget(label)

    async def prototype(self, label: int) -> Int16Array:
        """Its numbers."""
        return (await self._board.prototype(label))[1]


class EngineClasses:
    """The device's C on this machine."""

    def __init__(self, engine: PrototypeEngine) -> None:
        self._engine = engine

    async def begin(self, blob: bytes) -> None:
        """These weights."""
        self._engine.load(blob)
        self._engine.forget_all()

    async def enrol(self, x: Int16Array, labels: Int16Array) -> None:
        """One forward pass a sample."""
        for one, label in zip(x, labels.tolist(), strict=True):
            await asyncio.to_thread(self._engine.enrol, one, label)

    async def recognise(self, x: Int16Array, rejection: int) -> Sequence[Match]:
        """One forward pass a sample."""
        self._engine.set_rejection(rejection)
        return [await asyncio.to_thread(self._engine.recognise, one) for one in x]

    async def forget(self, label: int) -> None:
        """At once."""
        self._engine.forget(label)

    async def prototype(self, label: int) -> Int16Array:
        """Its numbers."""
        return self._engine.prototype(label)


class Enrolment(Value):
    """What came of a lesson. Accuracies are those of samples that were not enrolled, of people who were not either
    where data have owners."""

    enrolled: int
    """Samples of each class, at most."""
    old_before: float
    """Of the classes enrolled first, while they are alone."""
    unknown_accepted: float
    """Part of the new class's samples that are accepted while it is unknown."""
    known_accepted: float
    """Part of the old classes' samples that are accepted then."""
    old_after: float
    new_after: float
    """With the new class enrolled."""
    old_forgotten: float
    """Of the first classes, after the new one was forgotten: as before."""
    prototype: tuple[int, ...]
    """The numbers of the new class's prototype (A12.2)."""


async def teach_classes(
    classes: Classes, start: TrainedModel, pools: Pools, new: int, rejection: int, tell: Callable[[str], None]
) -> Enrolment:
    """Enrol all classes but one, then that one, then forget it. rejection: the threshold of A12.8."""
    old = [label for label in range(pools.classes) if label != new]
    await classes.begin(start.blob)
    for label in old:
        await classes.enrol(*_stream(start, pools, label))
    tell(f"{len(old)} classes enrolled with {ENROLLED} samples each")
    before = await _matches(classes, start, pools, old, rejection)
    strangers = await _matches(classes, start, pools, [new], rejection)
    await classes.enrol(*_stream(start, pools, new))
    prototype = tuple(int(number) for number in await classes.prototype(new))
    tell(f"class {new} enrolled")
    after = await _matches(classes, start, pools, old, rejection)
    found = await _matches(classes, start, pools, [new], rejection)
    await classes.forget(new)
    tell(f"class {new} forgotten")
    again = await _matches(classes, start, pools, old, rejection)
    return Enrolment(
        ENROLLED,
        _right(before),
        _accepted(strangers),
        _accepted(before),
        _right(after),
        _right(found),
        _right(again),
        prototype,
    )


def _stream(start: TrainedModel, pools: Pools, label: int) -> tuple[Int16Array, Int16Array]:
    x = start.integers(pools.stream[label][:ENROLLED])
    return x, np.full(len(x), label, np.int16)


_Found = list[tuple[int, Match]]


async def _matches(
    classes: Classes, start: TrainedModel, pools: Pools, labels: Sequence[int], rejection: int
) -> _Found:
    """Of the test samples of these classes, each with its own class."""
    found: _Found = []
    for label in labels:
        x = start.integers(pools.test[label][:TEST_SAMPLES_OF_A_CLASS])
        found += [(label, match) for match in await classes.recognise(x, rejection)]
    return found


def _right(found: _Found) -> float:
    return float(np.mean([match.label == label for label, match in found]))


def _accepted(found: _Found) -> float:
    return float(np.mean([match.accepted for _, match in found]))
