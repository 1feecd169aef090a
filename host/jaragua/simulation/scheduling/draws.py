"""Which devices train in which round, and on which samples: all of it follows from the run's seed (R1, R2).

None of it depends on what is learned: the tasks of later rounds are drawn while one trains. A source that can
draws those of many rounds at once (`DrawsMany`), in a thread, as most of it is C; for others worker processes draw.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import accumulate, chain, islice, pairwise
from multiprocessing import parent_process
from multiprocessing.context import SpawnContext, SpawnProcess
from types import ModuleType
from typing import Final, TypeAlias

import numpy as np

import jaragua_models
from jaragua.coordinator.rounds import rules
from jaragua.errors import DataError
from jaragua.simulation.clients.samples import Batch, joined, of_equal_tasks
from jaragua.simulation.evaluation import pretraining
from jaragua.simulation.models import task_model
from jaragua.simulation.scheduling.batched_random import batched_random
from jaragua.simulation.settings import Simulation
from jaragua.strategies.registry import find
from jaragua_models import ChecksDevices, DrawsMany, Samples

#: Tasks that are drawn at once at most, and the bytes of their samples: several such pieces wait in memory.
_TASKS_AT_ONCE: Final = 400
_BYTES_AT_ONCE: Final = 16 << 20
#: Tasks below which no worker is started.
_WORTH_WORKERS: Final = 4000
#: Pieces of work that are drawn ahead, for each worker.
_AHEAD: Final = 3

#: Held while a worker starts.
_HIDING: Final = threading.Lock()

#: Who is given work in some rounds, in their order.
Given: TypeAlias = list[tuple[str, ...]]


@dataclass(frozen=True)
class Draw:
    """One round: its devices, sorted, and their samples in the same order."""

    round_number: int
    devices: tuple[str, ...]
    batch: Batch


def check(simulation: Simulation) -> None:
    """Raises: DataError if a device has too few samples to train: else it would be said when its turn comes."""
    source = task_model(simulation).tasks
    if not (simulation.rounds and find(simulation.strategy).TRAINS and isinstance(source, ChecksDevices)):
        return
    try:
        source.check_devices(simulation.devices, simulation.ways, simulation.shots)
    except jaragua_models.ModelError as error:
        raise DataError(error.message, error.hint) from error


def draw_round(simulation: Simulation, round_number: int) -> Draw:
    """What the coordinator would command in that round. Raises: DataError."""
    return _draw_piece(_drawer(simulation), range(round_number, round_number + 1))[0]


def draws(
    simulation: Simulation, first_round: int, workers: int, given: Iterator[tuple[str, ...]] | None = None
) -> Iterator[Draw]:
    """The rounds from `first_round` on, in order. given: who is given work in each of them; None: as R1 has it."""
    rounds = range(first_round, simulation.rounds + 1)
    drawer = _drawer(simulation)
    quick = drawer.draws_many() is not None
    if workers < 2 or (not quick and len(rounds) * simulation.clients < _WORTH_WORKERS):
        for piece in _pieces(simulation, rounds, _tasks_at_once(simulation) if quick else 1):
            yield from _draw_piece(drawer, piece, _next(given, piece))
        return
    with ThreadPoolExecutor(1) if quick else _processes(workers) as pool:
        yield from _drawn_ahead(pool, drawer, rounds, 1 if quick else workers, given)


@dataclass(frozen=True)
class _Drawer:
    """What a worker needs, which knows no strategy: its class may exist in the process that simulates alone."""

    simulation: Simulation
    by_class: bool
    """Samples come with their true classes."""

    def draws_many(self) -> DrawsMany | None:
        """The source of tasks that are drawn at once."""
        source = task_model(self.simulation).tasks
        return source if isinstance(source, DrawsMany) and not self.by_class else None


def _drawer(simulation: Simulation) -> _Drawer:
    return _Drawer(simulation, pretraining.trains_by_class(simulation))


def _processes(count: int) -> ProcessPoolExecutor:
    return ProcessPoolExecutor(count, _WorkerContext(), initializer=_begin_worker)


class _WorkerProcess(SpawnProcess):
    """A worker that does not import the caller's script: a script that simulates would do so in every worker again."""

    def start(self) -> None:
        """As every process, while the script is not to be seen."""
        with _HIDING:
            script = sys.modules["__main__"]
            sys.modules["__main__"] = ModuleType("__main__")
            try:
                super().start()
            finally:
                sys.modules["__main__"] = script


