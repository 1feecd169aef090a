"""The round machine alone: rules R1 to R9 of docs/design/rounds.md, and that no order of events changes the result."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from jaragua.coordinator.connection.roster import Change, Presence
from jaragua.coordinator.rounds import machine, rules
from jaragua.coordinator.rounds.machine import ResumeState, RoundMachine, Rules
from jaragua.coordinator.rounds.validation import Expected, Verdict
from jaragua.store.records import Assignment
from jaragua.wire.messages import UpdateHeader

DEVICES = tuple(f"board-{number}" for number in range(6))
START = b"\x11" * 32


def fixed(**changes: object) -> Rules:
    values: dict[str, object] = {
        "run": "run-1",
        "seed": 5,
        "rounds": 3,
        "clients": 3,
        "quorum": 3,
        "minimum": 4,
        "deadline_ms": 1000,
        "wait_ms": 5000,
        "expected": Expected(
            metric="accuracy",
            most_samples=lambda number: 10,
            check_updates=lambda updates: [
                "" if blob.startswith(b"weights") else "it is not a blob" for _, blob in updates
            ],
        ),
    }
    return Rules(**(values | changes))  # type: ignore[arg-type]


def trained(assignment: Assignment, base: bytes) -> tuple[UpdateHeader, bytes]:
    """What a healthy device returns: it depends on where it started and on its seed, and on nothing else."""
    blob = b"weights" + hashlib.sha256(base + str(assignment.seed).encode()).digest()
    header = UpdateHeader(
        run="run-1",
        round=assignment.round_number,
        device=assignment.device,
        attempt=assignment.attempt,
        base=base,
        encoding="blob",
        samples=10,
        loss=1.0,
        metric="accuracy",
        score=0.5,
        instructions=9000,
        bytes=len(blob),
        sha256=hashlib.sha256(blob).digest(),
    )
    return header, blob


@dataclass
class World:
    """A rim without sockets: carries out actions, keeps what is to be kept, delivers what it is told to."""

    rules: Rules
    base: bytes = START
    present: dict[str, str] = field(default_factory=lambda: dict.fromkeys(DEVICES, "gateway-1"))
    now_ms: int = 0
    core: RoundMachine = field(init=False)
    resumed: ResumeState = field(default_factory=ResumeState)
    bases: dict[int, bytes] = field(default_factory=dict)
    updates: dict[tuple[int, str], bytes] = field(default_factory=dict)
    taken_in: dict[tuple[int, str], int] = field(default_factory=dict)
    sent: list[tuple[UpdateHeader, bytes]] = field(default_factory=list)
    verdicts: list[tuple[str, Verdict]] = field(default_factory=list)
    opened: list[machine.OpenRound] = field(default_factory=list)
    commands: list[machine.Command] = field(default_factory=list)
    gave_up: str = ""

    def __post_init__(self) -> None:
        self.begin()

    def begin(self) -> None:
        """Start the coordinator, or start it again from what was kept."""
        self.bases[self.resumed.rounds_done + 1] = self.base
        self.resumed = replace(self.resumed, bases={number: (base,) for number, base in self.bases.items()})
        self.core = RoundMachine(self.rules, self.read(), (self.base,), self)
        self.perform(self.core.start(dict(self.present), self.now_ms))

    def read(self) -> ResumeState:
        """What the driver reads of all that was kept (R20.4)."""
        kept, following = self.resumed, self.resumed.rounds_done + 1
        since = following - self.rules.max_staleness
        return replace(
            kept,
            assignments=tuple(one for one in kept.assignments if one.round_number >= since),
            stored=frozenset(one for one in kept.stored if one[0] >= since),
            proven=frozenset(device for number, device in kept.stored if number < following),
        )

    def has_update(self, round_number: int, device: str) -> bool:
        return (round_number, device) in self.resumed.stored

    def node_of(self, round_number: int, device: str, attempt: int) -> str | None:
        key = round_number, device, attempt
        return next((a.node for a in self.resumed.assignments if (a.round_number, a.device, a.attempt) == key), None)

    def perform(self, actions: list[machine.Action]) -> None:
        for action in actions:
            self.perform_one(action)

    def perform_one(self, action: machine.Action) -> None:
        match action:
            case machine.OpenRound(_, members, assignments):
                self.opened.append(action)
                self.resumed = replace(self.resumed, open_members=members, last_members=members)
                self.keep_assignments(assignments)
            case machine.Assign(assignment):
                self.keep_assignments((assignment,))
            case machine.Command(assignment):
                self.commands.append(action)
                assert assignment.node == "gateway-1"
                if assignment.device in self.present:
                    self.sent.append(trained(assignment, self.bases[assignment.round_number]))
            case machine.Keep(header, blob, _, taken_in):
                self.taken_in[header.round, header.device] = taken_in
                self.updates[header.round, header.device] = blob
                stored = self.resumed.stored | {(header.round, header.device)}
                self.resumed = replace(self.resumed, stored=stored, taken=self.resumed.taken + 1)
            case machine.Acknowledge(_, header, verdict):
                self.verdicts.append((header.device, verdict))
            case machine.CloseRound(number):
                self.close(number)
            case machine.GiveUp(message):
                self.gave_up = message

    def keep_assignments(self, more: tuple[Assignment, ...]) -> None:
        self.resumed = replace(self.resumed, assignments=self.resumed.assignments + more)

    def close(self, number: int) -> None:
        """Aggregate in the order of devices (R5): the hash stands for the sum."""
        parts = [blob for key, blob in sorted(self.updates.items()) if self.taken_in[key] == number]
        self.base = hashlib.sha256(self.base + b"".join(parts)).digest()
        silent = frozenset(self.core.silent)
        self.resumed = replace(self.resumed, rounds_done=number, open_members=None, taken=0, silent=silent)
        self.bases[number + 1] = self.base
        self.perform(self.core.closed((self.base,), self.now_ms))

    def deliver(self, index: int, *, keep: bool = False) -> None:
        header, blob = self.sent[index] if keep else self.sent.pop(index)
        self.perform(self.core.update("gateway-1", header, blob, len(blob)))

    def lose(self, device: str, presence: Presence = Presence.LOST) -> None:
        """The device goes, and what it had not delivered goes with it."""
        self.present.pop(device, None)
        self.sent = [one for one in self.sent if one[0].device != device]
        self.perform(self.core.devices([Change(device, "gateway-1", presence)], self.now_ms))

    def bring(self, device: str) -> None:
        again = device in self.present
        self.present[device] = "gateway-1"
        self.perform(self.core.devices([Change(device, "gateway-1", Presence.PRESENT, again)], self.now_ms))

    def finish(self) -> bytes:
        """Bring everyone back and deliver all; the hash of the final model.

        With a buffer (R13) a device that was lost at work is not asked again. If too few others are at work, the round
        goes on at its deadline.
        """
        for device in DEVICES:
            if device not in self.present:
                self.bring(device)
        self.deliver_all()
        for _ in range(self.rules.rounds if self.rules.buffer else 0):
            if self.core.phase is not machine.Phase.FINISHED:
                self.pass_deadline()
                self.deliver_all()
        assert self.core.phase is machine.Phase.FINISHED
        return self.base

    def deliver_all(self) -> None:
        while self.sent:
            self.deliver(0)

    def pass_deadline(self) -> None:
        self.now_ms += self.rules.deadline_ms
        self.perform(self.core.tick(self.now_ms))


LONG = fixed(rounds=6)
UNDISTURBED = World(LONG).finish()

disturbance = st.one_of(
    # Twice, so that rounds go by between the disturbances.
    st.tuples(st.just("deliver"), st.integers(0, 50)),
    st.tuples(st.just("deliver"), st.integers(0, 50)),
    st.tuples(st.just("duplicate"), st.integers(0, 50)),
    st.tuples(st.just("drop"), st.integers(0, 50)),
    st.tuples(st.just("lose"), st.integers(0, len(DEVICES) - 1)),
    st.tuples(st.just("bring"), st.integers(0, len(DEVICES) - 1)),
    st.tuples(st.just("kill"), st.just(0)),
    st.tuples(st.sampled_from(["come while dead", "go while dead"]), st.integers(0, len(DEVICES) - 1)),
)


def disturb(world: World, what: str, which: int) -> None:
    if what == "lose":
        world.lose(DEVICES[which])
    elif what == "bring":
        world.bring(DEVICES[which])
    elif what == "kill":
        world.begin()
    elif what == "come while dead":
        world.present[DEVICES[which]] = "gateway-1"
        world.begin()
    elif what == "go while dead":
        world.present.pop(DEVICES[which], None)
        world.sent = [one for one in world.sent if one[0].device != DEVICES[which]]
        world.begin()
    elif world.sent and what == "drop":
        # A lost message is sent again in time (M2): the node has it in its outbox.
        world.sent.append(world.sent.pop(which % len(world.sent)))
    elif world.sent:
        world.deliver(which % len(world.sent), keep=what == "duplicate")


@given(st.lists(disturbance, min_size=20, max_size=120))
@settings(max_examples=300)
def test_no_order_of_events_changes_the_model(disturbances: list[tuple[str, int]]) -> None:
    """R5, R6, R9: arrivals in any order, duplicates, losses, kills of the coordinator."""
    world = World(LONG)
    for what, which in disturbances:
        disturb(world, what, which)
    assert world.finish() == UNDISTURBED
    assert {verdict.result for _, verdict in world.verdicts} <= {"stored", "duplicate", "late"}


@given(st.integers(0, 2**63 - 1), st.integers(1, 10**6), st.sets(st.sampled_from(DEVICES), min_size=2))
def test_r1_a_device_that_goes_changes_nobody_elses_place(seed: int, number: int, devices: set[str]) -> None:
    order = rules.ranking(seed, number, devices)
    gone = order[0]
    assert rules.ranking(seed, number, devices - {gone}) == order[1:]
    assert rules.choose(seed, number, devices, 2) == sorted(order[:2])


def test_r1_every_device_gets_its_turn() -> None:
    taken = [device for number in range(1, 601) for device in rules.choose(9, number, DEVICES, 2)]
    assert all(abs(taken.count(device) - 200) < 60 for device in DEVICES)


def test_r2_the_seed_of_a_task_depends_on_run_round_and_device_only() -> None:
    seeds = {rules.train_seed(run, number, device) for run in (1, 2) for number in (1, 2) for device in DEVICES}
    assert len(seeds) == 4 * len(DEVICES)
    assert all(0 <= seed < 2**63 for seed in seeds)


def test_r3_the_first_round_waits_for_the_minimum() -> None:
    world = World(fixed(), present=dict.fromkeys(DEVICES[:3], "gateway-1"))
    assert world.core.phase is machine.Phase.WAITING
    world.bring(DEVICES[3])
    assert world.core.phase is machine.Phase.TRAINING
    assert world.opened[0].members == DEVICES[:4]


def test_r3_too_few_devices_stop_the_run() -> None:
    world = World(fixed(), present={})
    world.now_ms = 5000
    world.perform(world.core.tick(world.now_ms))
    assert world.gave_up == "0 of 4 devices were ready after 5 s (none)"


def test_r3_a_run_that_goes_on_waits_for_who_took_part_then_does_with_a_quorum() -> None:
    world = World(fixed())
    world.resumed = ResumeState(rounds_done=1, last_members=DEVICES)
    world.present = dict.fromkeys(DEVICES[:4], "gateway-1")
    world.opened.clear()
    world.begin()
    assert world.core.phase is machine.Phase.WAITING
    world.now_ms = 5000
    world.perform(world.core.tick(world.now_ms))
    assert world.opened[0].members == DEVICES[:4]


def evaluated(header: UpdateHeader, blob: bytes, *, node: str = "gateway-1", world: World | None = None) -> Verdict:
    world = world or World(fixed())
    world.perform(world.core.update(node, header, blob, len(blob)))
    return world.verdicts[-1][1]


def test_r4_an_expected_update_is_stored() -> None:
    assert evaluated(*World(fixed()).sent[0]) == Verdict("stored")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"run": "run-2"}, "the run here is run-1"),
        ({"round": 2}, "the device was not given this part of the round"),
        ({"attempt": 2}, "the device was not given this part of the round"),
        ({"device": "stranger"}, "the device was not given this part of the round"),
        ({"base": b"\x22" * 32}, "it started from 222222222222, this round starts from 111111111111"),
        ({"bytes": 38}, "39 bytes of weights came, its header says 38"),
        ({"sha256": b"\0" * 32}, "the weights do not have the SHA-256 of its header"),
        ({"metric": "mse"}, "it reports mse, this run is evaluated by accuracy"),
        ({"loss": float("nan")}, "its loss is nan, outside 0 to 1e+06"),
        ({"loss": 1e308}, "its loss is 1e+308, outside 0 to 1e+06"),
        ({"loss": -1e-9}, "its loss is -1e-09, outside 0 to 1e+06"),
        ({"score": float("inf")}, "its score is inf, outside 0 to 1"),
        ({"score": 1.0001}, "its score is 1.0001, outside 0 to 1"),
        ({"samples": 0}, "its number of samples is 0, outside 1 to 10"),
        ({"samples": 11}, "its number of samples is 11, outside 1 to 10"),
        ({"samples": 2**64 - 1}, "its number of samples is 1.84467e+19, outside 1 to 10"),
        ({"instructions": 2**63}, "its number of instructions is 9.22337e+18, outside 0 to 4.29497e+09"),
    ],
)
def test_r4_what_does_not_fit_is_rejected_with_its_reason(change: dict[str, object], reason: str) -> None:
    header, blob = World(fixed()).sent[0]
    verdict = evaluated(replace(header, **change), blob)  # type: ignore[arg-type]
    assert (verdict.result, verdict.reason) == ("rejected", reason)


def test_r4_weights_of_another_network_are_rejected() -> None:
    header, _ = World(fixed()).sent[0]
    blob = b"something else"
    header = replace(header, bytes=len(blob), sha256=hashlib.sha256(blob).digest())
    assert evaluated(header, blob).reason == "it is not a blob"


def test_r4_another_node_cannot_answer_for_a_device() -> None:
    assert evaluated(*World(fixed()).sent[0], node="gateway-2").result == "rejected"


def test_r4_a_second_update_of_a_device_is_a_duplicate_whatever_its_attempt() -> None:
    world = World(fixed())
    header, blob = world.sent[0]
    world.lose(header.device)
    world.bring(header.device)
    assert evaluated(header, blob, world=world).result == "stored"
    assert evaluated(replace(header, attempt=2), blob, world=world).result == "duplicate"


def test_r4_an_update_of_a_closed_round_is_late() -> None:
    world = World(fixed(quorum=2))
    header, blob = world.sent.pop(0)
    world.deliver(0)
    world.deliver(0)
    world.pass_deadline()
    assert evaluated(header, blob, world=world).result == "late"


def test_r6_a_lost_device_gets_another_attempt_with_the_same_seed() -> None:
    world = World(fixed())
    first = world.commands[0].assignment
    world.lose(first.device)
    world.bring(first.device)
    assert world.commands[-1].assignment == first._replace(attempt=2)


def test_r6_a_device_that_only_connected_anew_gets_the_same_command() -> None:
    world = World(fixed())
    first = world.commands[0].assignment
    world.bring(first.device)
    assert world.commands[-1].assignment == first


def test_r6_a_device_that_said_goodbye_is_not_chosen_again() -> None:
    world = World(fixed(clients=6, quorum=5))
    world.lose(DEVICES[0], Presence.AWAY)
    while world.sent:
        world.deliver(0)
        if len(world.opened) == 1 and not world.sent:
            world.pass_deadline()
    assert DEVICES[0] not in world.opened[1].members


def test_r7_below_the_quorum_the_missing_try_again_and_others_step_in() -> None:
    world = World(fixed())
    silent, gone = world.sent[0][0].device, world.sent[1][0].device
    world.lose(gone)
    world.deliver(1)
    world.sent.clear()
    world.pass_deadline()
    again = {command.assignment.device: command.assignment.attempt for command in world.commands[3:]}
    assert again.pop(silent) == 2
    assert list(again.values()) == [1, 1]  # one for who is silent, one for who is gone
    assert not set(again) & {one.device for one in world.opened[0].assignments}


def test_r7_the_run_stops_after_four_deadlines_at_which_nobody_stepped_in() -> None:
    world = World(fixed())
    world.pass_deadline()
    assert {one.assignment.device for one in world.commands} == set(DEVICES)
    for _ in range(machine.MAX_DEADLINES):
        assert not world.gave_up
        world.pass_deadline()
    assert "round 1 has 0 of the 3 updates it needs after 5 deadlines" in world.gave_up


def test_r8_useless_updates_are_tried_again_but_not_for_ever() -> None:
    world = World(fixed())
    device = world.sent[0][0].device
    while mine := [one for one in world.sent if one[0].device == device]:
        world.sent.remove(mine[0])
        world.perform(world.core.update("gateway-1", mine[0][0], b"weights?", 8))
    attempts = [one.assignment.attempt for one in world.commands if one.assignment.device == device]
    assert attempts == list(range(1, machine.MAX_ATTEMPTS + 1))


def deliver_all_but_one(world: World, sick: str) -> None:
    """Until nobody has anything to send; whatever `sick` sends has a loss that is not a number (M11)."""
    while world.sent:
        header, blob = world.sent.pop(0)
        header = replace(header, loss=float("nan")) if header.device == sick else header
        world.perform(world.core.update("gateway-1", header, blob, len(blob)))
    assert "stored" not in {verdict.result for device, verdict in world.verdicts if device == sick}


def attempts_of(world: World, number: int) -> dict[str, int]:
    """The newest attempt of each device that was asked in a round."""
    return {
        one.assignment.device: one.assignment.attempt for one in world.commands if one.assignment.round_number == number
    }


def test_m11_a_device_whose_loss_is_nan_ends_a_run_of_three_at_the_fourth_deadline_and_not_before() -> None:
    """R7, R8: it has eight attempts; the others' updates are stored, and nobody asks for them again."""
    world = World(fixed(minimum=3), present=dict.fromkeys(DEVICES[:3], "gateway-1"))
    deliver_all_but_one(world, DEVICES[0])
    wanted = {DEVICES[0]: machine.MAX_ATTEMPTS, DEVICES[1]: 1, DEVICES[2]: 1}
    for _ in range(machine.MAX_DEADLINES):
        assert attempts_of(world, 1) == wanted
        assert not world.gave_up
        assert world.core.phase is machine.Phase.TRAINING
        world.pass_deadline()
    assert set(world.updates) == {(1, DEVICES[1]), (1, DEVICES[2])}
    assert f"has 2 of the 3 updates it needs after 4 deadlines; missing: {DEVICES[0]}" in world.gave_up


