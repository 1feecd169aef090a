"""Semi-asynchronous rounds (R13) of virtual devices, on a virtual clock.

What a device will return is computed when it is given its work, with all others of its round, and kept in the state
until the clock says that it arrives. Who is given work owes nothing that is still under way and can count: so what it
adds to its update, where it sends differences, is known then, too (M10).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import fields
from itertools import tee
from typing import Final

import numpy as np
from numpy.typing import NDArray

from jaragua import strategies
from jaragua.errors import ConfigurationError
from jaragua.settings import keys_of, limits
from jaragua.simulation.clients.engine import Trained, VirtualFleet
from jaragua.simulation.rounds.played import PlayedRounds
from jaragua.simulation.rounds.state import RoundCounts, SavedArrays, State
from jaragua.simulation.scheduling.draws import Draw
from jaragua.simulation.scheduling.virtual_time import Arrival, Tally, VirtualRound, course
from jaragua.simulation.settings import Buffered, Simulation, VirtualTime
from jaragua.simulation.transport.channel import NOTHING, Channel
from jaragua.strategies import ClientUpdate, Strategy, Vector
from jaragua.strategies.guarded import checked_aggregate
from jaragua.strategies.registry import work_of
from jaragua.strategies.stale import counted

#: Least and most of each number; beyond them the clock's figures say nothing of any fleet.
#: Of names in the arrays.
_SIZE: Final = "bytes:"
_WITHOUT: Final = "leave the buffer out: rounds then wait for their own devices"


class BufferedRounds(PlayedRounds):
    """The rounds of a simulation whose updates are taken as they come."""

    def __init__(
        self,
        simulation: Simulation,
        buffered: Buffered,
        strategy: Strategy,
        fleet: VirtualFleet,
        channel: Channel,
        rounds_done: int,
    ) -> None:
        super().__init__(simulation, strategy, channel)
        self._buffered = buffered
        self._fleet = fleet
        self._tally = Tally()
        rounds = course(simulation, buffered)
        for _ in range(rounds_done):
            self._tally.add(next(rounds))
        self._rounds, self._ahead = tee(rounds)

    def given(self) -> Iterator[tuple[str, ...]]:
        """Devices that are given work, round by round, from the next round on."""
        return (one.given for one in self._ahead)

    def play(self, state: State, draw: Draw) -> tuple[State, Trained]:
        """One round: its devices are given work, and it closes with the updates that fill the buffer."""
        now = next(self._rounds)
        start, bytes_down = self._channel.send(state.vector, now.given)
        work = work_of(self._strategy, now.number)
        trained = self._fleet.train(start, work, draw.batch)
        arrays = state.arrays | self._kept(now, trained.learned, draw.batch.counts * work.passes)
        updates = [self._counted(state.vector, arrays, one) for one in now.taken]
        moved = checked_aggregate(self._strategy, now.number, state.vector, updates, state.moments)
        excluded = self._exclusions.checked(self._strategy, now.number, state.vector, updates)
        blob = np.array(len(start))  # of what was saved by a version that knew only whole blobs
        bytes_up = sum(int(arrays.get(_size_key(one.round_number, one.device), blob)) for one in now.arrivals)
        self._tally.add(now)
        after = state.after(
            now.number,
            moved,
            arrays=_still_wanted(arrays, now) | self._channel.arrays(),
            counts=RoundCounts(len(now.given), bytes_up, bytes_down, excluded),
            checkpoints=self._simulation.checkpoints,
        )
        return after, trained

    def time(self) -> VirtualTime:
        """What the clock says now."""
        return self._tally.figures()

    def _kept(self, now: VirtualRound, learned: Vector, samples: NDArray[np.int64]) -> SavedArrays:
        kept: SavedArrays = {}
        for device, row, count in zip(now.given, learned, samples, strict=True):
            sent = self._channel.sent(device, row)
            values = (sent.learned, np.array(count), sent.residual)
            kept |= dict(zip(_keys(now.number, device), values, strict=True))
            kept[_size_key(now.number, device)] = np.array(sent.bytes)
        return kept

    def _counted(self, vector: Vector, arrays: SavedArrays, one: Arrival) -> ClientUpdate:
        learned, count, owed = _keys(one.round_number, one.device)
        self._channel.counted(one.device, arrays.get(owed, NOTHING))
        samples, power = int(arrays[count]), self._buffered.staleness_exponent
        return counted(one.device, vector, arrays[learned], samples, age=one.age, power=power)


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
    for name in (one.name for one in fields(buffered)):
        _check_range(name, getattr(buffered, name))


def _check_range(name: str, value: float) -> None:
    """Raises: ConfigurationError for a value that a run's file could not have."""
    section = "round" if name in keys_of("round") else "simulation"
    least, most = limits(f"{section}.{name}")
    least = max(least, 1) if name == "buffer" else least  # 0 in a file is a simulation without one
    if not (least <= value <= most and math.isfinite(value)):
        possible = f"{least:g} to {most:g}" if math.isfinite(most) else f"a number from {least:g} on"
        raise ConfigurationError(f"{name} is {value:g}", f"{possible} is possible")


def _obstacle(simulation: Simulation, strategy: Strategy) -> str:
    if reason := strategies.fleet_obstacle(strategy):
        return reason
    if simulation.float_fraction:
        return "who computes in float32 goes by the place in a round of its own (simulation.float_fraction)"
    return ""


def _keys(round_number: int, device: str) -> tuple[str, str, str]:
    """Names of what a device will return, float64 [parameters], from how many samples, and what it then owes."""
    return f"learned:{round_number}:{device}", f"samples:{round_number}:{device}", f"owed:{round_number}:{device}"


def _size_key(round_number: int, device: str) -> str:
    """The name of how many bytes that is: wanted of late ones, too (V6)."""
    return f"{_SIZE}{round_number}:{device}"


def _still_wanted(arrays: SavedArrays, now: VirtualRound) -> SavedArrays:
    """Of all work that can still count; the size of what comes late, until the device's next update has come."""
    arrived = {one.device: one.round_number for one in now.arrivals}
    sizes = {
        name: value
        for name, value in arrays.items()
        if name.startswith(_SIZE) and _is_after(name.removeprefix(_SIZE), arrived)
    }
    return {key: arrays[key] for left in now.left for key in _keys(*left) if key in arrays} | sizes


def _is_after(work: str, arrived: Mapping[str, int]) -> bool:
    """Whether "<round>:<device>" is of a later round than the device's last update that came."""
    number, _, device = work.partition(":")
    return int(number) > arrived.get(device, 0)
