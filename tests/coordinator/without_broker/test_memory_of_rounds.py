"""R20: the round machine forgets closed rounds, and answers late and repeated updates as if it did not."""

from __future__ import annotations

import ctypes
import gc
import hashlib
import subprocess
import sys
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from types import FunctionType, ModuleType
from typing import Any

import pytest

from jaragua.coordinator.rounds import machine
from jaragua.coordinator.rounds.machine import ResumeState, RoundMachine, Rules
from jaragua.coordinator.rounds.validation import Expected
from jaragua.store.records import Assignment
from jaragua.wire.messages import UpdateHeader

NODE = "gateway-1"
DEVICES = tuple(f"board-{number}" for number in range(12))
BLOB = b"weights"
ROUNDS = 3000
EXPECTED = Expected("mse", most_samples=lambda number: 1, check_updates=lambda updates: [""] * len(updates))
PLAIN = Rules("run-1", 5, ROUNDS, 4, 4, 12, 1000, 0, EXPECTED)
BUFFERED = Rules("run-1", 5, ROUNDS, 6, 2, 12, 1000, 0, EXPECTED, buffer=2, max_staleness=3)


def base_of(number: int) -> bytes:
    return hashlib.sha256(f"{number}".encode()).digest()


def header_of(one: Assignment) -> UpdateHeader:
    digest = hashlib.sha256(BLOB).digest()
    base = base_of(one.round_number)
    run, size = "run-1", len(BLOB)
    return UpdateHeader(
        run, one.round_number, one.device, one.attempt, base, "blob", 1, 0.0, "mse", 0.0, 0, size, digest
    )


@dataclass
class Run:
    """A rim whose database is two dictionaries. Every third update is repeated, some devices are slow."""

    rules: Rules
    nodes: dict[tuple[int, str, int], str] = field(default_factory=dict)
    stored: set[tuple[int, str]] = field(default_factory=set)
    asked: int = 0
    """Look-ups in the database."""
    under_way: deque[Assignment] = field(default_factory=deque)
    verdicts: list[str] = field(default_factory=list)
    done: int = 0
    members: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        self.core = RoundMachine(self.rules, ResumeState(), (base_of(1),), self)
        self.perform(self.core.start(dict.fromkeys(DEVICES, NODE), 0))

    def has_update(self, round_number: int, device: str) -> bool:
        self.asked += 1
        return (round_number, device) in self.stored

    def node_of(self, round_number: int, device: str, attempt: int) -> str | None:
        self.asked += 1
        return self.nodes.get((round_number, device, attempt))

    def perform(self, actions: Iterable[machine.Action]) -> None:
        for action in actions:
            match action:
                case machine.OpenRound(_, members, assignments):
                    self.members = members
                    self.nodes |= {(one.round_number, one.device, one.attempt): one.node for one in assignments}
                case machine.Command(one):
                    self.under_way.append(one)
                case machine.Keep(header):
                    self.stored.add((header.round, header.device))
                case machine.Acknowledge(_, _, verdict):
                    self.verdicts.append(verdict.result)
                case machine.CloseRound(number):
                    self.done = number
                    self.perform(self.core.closed((base_of(number + 1),), 0))
                case machine.Announce():
                    pass
                case _:
                    raise AssertionError(action)

    def answer(self, one: Assignment, node: str = NODE) -> str:
        actions = self.core.update(node, header_of(one), BLOB, len(BLOB))
        self.perform(actions)
        return next(action.verdict.result for action in actions if isinstance(action, machine.Acknowledge))

    def play_until(self, rounds: int) -> None:
        while self.done < rounds:
            one = self.under_way.popleft()
            if self.rules.buffer and one.device == DEVICES[0] and len(self.under_way) > 1:
                self.under_way.append(one)  # slow: late again and again
                one = self.under_way.popleft()
            self.answer(one)
            if len(self.stored) % 3 == 0:
                self.answer(one)

    def continued(self) -> None:
        """R20.4: a coordinator that is started again in the open round."""
        since, following = self.done + 1 - self.rules.max_staleness, self.done + 1
        state = ResumeState(
            rounds_done=self.done,
            open_members=self.members,
            last_members=self.members,
            assignments=tuple(
                Assignment(number, device, attempt, node, 0)
                for (number, device, attempt), node in self.nodes.items()
                if number >= since
            ),
            stored=frozenset(key for key in self.stored if key[0] >= since),
            proven=frozenset(device for number, device in self.stored if number < following),
            bases={number: (base_of(number),) for number in range(max(1, since), following)},
        )
        self.core = RoundMachine(self.rules, state, (base_of(following),), self)
        self.perform(self.core.start(dict.fromkeys(DEVICES, NODE), 0))


