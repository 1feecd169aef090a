"""Collects the statistics of the fleet's columns before a run begins (R27): the coordinator has no rows."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from jaragua.config import RunConfig
from jaragua.coordinator import events
from jaragua.coordinator.connection.fleet import Fleet
from jaragua.coordinator.rounds.plausible_sums import Collected, DeviceSums, together
from jaragua.errors import ProtocolError, RunError
from jaragua.wire import messages
from jaragua.wire.rejections import Reason, shown
from jaragua_compiler.errors import CompileError
from jaragua_compiler.export.inputs.input_format import InputFormat
from jaragua_models import DataError, HasColumns, HasRows, Model
from jaragua_models.own_data.statistics import Statistics

#: R27.2: how long a device has for an answer, and how often it is asked.
ANSWER_SECONDS: Final = 60.0
_QUESTIONS: Final = 2
#: Devices that are asked at a time.
_AT_ONCE: Final = 32
_LOOK_AGAIN_SECONDS: Final = 0.5

OnEvent = Callable[[events.RunEvent], None]


def is_to_be_collected(model: Model) -> bool:
    """Whether a model's data have a scaling that is not known: a table of which there are no rows here (N5)."""
    interface = model.interface
    return interface is not None and interface.kind == "table" and interface.inputs is None and not _has_rows(model)


def columns_of(model: Model) -> tuple[str, ...]:
    """Names of a table's columns in their order."""
    return model.tasks.columns() if isinstance(model.tasks, HasColumns) else ()


def _has_rows(model: Model) -> bool:
    return isinstance(model.tasks, HasRows) and len(model.tasks.rows().x) > 0


async def collected(
    fleet: Fleet, config: RunConfig, columns: Sequence[str], on_event: OnEvent
) -> tuple[InputFormat, Mapping[str, Any]]:
    """The scaling of the rows of the devices that are there, and whose rows they are, as JSON values.

    Raises: RunError if none can tell it.
    """
    asking = _Asking(fleet, config, columns)
    found = await asking.enough(on_event)
    if found is None:
        raise RunError(f"no device told the statistics of its rows{asking.why()}", "start nodes with rows of their own")
    excluded = asking.excluded(found)
    on_event(events.ScalingCollected(found.devices, found.sums.rows, excluded))
    told = {"devices": list(found.devices), "rows": found.sums.rows, "excluded": excluded}
    try:
        return found.sums.format(), told
    except (CompileError, DataError) as error:
        raise RunError(f"the rows of the fleet have no scaling: {error.message}", error.hint) from error


class _Asking:
    """One collection."""

    def __init__(self, fleet: Fleet, config: RunConfig, columns: Sequence[str]) -> None:
        self._fleet = fleet
        self._run, self._devices = config.run.name, config.devices
        self._excluded = frozenset(config.devices.exclude)
        self._columns = list(columns)
        self._told: dict[str, DeviceSums] = {}
        self._failed: dict[str, str] = {}
        self._few = asyncio.Semaphore(_AT_ONCE)

    async def enough(self, on_event: OnEvent) -> Collected | None:
        """R27.1, R27.2: ask who comes, until the minimum counts or the time is over; None if nobody counts."""
        ends_s = asyncio.get_running_loop().time() + self._devices.wait_s
        while True:
            self._fleet.raise_if_broken()
            present = {name: node for name, node in self._fleet.roster.present().items() if name not in self._excluded}
            new = {name: node for name, node in present.items() if name not in self._told and name not in self._failed}
            waits = asyncio.get_running_loop().time() < ends_s
            if new and (len(present) >= self._devices.minimum or not waits):
                await asyncio.gather(*(self._ask(device, node) for device, node in new.items()))
                continue
            found = together(self._told)
            counted = () if found is None else found.devices
            asked = len(self._told) + len(self._failed)
            if not waits or (asked >= self._devices.minimum and 2 * len(counted) > self._devices.minimum):
                return found
            unfit = tuple(self._fleet.roster.unfit())
            on_event(events.Waiting(counted or tuple(present), self._devices.minimum, unfit))
            await asyncio.sleep(_LOOK_AGAIN_SECONDS)

    def excluded(self, found: Collected) -> dict[str, str]:
        """Everybody who was asked and does not count, with the reason."""
        for device, reason in found.excluded.items():
            if reason.startswith("it"):
                self._count(device, reason)
        return {**self._failed, **found.excluded}

    def why(self) -> str:
        """The first reason, for a message."""
        return "".join(f"; {device}: {reason}" for device, reason in list(self._failed.items())[:1])

    async def _ask(self, device: str, node: str) -> None:
        async with self._few:
            try:
                self._told[device] = await self._sums_of(device, node)
            except (ProtocolError, DataError) as error:
                self._failed[device] = shown(error.message)
                self._count(device, error.message)
            except TimeoutError:
                self._failed[device] = f"it did not answer in {_QUESTIONS} times {ANSWER_SECONDS:g} s"

    async def _sums_of(self, device: str, node: str) -> DeviceSums:
        """All parts. Raises: TimeoutError, ProtocolError, DataError."""
        parts: list[Statistics] = []
        owner, count = "", 0
        while count < len(self._columns):
            answer = await self._answer(device, node, count)
            found = Statistics.from_json(answer.sums.decode("utf-8", "replace"), f"what {device} told")
            names = [one.name for one in found.columns]
            wanted = self._columns[count : count + len(names)]
            if not names or names != wanted or answer.columns != len(self._columns):
                raise ProtocolError("its columns are others than those of the task")
            if any(one.count != found.rows for one in found.columns) or (parts and found.rows != parts[0].rows):
                raise ProtocolError("its columns have different numbers of rows")
            if parts and answer.owner != owner:
                raise ProtocolError("its rows changed while they were asked for")
            parts.append(found)
            owner, count = answer.owner, count + len(names)
        return DeviceSums(owner, replace(parts[0], columns=tuple(one for part in parts for one in part.columns)))

    async def _answer(self, device: str, node: str, first: int) -> messages.StatisticsResult:
        command = messages.StatisticsCommand(run=self._run, device=device, first=first)
        for question in range(_QUESTIONS):
            last = question + 1 == _QUESTIONS
            with contextlib.nullcontext() if last else contextlib.suppress(TimeoutError):
                answer = await self._fleet.statistics(node, command, ANSWER_SECONDS)
                if not answer.ok:
                    raise ProtocolError(answer.reason or "it gave no reason")
                if (answer.device, answer.first) != (device, first):
                    raise ProtocolError("its answer is to another question")
                return answer
        raise TimeoutError

    def _count(self, device: str, why: str) -> None:
        self._fleet.rejections.add(Reason.STATISTICS, f"statistics of {device}", why)
