"""V1 to V6 of simulate.md: the virtual clock, and that the coordinator's machine (R13) plays the same course."""

from __future__ import annotations

import hashlib
import itertools
import math
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from statistics import fmean, median, stdev
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as rounds_of
from hypothesis import strategies as st

from common.plain_simulation import PLAIN
from jaragua.coordinator.rounds import machine
from jaragua.coordinator.rounds.machine import Action, ResumeState, RoundMachine, Rules
from jaragua.coordinator.rounds.validation import Expected
from jaragua.simulation import Buffered, Simulation, device_names
from jaragua.simulation.scheduling.virtual_time import TICKS_IN_A_UNIT, Arrival, Durations, Tally, VirtualRound, course
from jaragua.store.records import Assignment
from jaragua.wire.messages import UpdateHeader

NODE = "gateway"


def played(wanted: Simulation) -> list[VirtualRound]:
    assert wanted.buffered is not None
    return list(course(wanted, wanted.buffered))


def arrivals_of(rounds: Iterable[VirtualRound]) -> list[Arrival]:
    return [arrival for one in rounds for arrival in one.arrivals]


def units(durations: Durations, device: str, rounds: int = 2000) -> list[float]:
    return [durations.ticks(number, device) / TICKS_IN_A_UNIT for number in range(1, rounds + 1)]


# ---- V1 to V3: how long a device takes ----


def test_v2_times_are_log_normal_with_a_median_of_one_unit() -> None:
    logarithms = [math.log(one) for one in units(Durations(3, ["a"], Buffered(1, compute_time_sigma=0.4)), "a", 8000)]
    assert abs(median(logarithms)) < 0.02
    assert abs(fmean(logarithms)) < 0.02
    assert abs(stdev(logarithms) - 0.4) < 0.01


def test_v2_a_time_is_drawn_from_seed_round_and_device_alone() -> None:
    one, fewer = (Durations(3, names, Buffered(1)) for names in (["a", "b"], ["b"]))
    assert units(one, "b", 5) == units(fewer, "b", 5)
    others = units(one, "a", 5), units(Durations(4, ["b"], Buffered(1)), "b", 5)
    assert len({*units(one, "b", 5), *others[0], *others[1]}) == 15


def test_v1_times_are_whole_ticks_and_one_at_least() -> None:
    assert Durations(3, ["a"], Buffered(1, compute_time_sigma=0.0)).ticks(1, "a") == TICKS_IN_A_UNIT
    wide = Durations(3, ["a"], Buffered(1, compute_time_sigma=3.0))
    assert min(wide.ticks(number, "a") for number in range(2000)) >= 1


def test_v1_every_machine_gets_the_same_ticks() -> None:
    """Another machine or library must get these, too; device-1 is the slow one."""
    durations = Durations(1, device_names(4), Buffered(1, slow_fraction=0.25))
    assert durations.slow == {"device-1"}
    assert [durations.ticks(number, "device-1") for number in (1, 2, 3)] == [5605587, 3811040, 3909186]


@pytest.mark.parametrize(("fraction", "count"), [(0.0, 0), (0.2, 4), (0.22, 4), (0.23, 5), (1.0, 20)])
def test_v3_the_slow_fraction_is_counted_and_takes_so_many_times_as_long(fraction: float, count: int) -> None:
    names = device_names(20)
    slow = Durations(5, names, Buffered(1, slow_fraction=fraction, slow_factor=4.0, compute_time_sigma=0.0))
    assert len(slow.slow) == count
    for name in names:
        assert slow.ticks(1, name) == TICKS_IN_A_UNIT * (4 if name in slow.slow else 1)


def test_v3_a_larger_share_takes_in_a_smaller_one_and_another_seed_others() -> None:
    few, many, others = (
        Durations(seed, device_names(20), Buffered(1, slow_fraction=fraction)).slow for seed, fraction in SLOW
    )
    assert few < many
    assert others != few


SLOW = ((5, 0.2), (5, 0.4), (6, 0.2))


# ---- V4, V5: one thing at a time, in the order of the clock ----


def test_v5_devices_that_are_done_at_once_come_in_the_order_of_their_names(make: Any) -> None:
    wanted = make(clients=5, devices=device_names(12), buffered=Buffered(5, compute_time_sigma=0.0))
    for one in played(wanted):
        assert [arrival.device for arrival in one.arrivals] == list(one.given)
        assert {arrival.ticks for arrival in one.arrivals} == {one.number * TICKS_IN_A_UNIT}


def test_v4_a_device_never_does_two_things_at_a_time(make: Any) -> None:
    """Its updates are at least as far from each other as the later one takes."""
    buffered = Buffered(2, max_staleness=1, slow_fraction=0.4, slow_factor=9.0)
    wanted = make(rounds=300, clients=6, devices=device_names(9), buffered=buffered)
    durations = Durations(wanted.seed, wanted.devices, buffered)
    rounds = played(wanted)
    assert sum(arrival.is_late for arrival in arrivals_of(rounds)) > 20
    by_device = sorted(arrivals_of(rounds), key=lambda one: (one.device, one.ticks))
    for one, after in itertools.pairwise(by_device):
        if one.device == after.device:
            assert after.ticks - one.ticks >= durations.ticks(after.round_number, after.device)


