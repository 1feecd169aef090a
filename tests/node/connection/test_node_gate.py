"""P3, M14: in a flood a node goes on reading what may be meant for it."""

from __future__ import annotations

import cbor2
import pytest
from fleet_bench import adapt_command, digits_blob, train_command
from hypothesis import given
from hypothesis import strategies as st

from jaragua.node.connection.gate import NodeGate
from jaragua.node.connection.lanes import Lane, Lanes, cbor_text, text_of
from jaragua.node.connection.sieve import Verdict
from jaragua.wire.messages import StopCommand, UpdateAck, encode

ROOT = b"jaragua/1/home/"
OWN = ROOT + b"node/pi-1/"
BLOB = digits_blob()
MEANT = [
    (OWN + b"cmd/train", encode(train_command(BLOB))),
    (OWN + b"cmd/adapt", encode(adapt_command(BLOB))),
    (OWN + b"cmd/stop", encode(StopCommand("r1"))),
    (OWN + b"ack/r1/1", encode(UpdateAck("r1", 1, "pi-1", 0, "stored", ""))),
]


def gate() -> NodeGate:
    made = NodeGate("home", "pi-1", {"pi-1"})
    made.run = "r1"
    return made


def is_read(gate: NodeGate, topic: bytes, payload: bytes, now_s: float = 0.0, *, is_retained: bool = False) -> bool:
    return gate.admits(topic, b"\0" + payload, now_s, is_retained=is_retained) is Verdict.READ


@given(st.text(max_size=255).filter(lambda text: len(text.encode()) <= 255))
def test_a_text_is_as_cbor_has_it_and_is_found_again(text: str) -> None:
    assert cbor_text(text) == cbor2.dumps(text)
    packed = cbor2.dumps({"run": "r1", "device": text, "round": 4})
    assert text_of(b"\x05abc" + packed, cbor_text("device")) == text.encode().decode("ascii", "replace")
    assert text_of(packed[:10], cbor_text("device")) == ""


@given(st.binary(max_size=80), st.binary(max_size=80))
def test_p1_a_gate_raises_nothing(topic: bytes, head: bytes) -> None:
    for where in (topic, ROOT + topic, OWN + topic, OWN + b"cmd/train"):
        for what in (head, cbor_text("device") + head):
            gate().admits(where, what, 0.0, is_retained=False)


@pytest.mark.parametrize(("topic", "payload"), MEANT, ids=lambda value: value[-9:].decode(errors="replace"))
def test_m14_what_names_a_device_of_the_node_is_read_in_a_flood_of_what_does_not(topic: bytes, payload: bytes) -> None:
    flooded = gate()
    others = [b"\xff" * 100, encode(train_command(BLOB, device="nobody", run="r2")), encode(StopCommand("r2"))]
    read = sum(is_read(flooded, where, other) for where, _ in MEANT for other in others for _ in range(1000))
    assert read < 100
    assert is_read(flooded, topic, payload)


def test_m14_a_flood_of_one_kind_that_names_a_device_costs_the_others_nothing() -> None:
    flooded = gate()
    (topic, payload), *others = MEANT
    read = sum(is_read(flooded, topic, payload) for _ in range(10_000))
    assert read < 2000
    assert all(is_read(flooded, *other) for other in others)
    assert is_read(flooded, topic, payload, now_s=1.0)  # for good nothing is lost


def test_m14_blobs_that_a_subscription_brings_and_the_run_have_shares_of_their_own() -> None:
    flooded = gate()
    for _ in range(1000):
        is_read(flooded, ROOT + b"run", b"")
        is_read(flooded, ROOT + b"blob/" + b"0" * 64, b"")
        is_read(flooded, OWN + b"cmd/x", b"")
    assert flooded.has_missed_a_run
    assert is_read(flooded, ROOT + b"blob/" + b"1" * 64, BLOB, is_retained=True)
    assert is_read(flooded, *MEANT[0])


def test_a_lane_has_room_again_with_time() -> None:
    lanes, lane = Lanes(), Lane("one", 10, 3, "any")
    assert [lanes.has_room(lane, 0.0) for _ in range(5)] == [True, True, True, False, False]
    assert lanes.has_room(lane, 0.0, key="another")
    assert [lanes.has_room(lane, 0.11) for _ in range(2)] == [True, False]