def test_m11_with_a_smaller_quorum_a_device_whose_loss_is_nan_costs_one_deadline_of_a_run() -> None:
    """R7 closes its first round with the others; R15 waits for it in none after."""
    world = World(fixed(minimum=3, quorum=2), present=dict.fromkeys(DEVICES[:3], "gateway-1"))
    deliver_all_but_one(world, DEVICES[0])
    assert (world.core.phase, world.resumed.rounds_done) == (machine.Phase.TRAINING, 0)
    world.pass_deadline()
    deliver_all_but_one(world, DEVICES[0])
    assert world.core.phase is machine.Phase.FINISHED
    assert set(world.updates) == {(number, device) for number in (1, 2, 3) for device in DEVICES[1:3]}
    assert not world.gave_up


def test_m11_another_device_steps_in_for_one_whose_loss_is_nan() -> None:
    """R7: at the first deadline; R15: no round after waits for it, though it may be asked beside."""
    world = World(fixed())
    sick = world.sent[0][0].device
    deliver_all_but_one(world, sick)
    assert len(world.updates) == 2
    world.pass_deadline()
    deliver_all_but_one(world, sick)
    assert world.core.phase is machine.Phase.FINISHED
    assert sick not in {device for _, device in world.updates}
    assert all(sum(number == round_number for number, _ in world.updates) >= 3 for round_number in (1, 2, 3))