def test_v4_what_is_too_old_before_it_is_begun_is_never_done(make: Any) -> None:
    """A device so slow that it loses its assignment twice while it does its first work."""
    buffered = Buffered(1, max_staleness=1, slow_fraction=0.25, slow_factor=50.0, compute_time_sigma=0.0)
    wanted = make(rounds=120, clients=4, devices=device_names(4), buffered=buffered)
    (slow,) = Durations(wanted.seed, wanted.devices, buffered).slow
    rounds = played(wanted)
    given_to_it = [one.number for one in rounds if slow in one.given]
    came = [one.round_number for one in arrivals_of(rounds) if one.device == slow]
    assert len(given_to_it) > 10 * len(came) > 0
    assert all(one.ticks % (50 * TICKS_IN_A_UNIT) == 0 for one in arrivals_of(rounds) if one.device == slow)


def test_v6_the_figures_are_those_of_the_arrivals(make: Any) -> None:
    wanted = make(
        rounds=50, clients=6, devices=device_names(9), buffered=Buffered(2, max_staleness=2, slow_fraction=0.3)
    )
    rounds, tally = played(wanted), Tally()
    for one in rounds:
        tally.add(one)
    figures, arrivals = tally.figures(), arrivals_of(rounds)
    taken = [one for one in arrivals if one.taken_in - one.round_number <= 2]
    assert figures.updates == len(taken) == 100
    assert figures.late == len(arrivals) - len(taken) > 0
    assert figures.mean_age == fmean(one.taken_in - one.round_number for one in taken)
    assert figures.finish * TICKS_IN_A_UNIT == max(one.ticks for one in arrivals)
    assert [one.ticks for one in arrivals] == sorted(one.ticks for one in arrivals)


# ---- R13: the coordinator's machine is given the same arrivals ----


@dataclass
class Coordinator:
    """The machine of a run, whose updates have no content: it must choose, take and refuse as the simulation does."""

    wanted: Simulation
    given: dict[int, tuple[str, ...]] = field(default_factory=dict)
    commands: dict[tuple[int, str], Assignment] = field(default_factory=dict)
    taken_in: dict[tuple[int, str], int] = field(default_factory=dict)
    verdicts: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        wanted, buffered = self.wanted, self.wanted.buffered
        assert buffered is not None
        devices = len(wanted.devices)
        self._machine = RoundMachine(
            Rules(
                run="run-1",
                seed=wanted.seed,
                rounds=wanted.rounds,
                clients=wanted.clients,
                quorum=min(wanted.clients, devices),
                minimum=devices,
                deadline_ms=1_000_000,
                wait_ms=0,
                expected=Expected(
                    metric="mse",
                    most_samples=lambda number: 1_000_000,
                    check_updates=lambda updates: [""] * len(updates),
                ),
                buffer=buffered.buffer,
                max_staleness=buffered.max_staleness,
            ),
            ResumeState(),
            (b"start",),
            self,
        )
        self._perform(self._machine.start(dict.fromkeys(wanted.devices, NODE), 0))

    @property
    def finished(self) -> bool:
        return self._machine.phase is machine.Phase.FINISHED

    def has_update(self, round_number: int, device: str) -> bool:
        return (round_number, device) in self.taken_in

    def node_of(self, round_number: int, device: str, attempt: int) -> str | None:
        one = self.commands.get((round_number, device))
        return NODE if one is not None and one.attempt == attempt else None

    def take(self, arrival: Arrival) -> None:
        """What a device sends when the clock of the simulation says so."""
        one = self.commands[arrival.round_number, arrival.device]
        nothing = hashlib.sha256(b"").digest()
        header = UpdateHeader(
            "run-1", one.round_number, one.device, one.attempt, b"start", "blob", 1, 0.0, "mse", 0.0, 0, 0, nothing
        )
        self._perform(self._machine.update(NODE, header, b"", 0))

    def _perform(self, actions: list[Action]) -> None:
        for action in actions:
            match action:
                case machine.OpenRound(number, _, assignments):
                    self.given[number] = tuple(one.device for one in assignments)
                case machine.Command(one):
                    self.commands[one.round_number, one.device] = one
                case machine.Keep(header, _, _, taken_in):
                    self.taken_in[header.round, header.device] = taken_in
                case machine.Acknowledge(_, _, verdict):
                    self.verdicts.append(verdict.result)
                case machine.CloseRound():
                    self._perform(self._machine.closed((b"start",), 0))
                case machine.Announce():
                    pass
                case _:
                    raise AssertionError(action)


@st.composite
def fleets(draw: st.DrawFn) -> tuple[dict[str, Any], Buffered]:
    devices, clients = draw(st.integers(1, 12)), draw(st.integers(1, 14))
    buffered = Buffered(
        buffer=draw(st.integers(1, clients)),
        max_staleness=draw(st.integers(1, 5)),
        compute_time_sigma=draw(st.sampled_from([0.0, 0.25, 1.5])),
        slow_fraction=draw(st.sampled_from([0.0, 0.2, 0.6])),
        slow_factor=draw(st.sampled_from([1.0, 4.0, 30.0])),
    )
    changes = {"devices": device_names(devices), "clients": clients, "seed": draw(st.integers(0, 2**32))}
    return changes, buffered


@given(fleets())
@rounds_of(max_examples=150)
def test_r13_the_coordinator_takes_the_same_arrivals_in_the_same_rounds(fleet: tuple[dict[str, Any], Buffered]) -> None:
    changes, buffered = fleet
    wanted = replace(PLAIN, rounds=20, buffered=buffered, **changes)
    coordinator, rounds = Coordinator(wanted), played(wanted)
    for arrival in arrivals_of(rounds):
        assert not coordinator.finished
        coordinator.take(arrival)
        assert coordinator.verdicts[-1] == ("late" if arrival.is_late else "stored")
        if not arrival.is_late:
            assert coordinator.taken_in[arrival.round_number, arrival.device] == arrival.taken_in
    assert coordinator.finished
    assert coordinator.given == {one.number: one.given for one in rounds}
