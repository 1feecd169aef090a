"""The rounds of a run as a pure state machine: no socket, no clock, no file (docs/design/rounds.md).

Every method takes what happened and the time, changes the state, and returns the actions that the rim carries out in
their order. `Keep`, `OpenRound` and `Assign` are to be on the disk before what follows them is published. Times are
milliseconds of any clock that never goes back.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import NamedTuple, TypeAlias

from jaragua.bases.value import Value
from jaragua.coordinator.connection.roster import Change, Presence
from jaragua.coordinator.rounds import rules, validation
from jaragua.coordinator.rounds.keys import Keys, Past
from jaragua.coordinator.rounds.standing import Choice, Place, Standing
from jaragua.coordinator.rounds.validation import Question, Verdict
from jaragua.store.records import Assignment
from jaragua.wire.messages import UpdateHeader

#: R8: attempts that a device has in a round before the round does without it.
MAX_ATTEMPTS = 8
#: R7: deadlines in a row that may pass without a quorum, and without anyone who steps in, before the run stops.
MAX_DEADLINES = 4
_CONTENT_DECIDES = Verdict("stored", "if its content is in order")
#: Of devices in a sentence.
_MOST_NAMES = 10


#: Hashes of what the devices of a round start from: the blob, then its forms for other devices (M9, R14).
Bases: TypeAlias = Sequence[bytes]


class Rules(Value):
    """What stays the same in a run."""

    run: str
    seed: int
    rounds: int
    clients: int
    quorum: int
    minimum: int
    deadline_ms: int
    wait_ms: int
    expected: validation.Expected
    exclude: frozenset[str] = frozenset()
    buffer: int = 0
    """R13: updates that make a step, from whichever start; 0: a round waits for its own."""
    max_staleness: int = 0
    """R13: the oldest start, in rounds, from which an update counts."""


class ResumeState(Value):
    """What the store knows of a run that is resumed; empty for a new one."""

    rounds_done: int = 0
    open_members: tuple[str, ...] | None = None
    """Members of the round that was opened and not closed."""
    last_members: tuple[str, ...] = ()
    assignments: tuple[Assignment, ...] = ()
    """Of the rounds of which an update can count (R20); older ones are not looked at."""
    stored: frozenset[tuple[int, str]] = frozenset()
    """Accepted updates of the same rounds."""
    proven: frozenset[str] = frozenset()
    """R15: devices of which an update was accepted for any round that is closed."""
    taken: int = 0
    """Updates that count in the open round."""
    bases: Mapping[int, Bases] = field(default_factory=dict)
    """Of rounds before the open (or the next) one, as far back as an update can count."""
    silent: frozenset[str] = frozenset()
    """R15: when the last round was closed."""
    is_closing: bool = False
    """The open round takes no more updates: its sum has begun (U7.2)."""


class OpenRound(Value):
    """Write a round and its first assignments down."""

    round_number: int
    members: tuple[str, ...]
    assignments: tuple[Assignment, ...]


class Announce(Value):
    """Publish where the run stands."""

    round_number: int
    deadline_ms: int


class Assign(Value):
    """Write another assignment down."""

    assignment: Assignment


class Command(NamedTuple):
    """Publish the train command of an assignment."""

    assignment: Assignment
    deadline_ms: int


class Keep(NamedTuple):
    """Write an accepted update down. taken_in: the round it counts in (R13)."""

    header: UpdateHeader
    blob: bytes
    payload_bytes: int
    taken_in: int


class Acknowledge(NamedTuple):
    """Tell a node what became of its update."""

    node: str
    header: UpdateHeader
    verdict: Verdict


class CloseRound(Value):
    """Aggregate the stored updates of the round, then call `closed`."""

    round_number: int


class GiveUp(Value):
    """The run cannot go on by itself. missing: the devices that it waited for."""

    message: str
    hint: str
    missing: tuple[str, ...] = ()


Action = OpenRound | Announce | Assign | Command | Keep | Acknowledge | CloseRound | GiveUp


class Phase(Enum):
    """Where the machine is."""

    WAITING = "waiting for devices"
    TRAINING = "training"
    CLOSING = "closing"
    FINISHED = "finished"


@dataclass(slots=True)
class _Slot:
    """A device's place in the open round."""

    assignment: Assignment
    lost: bool = False
    beside: bool = False
    """R15: the round does not wait for it."""