class _WorkerContext(SpawnContext):
    Process = _WorkerProcess


def _tasks_at_once(simulation: Simulation) -> int:
    """So many that their features, float32 [ways · shots, inputs] each, do not fill the memory of a small machine."""
    inputs = int(np.prod(task_model(simulation).network.inputs))
    task_bytes = np.dtype(np.float32).itemsize * inputs * simulation.ways * simulation.shots
    return max(1, min(_TASKS_AT_ONCE, _BYTES_AT_ONCE // task_bytes))


def _pieces(simulation: Simulation, rounds: range, tasks: int) -> list[range]:
    """The rounds in their order, in pieces of about so many tasks each. The first is waited for, so it is one round."""
    size = max(1, tasks // simulation.clients)
    first, later = rounds[:1], rounds[1:]
    return [*([first] if first else []), *(later[start : start + size] for start in range(0, len(later), size))]


def _next(given: Iterator[tuple[str, ...]] | None, rounds: range) -> Given | None:
    return None if given is None else list(islice(given, len(rounds)))


def _drawn_ahead(
    pool: Executor, drawer: _Drawer, rounds: range, workers: int, given: Iterator[tuple[str, ...]] | None
) -> Iterator[Draw]:
    pending: deque[Future[list[Draw]]] = deque()
    try:
        for piece in _pieces(drawer.simulation, rounds, _tasks_at_once(drawer.simulation)):
            pending.append(pool.submit(_draw_piece, drawer, piece, _next(given, piece)))
            if len(pending) > _AHEAD * workers:
                yield from pending.popleft().result()
        while pending:
            yield from pending.popleft().result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _draw_piece(drawer: _Drawer, rounds: range, given: Given | None = None) -> list[Draw]:
    chosen = _chosen(drawer.simulation, rounds) if given is None else given
    try:
        batches = _batches(drawer, rounds, chosen)
    except jaragua_models.ModelError as error:
        raise DataError(error.message, error.hint) from error
    return [Draw(*drawn) for drawn in zip(rounds, chosen, batches, strict=True)]


def _chosen(simulation: Simulation, rounds: range) -> Given:
    """R1."""
    return [tuple(rules.choose(simulation.seed, number, simulation.devices, simulation.clients)) for number in rounds]


def _batches(drawer: _Drawer, rounds: range, chosen: Given) -> list[Batch]:
    """One for each round."""
    source = drawer.draws_many()
    if source is not None:
        return _all_at_once(drawer.simulation, source, rounds, chosen)
    return [_one_by_one(drawer, *named) for named in zip(rounds, chosen, strict=True)]


def _all_at_once(simulation: Simulation, source: DrawsMany, rounds: range, chosen: Given) -> list[Batch]:
    rows = batched_random()
    seeds = np.concatenate([rows.train_seeds(simulation.seed, *named) for named in zip(rounds, chosen, strict=True)])
    devices = list(chain.from_iterable(chosen))
    samples = source.train_supports(devices, seeds, simulation.ways, simulation.shots, rows.unit_rows)
    whole = of_equal_tasks(samples, seeds)
    edges = accumulate(map(len, chosen), initial=0)
    return [whole.part(first, last) for first, last in pairwise(edges)]


def _one_by_one(drawer: _Drawer, round_number: int, devices: tuple[str, ...]) -> Batch:
    seeds = [rules.train_seed(drawer.simulation.seed, round_number, device) for device in devices]
    tasks = [_support(drawer, device, seed) for device, seed in zip(devices, seeds, strict=True)]
    return joined(tasks, seeds)


def _support(drawer: _Drawer, device: str, seed: int) -> Samples:
    """What a device trains on in a round."""
    simulation = drawer.simulation
    asked = device, seed, simulation.ways, simulation.shots
    if drawer.by_class:
        return pretraining.source_for(simulation).train_support_by_class(*asked)
    return task_model(simulation).tasks.train_task(*asked).support


def _begin_worker() -> None:
    """Interrupts are the parent's; a parent that is killed takes its workers with it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_the_parent, daemon=True).start()


def _end_with_the_parent() -> None:
    """The pool's own way to tell that the parent is gone is a pipe whose other end its workers hold, too."""
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