def objects_of(core: RoundMachine, but: object) -> int:
    """Objects that can be reached from the machine, the rim and code left out."""
    seen: set[int] = {id(but)}
    waiting: list[Any] = [core]
    while waiting:
        one = waiting.pop()
        if id(one) not in seen and not isinstance(one, type | ModuleType | FunctionType):
            seen.add(id(one))
            waiting += gc.get_referents(one)
    return len(seen)


@pytest.mark.parametrize("rules", [PLAIN, BUFFERED], ids=["plain", "buffered"])
def test_r20_5_the_machine_holds_as_much_after_thousands_of_rounds_as_after_a_hundred(rules: Rules) -> None:
    run = Run(rules)
    held = {}
    for rounds in (100, 1000, ROUNDS - 1):
        run.play_until(rounds)
        held[rounds] = objects_of(run.core, run)
    assert len(run.stored) >= 2 * (ROUNDS - 1)
    # An assignment more or less at work, and what Python shares between equal numbers.
    assert max(held.values()) - min(held.values()) < 100, held


@pytest.mark.parametrize("rules", [PLAIN, BUFFERED], ids=["plain", "buffered"])
@pytest.mark.parametrize("is_continued", [False, True], ids=["at once", "continued"])
def test_r20_3_updates_of_forgotten_rounds_are_answered_as_r4_says(rules: Rules, is_continued: bool) -> None:
    run = Run(rules)
    run.play_until(60)
    if is_continued:
        run.continued()
    too_old = run.done + 1 - rules.max_staleness
    asked = run.asked
    old = [Assignment(number, device, attempt, node, 0) for (number, device, attempt), node in run.nodes.items()]
    old = [one for one in old if one.round_number < too_old]
    assert len(old) > 100
    for one in old:
        is_stored = (one.round_number, one.device) in run.stored
        assert run.answer(one) == ("duplicate" if is_stored else "late")
        assert run.answer(one, node="gateway-2") == ("duplicate" if is_stored else "rejected")
    for one in (Assignment(1, "stranger", 1, NODE, 0), Assignment(1, old[0].device, 2**64 - 1, NODE, 0)):
        is_stored = (1, one.device) in run.stored
        assert run.answer(one) == ("duplicate" if is_stored else "rejected")
    assert run.asked > asked


@pytest.mark.parametrize("rules", [PLAIN, BUFFERED], ids=["plain", "buffered"])
def test_r20_1_the_database_is_not_asked_about_rounds_that_can_count(rules: Rules) -> None:
    run = Run(rules)
    run.play_until(20)
    asked = run.asked
    for one in [one for one in run.under_way if one.round_number >= run.done + 1 - rules.max_staleness]:
        if run.done == 20:
            run.answer(one)
    assert run.asked == asked


_HAS_MALLINFO2 = sys.platform == "linux" and hasattr(ctypes.CDLL(None), "mallinfo2")
#: Says how many of 64 blocks of 70,000 bytes are mapped by themselves.
_MAPPED = """
import ctypes
from jaragua.cli.verbs import run

class Info(ctypes.Structure):
    _fields_ = [(name, ctypes.c_size_t) for name in (
        "arena", "ordblks", "smblks", "hblks", "hblkhd", "usmblks", "fsmblks", "uordblks", "fordblks", "keepcost")]

libc = ctypes.CDLL(None)
libc.mallinfo2.restype = Info
if {changed}:
    run._tune_the_interpreter()
for _ in range(3):
    bytearray(1 << 20)  # as glibc is, its threshold is then 1 MiB
before = libc.mallinfo2().hblks
held = [bytearray(70_000) for _ in range(64)]  # more than the heap has free
print(libc.mallinfo2().hblks - before)
"""


@pytest.mark.skipif(not _HAS_MALLINFO2, reason="the C library is not glibc 2.33 or later, so nothing can be counted")
@pytest.mark.parametrize(("changed", "least"), [(False, 0), (True, 16)])
def test_r20_6_large_blocks_are_mapped_by_themselves(changed: bool, least: int) -> None:
    program = _MAPPED.replace("{changed}", str(changed))
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    mapped = int(done.stdout)
    assert mapped >= least
    assert changed or not mapped