@dataclass
class _Round:
    number: int
    members: tuple[str, ...]
    target: int
    deadline_ms: int
    slots: dict[str, _Slot] = field(default_factory=dict)
    stored: set[str] = field(default_factory=set)
    taken: int = 0
    deadlines_passed: int = 0
    in_vain: int = 0
    """R7: deadlines in a row at which nobody stepped in."""


class RoundMachine:
    """One run. Call `start` once, then `devices`, `update`, `tick` as things happen; `closed` after `CloseRound`."""

    def __init__(self, fixed: Rules, resumed: ResumeState, bases: Bases, past: Past) -> None:
        """bases: of the next (or the open) round. past: has what is written down of closed rounds (R20)."""
        self._fixed = fixed
        self._bases = {**resumed.bases, resumed.rounds_done + 1: bases}
        self._rounds_done = resumed.rounds_done
        self._members = set(resumed.open_members or resumed.last_members)
        self._in_order: tuple[str, ...] = ()
        """The members, sorted, as `_sorted_members` saw them last."""
        self._present: dict[str, str] = {}
        self._keys = Keys(self._oldest_that_counts, past)
        self._keys.restore(resumed.assignments, resumed.stored)
        self._standing = Standing({*resumed.proven, *(device for _, device in resumed.stored)}, resumed.silent)
        self._waits_until_ms = 0
        self._behind = self._resumed_behind(resumed)
        """R13: what devices that are there still work on from earlier rounds."""
        self._expected = set(self._members)
        self._started_rounds = False
        self._is_closing = resumed.is_closing
        self._seeds: dict[str, int] = {}
        """R31.10: of the round after the open one, for devices that have delivered; of none once that is open."""
        self._round = None if resumed.open_members is None else self._resumed_round(resumed, resumed.open_members)
        self.phase = Phase.FINISHED if self._rounds_done == fixed.rounds else Phase.WAITING

    @property
    def waiting_for(self) -> list[str]:
        """Devices of the open round whose update is missing, sorted."""
        if self._round is None:
            return []
        return sorted(device for device in self._round.slots if device not in self._round.stored)

    @property
    def rounds_at_work(self) -> set[int]:
        """Rounds before this one whose start a device may still ask for (R13)."""
        return {one.round_number for one in self._behind.values()}

    @property
    def at_work(self) -> set[str]:
        """Devices whose update is missing, of this round and of earlier ones."""
        return {*self.waiting_for, *self._behind}

    @property
    def awaited(self) -> set[tuple[str, str, int]]:
        """Node, device and round of every update that is missing."""
        current = self._round
        slots = {} if current is None else current.slots
        missing = slots.keys() if current is None else slots.keys() - current.stored
        parts = [*(slots[device].assignment for device in missing), *self._behind.values()]
        return {(one.node, one.device, one.round_number) for one in parts}

    @property
    def silent(self) -> list[str]:
        """R15: devices that let a deadline pass, sorted."""
        return self._standing.silent

    def is_stranger(self, device: str) -> bool:
        """R15: whether a device let a deadline pass and never delivered anything in this run."""
        return self._standing.is_stranger(device)

    @property
    def present(self) -> list[str]:
        """Devices that could be given work, sorted."""
        return sorted(self._present)

    def start(self, present: dict[str, str], now_ms: int) -> list[Action]:
        """Begin, or go on with what the store remembers. present: device -> node of who is there already."""
        self._present = {device: node for device, node in present.items() if device not in self._fixed.exclude}
        self._waits_until_ms = now_ms + self._fixed.wait_ms
        if self.phase is Phase.FINISHED:
            return []
        again = self._behind_again(now_ms)
        if self._round is None:
            return again + self._try_open(now_ms)
        return again + self._go_on(self._round, now_ms)

    def devices(self, changes: Iterable[Change], now_ms: int) -> list[Action]:
        """Devices came or went (R6)."""
        actions: list[Action] = []
        for change in changes:
            if change.device not in self._fixed.exclude:
                actions += self._device(change)
        return actions + (self._try_open(now_ms) if self.phase is Phase.WAITING else [])

    def tick(self, now_ms: int) -> list[Action]:
        """Time has passed (R3, R7)."""
        if self.phase is Phase.WAITING:
            return self._try_open(now_ms)
        if self.phase is Phase.TRAINING and self._round is not None and now_ms >= self._round.deadline_ms:
            return self._deadline(self._round, now_ms)
        return []

    def ask_again(self) -> list[Action]:
        """R30.5: the same commands again (M3) to all who are there and have not delivered."""
        current = self._round
        if self.phase is not Phase.TRAINING or current is None:
            return []
        behind = [Command(one, current.deadline_ms) for _, one in sorted(self._behind.items())]
        return behind + [action for device in self.waiting_for for action in self._command_again(current, device)]

    def postpone(self, milliseconds: int) -> None:
        """R7: the time in which the coordinator itself is at work is not the devices'."""
        if self._round is not None:
            self._round.deadline_ms += milliseconds

    def next_tick_ms(self) -> int | None:
        """When `tick` is to be called next, None if nothing waits for the time."""
        if self.phase is Phase.WAITING:
            return self._waits_until_ms
        return self._round.deadline_ms if self.phase is Phase.TRAINING and self._round is not None else None

    def question_of(self, node: str, header: UpdateHeader, blob: bytes) -> Question | None:
        """What `update` would ask of an update's content, for `validation.contents`; None: it would ask nothing.

        The answer holds until the round is closed, and takes nothing that is not safe in any thread.
        """
        if self._key_verdict(node, header) is not _CONTENT_DECIDES:
            return None
        return Question(header, blob, self._bases[header.round])

    def update(
        self, node: str, header: UpdateHeader, blob: bytes, payload_bytes: int, content: Verdict | None = None
    ) -> list[Action]:
        """An update came (R4); every one is answered, whatever it is, but for one that can count in the next round.

        content: the verdict on its `question_of`, if that was asked.
        """
        verdict = self._validate(node, header, blob, content)
        if verdict is None:
            return []
        answer = Acknowledge(node, header, verdict)
        current = self._round
        if verdict.result == "stored" and current is not None:
            self._take(current, header)
            return [Keep(header, blob, payload_bytes, current.number), answer, *self._close_if_complete(current)]
        if verdict.retry and current is not None:
            return [answer, *self._again(current, header)]
        return [answer]

    def closed(self, bases: Bases, now_ms: int) -> list[Action]:
        """The round is aggregated and stored; bases: of the next one."""
        self._rounds_done += 1
        self._leave_behind()
        self._bases[self._rounds_done + 1] = bases
        self._bases.pop(self._rounds_done - self._fixed.max_staleness, None)
        self._keys.forget_before(self._oldest_that_counts)
        self._round = None
        self._waits_until_ms = now_ms + self._fixed.wait_ms
        if self._rounds_done == self._fixed.rounds:
            self.phase = Phase.FINISHED
            return []
        self.phase = Phase.WAITING
        return self._try_open(now_ms)

    # ---- opening a round ----

    def _try_open(self, now_ms: int) -> list[Action]:
        """R3: the first round of this process waits for the minimum and for who took part before; later ones do not."""
        missing = (self._expected | self._members if not self._started_rounds else set()) - set(self._present)
        enough = len(self._present) >= self._fixed.minimum and not missing
        in_time = now_ms < self._waits_until_ms
        if not self._started_rounds and not enough and in_time:
            return []
        if not self._started_rounds:
            self._members -= missing
        if not self._started_rounds and len(self._present) < self._needed():
            return [self._too_few()]
        self._members |= set(self._present)
        return self._open(now_ms)

    def _needed(self) -> int:
        """A new run must have its minimum; one that goes on does with a quorum."""
        return self._fixed.quorum if self._expected else self._fixed.minimum

    def _too_few(self) -> GiveUp:
        there = _names(self.present) or "none"
        message = f"{len(self._present)} of {self._needed()} devices were ready after {self._fixed.wait_ms / 1000:g} s"
        return GiveUp(f"{message} ({there})", "start more gateways or clients, or lower devices.minimum")

    def _open(self, now_ms: int) -> list[Action]:
        self._started_rounds = True
        number = self._rounds_done + 1
        members = self._sorted_members()
        choice = self._choose(number, members)
        target = self._target(len(choice.waited_for) + len(self._behind))
        current = _Round(number, members, target, now_ms + self._fixed.deadline_ms)
        self._round, self.phase = current, Phase.TRAINING
        chosen = sorted([*choice.waited_for, *choice.beside])
        assignments = tuple([self._new_assignment(current, device) for device in chosen])
        for device in choice.beside:
            current.slots[device].beside = True
        self._seeds.clear()
        opened: list[Action] = [OpenRound(number, members, assignments), Announce(number, current.deadline_ms)]
        there = [slot.assignment for slot in current.slots.values() if not slot.lost]
        return opened + [Command(one, current.deadline_ms) for one in there]

    def _sorted_members(self) -> tuple[str, ...]:
        """Mostly those of the round before: thousands of names are not sorted for each round."""
        if len(self._in_order) != len(self._members) or not self._members.issuperset(self._in_order):
            self._in_order = tuple(sorted(self._members))
        return self._in_order

    def _choose(self, number: int, members: Sequence[str]) -> Choice:
        """R1, R15."""
        fixed = self._fixed
        place = Place(fixed.seed, number, fixed.clients, fixed.quorum)
        return self._standing.choose(place, members, self._behind)

    def _target(self, at_work: int) -> int:
        """Updates that close a round."""
        return rules.updates_that_close(self._fixed.buffer, at_work)

    def _new_assignment(self, current: _Round, device: str) -> Assignment:
        """The next attempt of a device in a round, remembered; the caller has it written down."""
        slot = current.slots.get(device)
        attempt = slot.assignment.attempt + 1 if slot is not None else 1
        node = self._present.get(device) or (slot.assignment.node if slot is not None else "")
        seed = self._seeds.get(device) if slot is None else None
        if seed is None:
            seed = rules.train_seed(self._fixed.seed, current.number, device)
        assignment = Assignment(current.number, device, attempt, node, seed)
        beside = slot is not None and slot.beside
        current.slots[device] = _Slot(assignment, lost=device not in self._present, beside=beside)
        self._keys.assign(assignment)
        return assignment

    def _command(self, current: _Round, device: str) -> list[Action]:
        """The command of a slot, if its device can be given it now."""
        slot = current.slots[device]
        return [] if slot.lost else [Command(slot.assignment, current.deadline_ms)]

    # ---- going on with an open round ----

    def _resumed_round(self, resumed: ResumeState, members: tuple[str, ...]) -> _Round:
        number = resumed.rounds_done + 1
        earlier = (device for round_number, device in resumed.stored if round_number < number)
        before = Standing({*resumed.proven, *earlier}, resumed.silent)
        fixed = self._fixed
        choice = before.choose(Place(fixed.seed, number, fixed.clients, fixed.quorum), members, ())
        current = _Round(number, members, self._target(len(choice.waited_for)), 0, taken=resumed.taken)
        for one in sorted(resumed.assignments, key=lambda one: one.attempt):
            if one.round_number == number:
                current.slots[one.device] = _Slot(one, beside=one.device in choice.beside)
        current.stored = {device for round_number, device in resumed.stored if round_number == number}
        if not fixed.buffer:
            current.target += len(current.stored & set(choice.beside))
        return current

    def _resumed_behind(self, resumed: ResumeState) -> dict[str, Assignment]:
        """The last part of every device that was given one in the rounds before, is not done, and can still count."""
        if not self._fixed.buffer:
            return {}
        last = {one.device: one for one in sorted(resumed.assignments, key=lambda one: (one.round_number, one.attempt))}
        return {
            device: one
            for device, one in last.items()
            if one.round_number <= resumed.rounds_done
            and not self._is_too_old(one.round_number, resumed.rounds_done + 1)
            and (one.round_number, device) not in resumed.stored
        }

    @property
    def _oldest_that_counts(self) -> int:
        """R20: the first round of which an update can count in the open (or the next) one."""
        return self._rounds_done + 1 - self._fixed.max_staleness

    def _is_too_old(self, round_number: int, open_round: int) -> bool:
        return rules.is_too_old(round_number, open_round, self._fixed.max_staleness)

    def _behind_again(self, now_ms: int) -> list[Action]:
        """R9 for parts of earlier rounds: the same command again; a device that is away loses its assignment."""
        self._behind = {device: one for device, one in self._behind.items() if self._present.get(device) == one.node}
        deadline_ms = now_ms + self._fixed.deadline_ms
        return [Command(one, deadline_ms) for _, one in sorted(self._behind.items())]

    def _go_on(self, current: _Round, now_ms: int) -> list[Action]:
        """R9: the open commands again; who is not there gets one when it comes."""
        self._started_rounds = True
        self.phase = Phase.TRAINING
        current.deadline_ms = now_ms + self._fixed.deadline_ms
        for device, slot in current.slots.items():
            slot.lost = device not in self._present
        actions: list[Action] = [Announce(current.number, current.deadline_ms)]
        if complete := self._close(current) if self._is_closing else self._close_if_complete(current):
            return actions + complete
        return actions + [action for device in self.waiting_for for action in self._command_again(current, device)]

    def _command_again(self, current: _Round, device: str) -> list[Action]:
        """The command with the key it had (M3), or another attempt if the device is at another node now."""
        slot = current.slots[device]
        if not slot.lost and self._present[device] != slot.assignment.node:
            return self._retry(current, device)
        return self._command(current, device)

    # ---- while a round is open ----

    def _device(self, change: Change) -> list[Action]:
        if change.presence is not Presence.PRESENT:
            return self._device_gone(change)
        self._present[change.device] = change.node
        if change.device in self._behind:
            return self._straggler_again(change)
        current = self._round
        if self.phase is not Phase.TRAINING or current is None or change.device not in self.waiting_for:
            return []
        if current.slots[change.device].lost:
            return self._retry(current, change.device)
        return self._command_again(current, change.device)

    def _device_gone(self, change: Change) -> list[Action]:
        """R6: who is lost stays a member until it has cost the run a deadline; who said goodbye leaves at once."""
        self._present.pop(change.device, None)
        self._behind.pop(change.device, None)
        if change.presence is Presence.AWAY:
            self._members.discard(change.device)
        if self._round is not None and change.device in self._round.slots:
            self._round.slots[change.device].lost = True
        return []

    def _straggler_again(self, change: Change) -> list[Action]:
        """R13: who connected anew gets the command again; who moved to another node has nothing to do."""
        one = self._behind[change.device]
        if one.node != change.node:
            del self._behind[change.device]
            return []
        deadline_ms = self._round.deadline_ms if self._round is not None else self._waits_until_ms
        return [Command(one, deadline_ms)]

    def _leave_behind(self) -> None:
        """R13: who was not done when the round closed goes on working; what has become too old is forgotten."""
        if not self._fixed.buffer or self._round is None:
            return
        for device in self.waiting_for:
            if not self._round.slots[device].lost:
                self._behind[device] = self._round.slots[device].assignment
        following = self._rounds_done + 1
        self._behind = {
            device: one for device, one in self._behind.items() if not self._is_too_old(one.round_number, following)
        }

    def _retry(self, current: _Round, device: str) -> list[Action]:
        """Another attempt of a device whose last one came to nothing (R6, R8)."""
        if current.slots[device].assignment.attempt >= MAX_ATTEMPTS:
            return []
        return [Assign(self._new_assignment(current, device)), *self._command(current, device)]

    def _validate(self, node: str, header: UpdateHeader, blob: bytes, content: Verdict | None) -> Verdict | None:
        """None: it could count in the round that is opened next, and comes again (M2)."""
        verdict = self._key_verdict(node, header)
        if verdict is not _CONTENT_DECIDES:
            return verdict
        if content is None:
            content = validation.contents([Question(header, blob, self._bases[header.round])], self._fixed.expected)[0]
        return content

    def _key_verdict(self, node: str, header: UpdateHeader) -> Verdict | None:
        """What an update's key says of it; `_CONTENT_DECIDES` if it is one that is waited for."""
        fixed = self._fixed
        if header.run != fixed.run:
            return Verdict("rejected", f"the run here is {fixed.run}")
        if self._keys.has_update(header.round, header.device):
            return Verdict("duplicate", "an update of this device is stored for this round")
        if self._keys.node_of(header.round, header.device, header.attempt) != node:
            return Verdict("rejected", "the device was not given this part of the round")
        if self._is_too_old(header.round, self._rounds_done + 1) or self.phase is Phase.FINISHED:
            return Verdict("late", "the round is closed")
        if self._round is None or self.phase is not Phase.TRAINING:
            return None if fixed.buffer else Verdict("late", "the round is closed")
        return _CONTENT_DECIDES

    def _take(self, current: _Round, header: UpdateHeader) -> None:
        self._keys.store(header.round, header.device)
        current.taken += 1
        self._standing.delivered(header.device)
        if header.round == current.number:
            current.stored.add(header.device)
            following = current.number + 1
            self._seeds[header.device] = rules.train_seed(self._fixed.seed, following, header.device)
            # Who was asked beside takes nobody's place.
            current.target += current.slots[header.device].beside and not self._fixed.buffer
        else:
            self._behind.pop(header.device, None)

    def _again(self, current: _Round, header: UpdateHeader) -> list[Action]:
        """R8: what came is of no use; if it was the newest attempt, the device gets another."""
        slot = current.slots.get(header.device)
        if slot is None or (slot.assignment.round_number, slot.assignment.attempt) != (header.round, header.attempt):
            return []
        return self._retry(current, header.device)

    def _close_if_complete(self, current: _Round) -> list[Action]:
        if current.taken < current.target:
            return []
        return self._close(current)

    def _close(self, current: _Round) -> list[Action]:
        self.phase = Phase.CLOSING
        return [CloseRound(current.number)]

    # ---- deadlines ----

    def _deadline(self, current: _Round, now_ms: int) -> list[Action]:
        """R7: with a quorum the round closes; without one the missing get another try, and others step in."""
        missing = self.waiting_for
        gone = [device for device in missing if device not in self._present]
        there = [device for device in missing if device in self._present]
        self._members -= set(gone)
        has_quorum = current.taken >= self._target(self._fixed.quorum)
        if not (has_quorum and self._fixed.buffer):  # R13: else who is slow goes on working
            self._standing.missed(there)
        if has_quorum:
            return self._close(current)
        current.deadlines_passed += 1
        wanted = len(missing) + len(self._behind)
        if self._fixed.buffer:  # R13.6: who was lost while behind is counted nowhere else
            wanted = max(wanted, self._fixed.clients - len(there))
        self._standing.missed(self._behind)
        self._behind = {}
        substitutes = self._substitutes(current, wanted)
        current.in_vain = 0 if substitutes else current.in_vain + 1
        if current.in_vain >= MAX_DEADLINES:
            return [self._no_quorum(current)]
        current.deadline_ms = now_ms + self._fixed.deadline_ms
        actions: list[Action] = [Announce(current.number, current.deadline_ms)]
        again = [action for device in there for action in self._retry(current, device)]
        return actions + _written_first(again + substitutes)

    def _substitutes(self, current: _Round, count: int) -> list[Action]:
        """R7: for each who is missing the next in rank steps in, those that a round waits for first (R15)."""
        free = [device for device in self._present if device not in current.slots]
        actions: list[Action] = []
        for device in self._standing.in_order(self._fixed.seed, current.number, free)[:count]:
            actions += [Assign(self._new_assignment(current, device)), *self._command(current, device)]
        return actions

    def _no_quorum(self, current: _Round) -> GiveUp:
        message = (
            f"round {current.number} has {current.taken} of the {self._fixed.quorum} updates it needs after "
            f"{current.deadlines_passed} deadlines; missing: {_names(self.waiting_for)}"
        )
        hint = "look at these devices, then go on with `jaragua run CONFIG --resume`"
        return GiveUp(message, hint, tuple(self.waiting_for))


def _written_first(actions: Sequence[Action]) -> list[Action]:
    """The same with all that is to be written down in front, so that it is one transaction."""
    return sorted(actions, key=lambda action: not isinstance(action, Assign))


def _names(devices: Sequence[str]) -> str:
    """For a sentence: the first few."""
    more = f" and {len(devices) - _MOST_NAMES} more" if len(devices) > _MOST_NAMES else ""
    return ", ".join(devices[:_MOST_NAMES]) + more
