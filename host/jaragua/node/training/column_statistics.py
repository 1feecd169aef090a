"""Answers statistics commands: exact sums of a device's rows, never the rows (M5, M20)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

from jaragua.errors import DataError, JaraguaError
from jaragua.node.intake import StatisticsAsked
from jaragua.node.training.task_sampler import TaskSampler
from jaragua.wire.messages import StatisticsCommand, StatisticsResult
from jaragua.wire.rejections import LONGEST_TEXT, shown
from jaragua_models.own_data.statistics import Statistics

#: P3: commands that wait.
MOST_WAITING: Final = 64
#: Of the sums in one answer: with the other fields fewer than a control message may have.
MOST_BYTES: Final = 3072

OnAnswer = Callable[[StatisticsAsked, StatisticsResult], None]
OnRefusal = Callable[[StatisticsAsked, str], None]


class ColumnStatistics:
    """One command after the other, in a thread: a table may be large."""

    def __init__(self, sampler: Callable[[], TaskSampler], on_answer: OnAnswer, on_refusal: OnRefusal) -> None:
        """sampler: of the node's own model, at any time. on_refusal: told why an answer has no sums."""
        self._sampler = sampler
        self._on_answer = on_answer
        self._on_refusal = on_refusal
        self._waiting: asyncio.Queue[StatisticsAsked] = asyncio.Queue(MOST_WAITING)
        self._last: tuple[str, str, Statistics] | None = None
        """Device, owner and sums of the last answer: its other parts are of the same rows."""

    def take(self, asked: StatisticsAsked) -> bool:
        """False if as many wait as may."""
        try:
            self._waiting.put_nowait(asked)
        except asyncio.QueueFull:
            return False
        return True

    async def serve(self) -> None:
        """Until it is cancelled."""
        while True:
            asked = await self._waiting.get()
            try:
                owner, sums = await self._sums_of(asked.command)
                answer = _part(asked.command, owner, sums)
            except JaraguaError as error:
                reason = shown(f"{error.message} {error.hint}".strip())
                self._on_refusal(asked, reason)
                answer = _refusal(asked.command, reason)
            self._on_answer(asked, answer)

    async def _sums_of(self, command: StatisticsCommand) -> tuple[str, Statistics]:
        if self._last is None or command.first == 0 or self._last[0] != command.device:
            owner, sums = await asyncio.to_thread(self._sampler().statistics, command.device)
            self._last = command.device, owner, sums
        return self._last[1:]


def _part(command: StatisticsCommand, owner: str, sums: Statistics) -> StatisticsResult:
    """As many columns from `first` on as one answer holds. Raises: DataError if there is none, or it is too long."""
    columns = sums.columns[command.first :]
    if not columns:
        raise DataError(f"there is no column {command.first}: there are {len(sums.columns)}", "ask for fewer")
    count = 1
    while count < len(columns) and len(_text(columns[: count + 1])) <= MOST_BYTES:
        count += 1
    text = _text(columns[:count])
    if len(text) > MOST_BYTES:
        raise DataError(f"the sums of column {columns[0].name[:LONGEST_TEXT]!r} are too long", "give it a shorter name")
    return StatisticsResult(command.run, command.device, command.first, True, owner, len(sums.columns), text)


def _text(columns: tuple[object, ...]) -> bytes:
    return Statistics(columns).to_json().encode()  # type: ignore[arg-type]


def _refusal(command: StatisticsCommand, reason: str) -> StatisticsResult:
    return StatisticsResult(command.run, command.device, command.first, False, "", 0, b"", reason)