def test_r9_what_was_open_is_commanded_again_with_the_same_key() -> None:
    world = World(fixed())
    world.deliver(0)
    before = {command.assignment for command in world.commands[1:]}
    world.commands.clear()
    world.begin()
    assert {command.assignment for command in world.commands} == before


def test_r9_a_device_that_is_at_another_node_now_gets_another_attempt() -> None:
    world = World(fixed())
    first = world.commands[0].assignment
    world.present[first.device] = "gateway-2"
    world.core = RoundMachine(world.rules, world.read(), (world.base,), world)
    again = world.core.start(dict(world.present), 0)
    assert machine.Assign(first._replace(attempt=2, node="gateway-2")) in again


def test_r16_4_a_device_whose_stored_update_was_lost_is_asked_again_with_the_same_seed() -> None:
    """The end of the write-ahead log is gone with two updates that were acknowledged; they come again (M3)."""
    undisturbed = World(fixed()).finish()
    world = World(fixed())
    sent = list(world.sent)
    world.deliver(0)
    world.deliver(0)
    assert [verdict.result for _, verdict in world.verdicts] == ["stored", "stored"]
    world.resumed = replace(world.resumed, stored=frozenset(), taken=0)
    world.updates.clear()
    world.commands.clear()
    world.begin()
    asked = {command.assignment.device: command.assignment for command in world.commands}
    assert {one.seed for one in asked.values()} == {rules.train_seed(5, 1, device) for device in asked}
    assert set(asked) == {header.device for header, _ in sent}
    world.sent = sent
    assert world.finish() == undisturbed


