"""P3, M15: in a flood the coordinator goes on reading what a round waits for and what is said to it alone."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from jaragua.coordinator.connection.gate import PublicGate, RoundsGate
from jaragua.coordinator.connection.roster import Roster
from jaragua.node.connection.sieve import Verdict
from jaragua.wire.messages import DeviceState, NodeState, UpdateHeader, pack_update

ROOT = b"jaragua/1/home/"
QUESTION, WHO = b"question", b"who-i-am"
READ, TOO_MUCH, ELSEWHERE, TAKEN = Verdict.READ, Verdict.TOO_MUCH, Verdict.READ_ELSEWHERE, Verdict.TAKEN


def update(device: str) -> bytes:
    return b"\0" + pack_update(
        UpdateHeader("r1", 3, device, 1, bytes(32), "blob", 4, 0.5, "mse", 0.5, 0, 3, bytes(32)), b""
    )


def rounds_gate() -> RoundsGate:
    gate = RoundsGate("home", [QUESTION])
    gate.missing = {("pi-1", "r1", "3"): "pi-1", ("pi-2", "r1", "3"): "pi-2"}
    return gate


def public_gate() -> PublicGate:
    roster = Roster()
    roster.node_state("pi-1", NodeState("ready", 1, "pi"), 10**12)
    roster.device_state("pi-1", "pi-1", DeviceState("ready", 1, "pi", "digits", bytes(8)), 10**12)
    return PublicGate("home", roster, WHO)


def times(gate: RoundsGate | PublicGate, topic: bytes, head: bytes, count: int, *, is_retained: bool = False) -> int:
    """How many of so many at once are read."""
    return sum(gate.admits(topic, head, 0.0, is_retained=is_retained) in (READ, TAKEN) for _ in range(count))


@given(st.binary(max_size=80), st.binary(max_size=80))
def test_p1_a_gate_raises_nothing(topic: bytes, head: bytes) -> None:
    for where in (topic, ROOT + topic, ROOT + b"node/" + topic, ROOT + b"node/a/up/" + topic):
        rounds_gate().admits(where, head, 0.0, is_retained=False)
        public_gate().admits(where, head, 0.0, is_retained=False)


def test_m15_the_update_of_another_node_is_read_in_a_flood_of_one_nodes_topic() -> None:
    gate = rounds_gate()
    flooded, other = ROOT + b"node/pi-1/up/r1/3", ROOT + b"node/pi-2/up/r1/3"
    assert times(gate, flooded, update("pi-1"), 10_000) < 500
    assert times(gate, flooded, update("nobody"), 10_000) < 100
    assert times(gate, other, b"\xff" * 90, 10_000) < 100
    assert gate.admits(other, update("pi-2"), 0.0, is_retained=False) is TAKEN
    assert gate.admits(flooded, update("pi-1"), 1.0, is_retained=False) is TAKEN  # and the first one's, in time


def test_m16_6_where_all_updates_come_those_that_are_waited_for_keep_their_share() -> None:
    """Invented nodes share one small limit, however many topics they have."""
    gate = RoundsGate("home", [], all_updates=True)
    gate.missing = {("pi-1", "r1", "3"): "pi-1"}
    invented = [ROOT + f"node/n{number}/up/r1/3".encode() for number in range(2_000)]
    assert sum(times(gate, topic, update("pi-1"), 1) for topic in invented) <= 100
    assert gate.admits(ROOT + b"node/pi-1/up/r1/3", update("pi-1"), 0.0, is_retained=False) is TAKEN


def test_m15_an_answer_with_the_right_correlation_is_read_in_a_flood_of_answers() -> None:
    gate = rounds_gate()
    assert times(gate, ROOT + b"host/reply/1234", b"\x05\x09\0\x02ab", 10_000) < 100
    assert times(gate, ROOT + b"host/claim/77", b"\0", 10_000) < 500
    assert gate.admits(ROOT + b"host/reply/1234", b"\x0b\x09\0\x08" + QUESTION, 0.0, is_retained=False) is READ


def test_m15_states_of_strangers_cost_those_of_known_peers_nothing() -> None:
    gate = public_gate()
    read = sum(times(gate, ROOT + f"node/n-{number}/$state".encode(), b"\0", 1) for number in range(5000))
    read += sum(times(gate, ROOT + f"node/n/dev/n-{number}/$state".encode(), b"\0", 1) for number in range(5000))
    read += sum(times(gate, ROOT + f"node/n-{number}/dev/pi-1/$state".encode(), b"\0", 1) for number in range(5000))
    assert read < 500
    assert gate.has_missed_some
    for topic in (b"node/pi-1/$state", b"node/pi-1/dev/pi-1/$state"):
        assert gate.admits(ROOT + topic, b"\0", 0.0, is_retained=False) is READ


def test_m6_what_was_missed_is_taken_when_it_is_read_again() -> None:
    gate = public_gate()
    topic = ROOT + b"node/pi-1/$state"
    assert times(gate, topic, b"\0", 10_000) < 500
    assert gate.admits(topic, b"\0", 0.0, is_retained=False) is TOO_MUCH
    assert times(gate, topic, b"\0", 5000, is_retained=True) == 5000  # M15: a whole fleet


def test_m15_one_topic_of_the_coordinator_that_is_flooded_costs_the_others_nothing() -> None:
    gate = public_gate()
    for flooded in (b"run", b"host/$state", b"host/claim", b"node/x/y/z", b"node/x/up/r1/3"):
        assert times(gate, ROOT + flooded, b"\0", 10_000) < 500
    assert gate.admits(ROOT + b"host/claim", b"\0" + WHO, 0.0, is_retained=False) is READ
    assert gate.admits(ROOT + b"run", b"\0", 1.0, is_retained=False) is READ


def test_m16_1_an_update_that_comes_on_both_connections_is_read_once() -> None:
    gate = public_gate()
    topic = "jaragua/1/home/node/pi-1/up/r1/3"
    gate.leave_out([topic], 0.0)
    assert gate.admits(topic.encode(), update("pi-1"), 0.0, is_retained=False) is ELSEWHERE
    gate.leave_out(["jaragua/1/home/node/pi-1/up/r1/4"], 1.0)
    assert gate.admits(topic.encode(), update("pi-1"), 2.0, is_retained=False) is ELSEWHERE  # it may be on its way
    assert gate.admits(topic.encode(), update("pi-1"), 10.9, is_retained=False) is ELSEWHERE
    assert gate.admits(topic.encode(), update("pi-1"), 11.1, is_retained=False) is READ
    assert not gate.has_missed_some
