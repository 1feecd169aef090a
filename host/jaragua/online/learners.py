"""Online learners: a board on its port, or the native engine of this machine (a Pi). Both report alike."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import fields
from typing import Protocol

import numpy as np

from jaragua.errors import BoardError
from jaragua.online.trained_model import TrainedModel
from jaragua.serial import Board, BoardEvent, samples_of
from jaragua.wire.definitions import Operator
from jaragua.wire.messages import OnlineState
from jaragua_compiler.engines.native import NativeEngine
from jaragua_compiler.online import Learner, Report, Settings
from jaragua_compiler.quantisation.blob import Int16Array
from jaragua_compiler.quantisation.rate import LearningRate

_EVENT_SAMPLES = 16

OnReport = Callable[[Report], None]


class OnlineLearner(Protocol):
    """A learner that is spoken to in parts of a stream: x int16 [n, inputs], labels int16 [n]."""

    async def begin(self, start: TrainedModel, settings: Settings, rate: LearningRate) -> None:
        """A new learner on these weights."""

    async def learn(self, x: Int16Array, labels: Int16Array) -> int:
        """Predict and learn; how many predictions were right."""

    async def right(self, x: Int16Array, labels: Int16Array) -> int:
        """Predict only, with the weights as they are; how many were right."""

    async def report(self) -> Report:
        """O8."""

    @property
    def instructions(self) -> int | None:
        """Fewest instructions of a sample so far; None if they are not counted."""


class BoardLearner:
    """A board in online mode (L4.11)."""

    def __init__(self, board: Board) -> None:
        self._board = board
        self._base = b""
        self.instructions: int | None = None

    async def begin(self, start: TrainedModel, settings: Settings, rate: LearningRate) -> None:
        """A new learner on these weights: the first part of the stream brings them. Raises: BoardError."""
        if not self._board.identity.operators >> Operator.ONLINE & 1:
            raise BoardError(
                f"{self._board.url}: the board's image cannot learn after deployment",
                "Its network needs a dense last layer, and RAM for the learner: docs/reference/online.md, O1 and O9.",
            )
        self._base, self._settings, self._rate = start.blob, settings, rate

    async def learn(self, x: Int16Array, labels: Int16Array) -> int:
        """One job."""
        job, samples = self._board.new_job(), samples_of(x, labels)
        state = await self._board.learn_online(job, samples, self._settings, self._rate, self._base)
        self._base = b""
        self.instructions = min(filter(None, (self.instructions, state.instructions)), default=None)
        return state.correct

    async def right(self, x: Int16Array, labels: Int16Array) -> int:
        """One job."""
        state = await self._board.evaluate(self._board.new_job(), samples_of(x, labels))
        return state.correct

    async def report(self) -> Report:
        """O8."""
        return report_of(await self._board.online_state())


class EngineLearner:
    """The device's C on this machine."""

    instructions: int | None = None

    def __init__(self, learner: Learner, engine: NativeEngine, on_report: OnReport) -> None:
        self._learner, self._engine, self._on_report = learner, engine, on_report

    async def begin(self, start: TrainedModel, settings: Settings, rate: LearningRate) -> None:
        """A new learner on these weights."""
        self._learner.begin(start.blob, settings, rate)

    async def learn(self, x: Int16Array, labels: Int16Array) -> int:
        """Off the event loop, as far as C goes."""
        return await asyncio.to_thread(self._learn, x, labels)

    async def right(self, x: Int16Array, labels: Int16Array) -> int:
        """Predict only."""
        self._engine.load(self._learner.blob())
        results = [self._engine.evaluate(one, np.array([label], dtype=np.int16)) for one, label in _pairs(x, labels)]
        return sum(result.correct for result in results)

    async def report(self) -> Report:
        """O8."""
        return self._learner.report()

    def _learn(self, x: Int16Array, labels: Int16Array) -> int:
        before = self._learner.report().correct
        for one, label in _pairs(x, labels):
            outcome = self._learner.learn(one, label)
            report = self._learner.report()
            event = outcome is not None and (outcome.opened or outcome.drift)
            if event or report.samples % _EVENT_SAMPLES == 0:
                self._on_report(report)
        return self._learner.report().correct - before


def report_of(state: OnlineState) -> Report:
    """A board's answer in the words of the engines."""
    return Report(**{field.name: getattr(state, field.name) for field in fields(Report)})


def board_events(on_report: OnReport) -> Callable[[BoardEvent], None]:
    """What a `Board` calls with its events, so that reports reach `on_report`."""
    return lambda event: on_report(report_of(event)) if isinstance(event, OnlineState) else None


def _pairs(x: Int16Array, labels: Int16Array) -> list[tuple[Int16Array, int]]:
    return list(zip(x, labels.tolist(), strict=True))
