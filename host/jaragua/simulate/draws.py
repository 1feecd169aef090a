"""Which devices train in which round, and on which samples: all of it follows from the run's seed (R1, R2).

None of it depends on what is learned, so worker processes draw the tasks of later rounds while this one trains.
"""

from __future__ import annotations

import multiprocessing
import signal
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass
from typing import Final

import jaragua_models
from jaragua.coordinator import rules
from jaragua.errors import DataError
from jaragua.simulate.models import model_named
from jaragua.simulate.samples import Batch, joined
from jaragua.simulate.settings import Simulation

#: Tasks that a worker process draws at once, and below which no worker is started.
_TASKS_AT_ONCE: Final = 400
_WORTH_WORKERS: Final = 4000
#: Pieces of work that are drawn ahead, for each worker.
_AHEAD: Final = 3


@dataclass(frozen=True)
class Draw:
    """One round: its devices, sorted, and their samples in the same order."""

    round_number: int
    devices: tuple[str, ...]
    batch: Batch


def draw_round(simulation: Simulation, round_number: int) -> Draw:
    """What the coordinator would command in that round. Raises: DataError."""
    devices = rules.choose(simulation.seed, round_number, simulation.devices, simulation.clients)
    seeds = [rules.train_seed(simulation.seed, round_number, device) for device in devices]
    source = model_named(simulation.task).tasks
    try:
        tasks = [
            source.train_task(device, seed, simulation.ways, simulation.shots).support
            for device, seed in zip(devices, seeds, strict=True)
        ]
    except jaragua_models.ModelError as error:
        raise DataError(error.message, error.hint) from error
    return Draw(round_number, tuple(devices), joined(tasks, seeds))


def draws(simulation: Simulation, first_round: int, workers: int) -> Iterator[Draw]:
    """The rounds from `first_round` on, in order."""
    rounds = range(first_round, simulation.rounds + 1)
    if workers < 2 or len(rounds) * simulation.clients < _WORTH_WORKERS:
        for number in rounds:
            yield draw_round(simulation, number)
        return
    yield from _drawn_ahead(simulation, rounds, workers)


def _drawn_ahead(simulation: Simulation, rounds: range, workers: int) -> Iterator[Draw]:
    size = max(1, _TASKS_AT_ONCE // simulation.clients)
    pieces = iter([rounds[start : start + size] for start in range(0, len(rounds), size)])
    pending: deque[Future[list[Draw]]] = deque()
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, context, initializer=_leave_interrupts_to_the_parent) as pool:
        try:
            for piece in pieces:
                pending.append(pool.submit(_draw_piece, simulation, piece))
                if len(pending) > _AHEAD * workers:
                    yield from pending.popleft().result()
            while pending:
                yield from pending.popleft().result()
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def _draw_piece(simulation: Simulation, rounds: range) -> list[Draw]:
    return [draw_round(simulation, number) for number in rounds]


def _leave_interrupts_to_the_parent() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