def test_r9_a_round_whose_updates_are_all_stored_is_closed_at_once() -> None:
    world = World(fixed())
    numbers = {one.device for one in world.opened[0].assignments}
    world.resumed = replace(world.resumed, stored=frozenset((1, device) for device in numbers), taken=len(numbers))
    world.updates = {(1, device): b"weights" for device in numbers}
    world.taken_in = {(1, device): 1 for device in numbers}
    world.begin()
    assert world.opened[-1].round_number == 2


def test_k_of_one_is_the_serial_form() -> None:
    world = World(fixed(clients=1, quorum=1))
    world.finish()
    assert [len(one.assignments) for one in world.opened] == [1, 1, 1]


def buffered(**changes: object) -> Rules:
    """R13: four of six devices at work, two updates make a step."""
    return fixed(**{"clients": 4, "quorum": 2, "buffer": 2, "max_staleness": 3, "rounds": 6} | changes)


def deliver_of(world: World, device: str) -> Verdict:
    """The oldest update of a device that is under way."""
    index = next(number for number, (header, _) in enumerate(world.sent) if header.device == device)
    world.deliver(index)
    return world.verdicts[-1][1]


def test_r13_a_full_buffer_closes_the_round_and_the_slow_go_on() -> None:
    world = World(buffered())
    first = [one.device for one in world.opened[0].assignments]
    assert len(first) == 4
    for device in first[:2]:
        assert deliver_of(world, device).result == "stored"
    second = [one.device for one in world.opened[1].assignments]
    assert world.core.rounds_at_work == {1}
    assert len(second) == 2
    assert not set(second) & set(first[2:])


