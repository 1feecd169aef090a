"""Semi-asynchronous rounds (R13) of virtual devices, on a virtual clock.

What a device will return is computed when it is given its work, with all others of its round, and kept in the state
until the clock says that it arrives.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import tee
from typing import Final

import numpy as np
from numpy.typing import NDArray

from jaragua import strategies
from jaragua.errors import ConfigurationError
from jaragua.simulate.draws import Draw
from jaragua.simulate.engine import Trained, VirtualFleet
from jaragua.simulate.settings import Buffered, Simulation, VirtualTime
from jaragua.simulate.state import Memory, State
from jaragua.simulate.virtual_time import Arrival, Tally, VirtualRound, course
from jaragua.strategies import ClientUpdate, Strategy, Vector
from jaragua.strategies.stale import counted

#: Least and most of each number; beyond them the clock's figures say nothing of any fleet.
_LIMITS: Final = {
    "buffer": (1, math.inf),
    "most_age": (1, math.inf),
    "staleness": (0, math.inf),
    "spread": (0, 3),
    "slow_share": (0, 1),
    "slow_factor": (1, 1e6),
}
_WITHOUT: Final = "leave the buffer out: rounds then wait for their own devices"


class BufferedRounds:
    """The rounds of a simulation whose updates are taken as they come."""

    def __init__(
        self, simulation: Simulation, buffered: Buffered, strategy: Strategy, fleet: VirtualFleet, rounds_done: int
    ) -> None:
        self._simulation = simulation
        self._buffered = buffered
        self._strategy = strategy
        self._fleet = fleet
        self._tally = Tally()
        rounds = course(simulation, buffered)
        for _ in range(rounds_done):
            self._tally.add(next(rounds))
        self._rounds, self._ahead = tee(rounds)

    def given(self) -> Iterator[tuple[str, ...]]:
        """Who is given work, round by round, from the next one on."""
        return (one.given for one in self._ahead)

    def play(self, state: State, draw: Draw) -> tuple[State, Trained]:
        """One round: its devices are given work, and it closes with the updates that fill the buffer."""
        now = next(self._rounds)
        start = self._fleet.start(state.vector)
        work = self._strategy.client_work(now.number)
        trained = self._fleet.train(start, work, draw.batch)
        memory = state.memory | _kept(now, trained.learned, draw.batch.counts * work.passes)
        updates = [self._counted(state.vector, memory, one) for one in now.taken]
        moved = self._strategy.aggregate(now.number, state.vector, updates)
        self._tally.add(now)
        after = state.after(
            now.number,
            moved,
            memory={key: memory[key] for left in now.left for key in _keys(*left)},
            client_tasks=len(now.given),
            bytes_up=len(start) * len(now.arrivals),
            bytes_down=len(start) * len(now.given),
            checkpoints=self._simulation.checkpoints,
        )
        return after, trained

    def memory(self, state: State) -> Memory:
        """The state has it all."""
        return state.memory

    def time(self) -> VirtualTime:
        """What the clock says now."""
        return self._tally.figures()

    def _counted(self, vector: Vector, memory: Memory, one: Arrival) -> ClientUpdate:
        learned, samples = (memory[key] for key in _keys(one.round_number, one.device))
        return counted(one.device, vector, learned, int(samples), age=one.age, power=self._buffered.staleness)


def check(simulation: Simulation, strategy: Strategy) -> None:
    """Raises: ConfigurationError if this cannot be simulated on a clock, or its numbers make no sense."""
    buffered = simulation.buffered
    if buffered is None:
        return
    if buffered.buffer > simulation.clients:
        message = f"a buffer of {buffered.buffer} is more than clients = {simulation.clients}"
        raise ConfigurationError(message, f"at most {simulation.clients}: so many devices are at work")
    if obstacle := _obstacle(simulation, strategy):
        raise ConfigurationError(f"'{simulation.strategy}' cannot be simulated with a buffer: {obstacle}", _WITHOUT)
    for name, (least, most) in _LIMITS.items():
        value = getattr(buffered, name)
        if not (least <= value <= most and math.isfinite(value)):
            raise ConfigurationError(f"{name} is {value:g}", f"{least:g} to {most:g} is possible")


def _obstacle(simulation: Simulation, strategy: Strategy) -> str:
    if reason := strategies.fleet_obstacle(strategy):
        return reason
    if strategy.client_work(1).compressed:
        return "it sends differences, which only a fleet takes as they come (R12, R13)"
    if simulation.float_share:
        return "who computes in float32 goes by the place in a round of its own (--float-share)"
    return ""


def _keys(round_number: int, device: str) -> tuple[str, str]:
    """Under which names a device's work is kept: what it learned, float64 [parameters], and from how many samples."""
    return f"learned:{round_number}:{device}", f"samples:{round_number}:{device}"


def _kept(now: VirtualRound, learned: Vector, samples: NDArray[np.int64]) -> Memory:
    kept: Memory = {}
    for device, row, count in zip(now.given, learned, samples, strict=True):
        learned_key, samples_key = _keys(now.number, device)
        # Of its own: a view would keep the rows of the whole round.
        kept |= {learned_key: row.copy(), samples_key: np.array(count)}
    return kept
