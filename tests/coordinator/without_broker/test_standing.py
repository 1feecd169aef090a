"""R15: devices that never answer cost a run deadlines, and not its life; who was slow once comes back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_round_machine import DEVICES, World, fixed

from jaragua.coordinator.connection.roster import Change, Presence
from jaragua.coordinator.rounds import machine, rules
from jaragua.coordinator.rounds.standing import Place, Standing

HONEST = frozenset(DEVICES[:4])


def world_of(strangers: int, **changes: object) -> World:
    """Four honest devices, and strangers that claim to be ready and never answer."""
    present = dict.fromkeys([*HONEST, *(f"stranger-{number}" for number in range(strangers))], "gateway-1")
    return World(fixed(**changes), present=present)


def honest_only(world: World) -> None:
    """Deliver what honest devices have trained; what was sent in a stranger's name never existed."""
    while True:
        world.sent = [one for one in world.sent if one[0].device in HONEST]
        if not world.sent or world.core.phase is machine.Phase.FINISHED:
            return
        world.deliver(0)


def deadlines_until_finished(world: World, restart_at: frozenset[int] = frozenset()) -> int:
    for count in range(200):
        honest_only(world)
        if world.core.phase is machine.Phase.FINISHED:
            return count
        if count in restart_at:
            world.begin()
            honest_only(world)
        world.pass_deadline()
        assert not world.gave_up
    pytest.fail("the run did not end in 200 deadlines")


@pytest.mark.parametrize("strangers", [1, 10, 300, 4000])
def test_r15_strangers_cost_a_few_deadlines_in_all(strangers: int) -> None:
    """R15.2: more are asked beside in each round, so that all are soon asked."""
    world = world_of(strangers, rounds=10)
    passed = deadlines_until_finished(world)
    # All of them are asked after so many doublings; then the honest ones are known.
    assert passed <= 2 + (strangers // 3 + 1).bit_length()


@pytest.mark.parametrize("restart_at", [{0}, {1, 2, 3}, set(range(200))])
def test_r15_and_a_restart_does_not_begin_it_anew(restart_at: set[int]) -> None:
    assert deadlines_until_finished(world_of(300, rounds=10), frozenset(restart_at)) <= 12


def test_r15_strangers_that_come_while_a_run_goes_on_are_asked_beside() -> None:
    world = world_of(3, rounds=20)
    deadlines = 0
    while world.opened[-1].round_number < 3:
        honest_only(world)
        deadlines += 1
        world.pass_deadline()
    changes = [Change(f"late-{number}", "gateway-9", Presence.PRESENT) for number in range(300)]
    world.perform(world.core.devices(changes, world.now_ms))
    world.present |= dict.fromkeys((one.device for one in changes), "gateway-1")
    honest_only(world)
    assert world.core.phase is machine.Phase.FINISHED


def test_r15_2_who_was_silent_is_asked_beside_and_comes_back_when_it_delivers() -> None:
    """R15.1: the round waits for none that is silent."""
    world = World(fixed(clients=4, quorum=3, rounds=4), present=dict.fromkeys(DEVICES[:4], "gateway-1"))
    slow = world.sent[0][0].device
    for one in [one for one in world.sent if one[0].device != slow]:
        world.deliver(world.sent.index(one))
    world.sent.clear()
    world.pass_deadline()
    assert world.core.silent == [slow]
    assert slow in {one.device for one in world.opened[1].assignments}
    assert len(world.opened[1].assignments) == 4  # beside the three
    world.deliver(next(index for index, one in enumerate(world.sent) if one[0].device == slow))
    assert world.core.silent == []
    assert len(world.core.waiting_for) == 3  # it took nobody's place
    world.finish()


def test_r15_2_proven_devices_are_asked_before_new_ones_and_those_before_who_never_answered() -> None:
    """One more than half of K, or what is missing to K; R1 decides among equals."""
    proven, asked, new = DEVICES[:2], DEVICES[2:3], DEVICES[3:]
    for number in range(1, 40):
        place = Place(seed=3, round_number=number, clients=4, quorum=1)
        standing = Standing(DEVICES[:2], [*proven[:1], *asked])
        choice = standing.choose(place, DEVICES, ())
        assert choice.waited_for == (proven[1],)  # R15.1: all others are silent or on probation
        order = standing.in_order(3, number, set(DEVICES) - {proven[1]})
        assert order[0] == proven[0]
        assert set(order[1:4]) == set(new)
        assert order[4:] == list(asked)
        assert choice.beside == tuple(sorted(order[:3]))  # 4 wanted, 1 is waited for
    few = Standing(DEVICES, DEVICES[:3]).choose(Place(3, 1, 2, 1), DEVICES, ())
    assert (len(few.waited_for), len(few.beside)) == (2, 1)


def test_r15_3_with_too_few_trusted_for_a_quorum_the_silent_are_waited_for() -> None:
    standing = Standing(DEVICES, DEVICES[2:])
    choice = standing.choose(Place(seed=1, round_number=2, clients=4, quorum=3), DEVICES, ())
    assert choice.beside == ()
    assert len(choice.waited_for) == 4
    assert set(DEVICES[:2]) < set(choice.waited_for)


@given(st.sets(st.sampled_from(DEVICES)), st.integers(1, 100), st.integers(1, 6))
def test_r15_1_without_silence_the_choice_is_that_of_r1(proven: set[str], number: int, clients: int) -> None:
    choice = Standing(proven).choose(Place(7, number, clients, 1), DEVICES, ())
    assert list(choice.waited_for) == rules.choose(7, number, DEVICES, clients)
    assert choice.beside == ()


def played(kill_before: int | None) -> bytes:
    """Five rounds in which one or two devices are mute, another pair in each round."""
    world = World(fixed(clients=3, quorum=2, rounds=5), present=dict.fromkeys(DEVICES, "gateway-1"))
    for count in range(100):
        if world.core.phase is machine.Phase.FINISHED:
            return world.base
        if count == kill_before:
            world.begin()
        number = world.opened[-1].round_number
        mute = {DEVICES[number % 6], DEVICES[2 * number % 6]}
        world.sent = [one for one in sorted(world.sent, key=lambda one: one[0].device) if one[0].device not in mute]
        if world.sent:
            world.deliver(0)
        else:
            world.pass_deadline()
    pytest.fail("it did not end")


@pytest.mark.parametrize("moment", range(24))
def test_r15_4_killed_at_any_moment_a_disturbed_run_ends_in_the_same_model(moment: int) -> None:
    """R9: who is silent is in the store when a round is closed."""
    assert played(moment) == played(None)