def test_r13_2_an_update_of_an_earlier_start_counts_in_the_open_round() -> None:
    world = World(buffered())
    first = [one.device for one in world.opened[0].assignments]
    for device in first[:3]:
        assert deliver_of(world, device).result == "stored"
    assert world.taken_in[1, first[2]] == 2
    assert world.core.at_work == {first[3], *(one.device for one in world.opened[1].assignments)}


def test_r13_2_an_update_that_is_too_old_is_late_and_its_device_is_let_off() -> None:
    world = World(buffered(max_staleness=1))
    slow = world.opened[0].assignments[0].device
    while world.core.phase is machine.Phase.TRAINING and world.opened[-1].round_number < 3:
        quick = next(header.device for header, _ in world.sent if header.device != slow)
        deliver_of(world, quick)
    assert slow not in world.core.at_work or slow in {one.device for one in world.opened[-1].assignments}
    assert deliver_of(world, slow).result == "late"


def test_r13_with_a_buffer_for_all_at_work_rounds_are_those_of_before() -> None:
    plain, full = World(fixed(rounds=6)), World(buffered(clients=3, buffer=3, quorum=3))
    assert plain.finish() == full.finish()


def test_r13_6_a_silent_fleet_is_given_up_at_the_deadline_and_others_step_in() -> None:
    world = World(buffered())
    first = [one.device for one in world.opened[0].assignments]
    for device in first[:2]:
        deliver_of(world, device)
    before = len(world.commands)
    world.pass_deadline()
    assert world.core.rounds_at_work == set()
    assert {one.assignment.round_number for one in world.commands[before:]} == {2}


