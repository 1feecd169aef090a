"""When which virtual device is done: R13 of rounds.md on a virtual clock (simulate.md, V). Pure.

Nothing here depends on what is learned, so the whole course of a simulation follows from its settings: it is played
again, and not stored, when a simulation goes on.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from statistics import NormalDist
from typing import Final

from jaragua.bases.value import Value
from jaragua.coordinator.rounds import rules
from jaragua.simulation.settings import Buffered, Simulation, VirtualTime

#: V1: of the work of a median device.
TICKS_IN_A_UNIT: Final = 1_000_000
#: Bits of a digest that make a number between 0 and 1: as many as leave room for the half that is added.
_BITS: Final = 52


class Arrival(Value):
    """An update that came. round_number: of the start that it was learned from; taken_in: the round open then."""

    ticks: int
    device: str
    round_number: int
    taken_in: int
    is_late: bool

    @property
    def age(self) -> int:
        """Age of its start, in rounds."""
        return self.taken_in - self.round_number


class VirtualRound(Value):
    """One round, from its opening to its end. given: who was given work when it opened, sorted."""

    number: int
    given: tuple[str, ...]
    arrivals: tuple[Arrival, ...]
    """In their order; the last one filled the buffer."""
    left: tuple[tuple[int, str], ...]
    """Round and device of all work that can still count after it."""

    @property
    def taken(self) -> list[Arrival]:
        """What counts in the round, in the order of devices (R5)."""
        return sorted((one for one in self.arrivals if not one.is_late), key=lambda one: one.device)


class Durations:
    """V2, V3: how long a device takes for the work of a round, in ticks."""

    def __init__(self, seed: int, devices: Iterable[str], buffered: Buffered) -> None:
        self._seed = seed
        self._buffered = buffered
        ranked = sorted(devices, key=lambda device: rules.digest("slow", seed, 0, device))
        self.slow = frozenset(ranked[: math.floor(buffered.slow_fraction * len(ranked) + 0.5)])

    def ticks(self, round_number: int, device: str) -> int:
        """Log-normal with a median of a unit, of a slow device so many times as long; a tick at least."""
        drawn = int.from_bytes(rules.digest("duration", self._seed, round_number, device)[:8], "big")
        fraction = ((drawn >> (64 - _BITS)) + 0.5) / 2**_BITS
        units = math.exp(self._buffered.compute_time_sigma * NormalDist().inv_cdf(fraction))
        factor = self._buffered.slow_factor if device in self.slow else 1.0
        return max(1, round(units * factor * TICKS_IN_A_UNIT))


def course(simulation: Simulation, buffered: Buffered) -> Iterator[VirtualRound]:
    """All rounds, in order."""
    clock = _VirtualClock(simulation, buffered)
    for number in range(1, simulation.rounds + 1):
        yield clock.play(number)


class _VirtualClock:
    """The devices and what the coordinator knows of them. V4: a device does one thing at a time."""

    def __init__(self, simulation: Simulation, buffered: Buffered) -> None:
        self._simulation = simulation
        self._buffered = buffered
        self._durations = Durations(simulation.seed, simulation.devices, buffered)
        self._ticks = 0
        self._under_way: list[tuple[int, str, int]] = []
        """A heap of when, who, and from which round's start: V5, ties by the name of the device."""
        self._busy: set[str] = set()
        self._waiting: dict[str, int] = {}
        """Rounds of work that was given to devices that are still busy with something too old."""
        self._at_work: dict[str, int] = {}
        """What the coordinator waits for: of each device the round of its work."""

    def play(self, number: int) -> VirtualRound:
        """Open a round, and let time pass until it is full."""
        simulation = self._simulation
        given = rules.choose_beside(simulation.seed, number, simulation.devices, self._at_work, simulation.clients)
        for device in given:
            self._give(device, number)
        missing = rules.updates_that_close(self._buffered.buffer, len(self._at_work))
        arrivals: list[Arrival] = []
        while missing:
            arrivals.append(self._next_arrival(number))
            missing -= not arrivals[-1].is_late
        self._let_off(number + 1)
        left = tuple((begun, device) for device, begun in self._at_work.items())
        return VirtualRound(number, tuple(given), tuple(arrivals), left)

    def _give(self, device: str, number: int) -> None:
        self._at_work[device] = number
        if device in self._busy:
            self._waiting[device] = number
        else:
            self._begin(device, number)

    def _begin(self, device: str, number: int) -> None:
        done = self._ticks + self._durations.ticks(number, device)
        heapq.heappush(self._under_way, (done, device, number))
        self._busy.add(device)

    def _next_arrival(self, open_round: int) -> Arrival:
        self._ticks, device, number = heapq.heappop(self._under_way)
        self._busy.remove(device)
        if device in self._waiting:
            self._begin(device, self._waiting.pop(device))
        is_late = self._is_too_old(number, open_round)
        if not is_late:
            del self._at_work[device]
        return Arrival(self._ticks, device, number, open_round, is_late)

    def _let_off(self, following: int) -> None:
        """R13.2, V4: what cannot count any more is not waited for, and not begun."""
        for work in (self._at_work, self._waiting):
            for device in [one for one, number in work.items() if self._is_too_old(number, following)]:
                del work[device]

    def _is_too_old(self, number: int, open_round: int) -> bool:
        return rules.is_too_old(number, open_round, self._buffered.max_staleness)


@dataclass
class Tally:
    """V6: the figures of the rounds that were played."""

    ticks: int = 0
    updates: int = 0
    ages: int = 0
    late: int = 0

    def add(self, one: VirtualRound) -> None:
        """Another round is over."""
        taken = one.taken
        self.ticks = one.arrivals[-1].ticks
        self.updates += len(taken)
        self.ages += sum(arrival.age for arrival in taken)
        self.late += len(one.arrivals) - len(taken)

    def figures(self) -> VirtualTime:
        """As the result says them."""
        return VirtualTime(self.ticks / TICKS_IN_A_UNIT, self.updates, self.ages / max(1, self.updates), self.late)