def test_r13_6_a_device_lost_while_it_works_on_an_earlier_round_loses_its_assignment() -> None:
    """It is free when it comes back: what it is given then is of a later round."""
    world = World(buffered())
    first = [one.device for one in world.opened[0].assignments]
    for device in first[:2]:
        deliver_of(world, device)
    slow = first[2]
    assert slow in world.core.at_work
    world.lose(slow)
    assert slow not in world.core.at_work
    before = len(world.commands)
    world.bring(slow)
    assert len(world.commands) == before
    while world.core.phase is machine.Phase.TRAINING and slow not in world.core.at_work:
        deliver_of(world, world.sent[0][0].device)
    again = [one.assignment.round_number for one in world.commands[before:] if one.assignment.device == slow]
    assert len(again) == 1
    assert again[0] > 2


def test_r13_7_an_update_between_two_rounds_is_not_answered_and_comes_again() -> None:
    """After a restart in which too few devices are there to open a round; without a buffer it is `late`."""
    world = World(buffered())
    first = [one.device for one in world.opened[0].assignments]
    for device in first[:2]:
        deliver_of(world, device)
    early = next(one for one in world.sent if one[0].device == first[2])
    resumed = replace(world.resumed, open_members=None, rounds_done=1, stored=world.resumed.stored)
    for rules_of_the_run, answers in ((world.rules, 0), (replace(world.rules, buffer=0), 1)):
        core = RoundMachine(rules_of_the_run, resumed, (world.base,), world)
        core.start({first[2]: "gateway-1"}, 0)
        assert core.phase is machine.Phase.WAITING
        assert len(core.update("gateway-1", *early, 40)) == answers
        if answers:
            continue
        core.devices([Change(one, "gateway-1", Presence.PRESENT) for one in DEVICES], 0)
        assert core.phase is machine.Phase.TRAINING
        kept = next(one for one in core.update("gateway-1", *early, 40) if isinstance(one, machine.Keep))
        assert (kept.header.round, kept.taken_in) == (1, 2)


def test_r13_1_more_at_work_than_wanted_are_joined_by_nobody() -> None:
    """Two are lost, two step in at the deadline (R7), the lost come back: four at work where two are wanted."""
    world = World(buffered(clients=2, quorum=1, buffer=1), present=dict.fromkeys(map(str, range(20)), "gateway-1"))
    lost = [one.device for one in world.opened[0].assignments]
    for device in lost:
        world.lose(device)
    world.pass_deadline()
    for device in lost:
        world.bring(device)
    assert len(world.core.at_work) == 4
    deliver_of(world, lost[0])
    assert len(world.core.at_work) == 3
    assert world.opened[1].assignments == ()


#: Three of the four at work are lost, so the buffer is full only after the deadline.
LOST_AT_WORK = [
    ("deliver", 0), ("come while dead", 0), ("kill", 0), ("lose", 5), *[("deliver", 0)] * 6, ("duplicate", 0),
    ("kill", 0), ("deliver", 0), ("bring", 5), ("kill", 0), ("deliver", 0), ("deliver", 0), ("lose", 0), ("lose", 3),
    ("lose", 5),
]  # fmt: skip


@given(st.lists(disturbance, min_size=20, max_size=120))
@example(LOST_AT_WORK)
@settings(max_examples=150)
def test_r13_4_the_model_follows_from_what_the_store_says_was_taken_when(disturbances: list[tuple[str, int]]) -> None:
    """R9: whatever came, in which order, and however often the coordinator was killed."""
    world = World(buffered())
    for what, which in disturbances:
        disturb(world, what, which)
    final = world.finish()
    base = START
    for number in range(1, 7):
        parts = [blob for key, blob in sorted(world.updates.items()) if world.taken_in[key] == number]
        assert len(parts) >= 1
        base = hashlib.sha256(base + b"".join(parts)).digest()
    assert base == final
    assert {verdict.result for _, verdict in world.verdicts} <= {"stored", "duplicate", "late"}


@pytest.mark.parametrize("moment", range(14))
def test_r13_4_killed_at_any_moment_the_same_arrivals_end_in_the_same_model(moment: int) -> None:
    """Devices are as quick as their number: the order of arrivals is that of the names."""

    def played(killed_at: int | None) -> bytes:
        world = World(buffered())
        for count in range(100):
            if count == killed_at:
                world.begin()
            if not world.sent:
                break
            deliver_of(world, min(world.sent, key=lambda one: (one[0].device, one[0].round))[0].device)
        return world.base

    assert played(moment) == played(None)
