"""Bytes from the broker are untrusted: whatever they are, they become a request or a ProtocolError."""

from __future__ import annotations

import contextlib

import pytest
from fleet_bench import adapt_command, digits_blob, train_command
from hypothesis import given
from hypothesis import strategies as st

from jaragua.errors import ProtocolError
from jaragua.node import intake
from jaragua.node.connection.session import Incoming
from jaragua.node.device import AdaptJob, TrainJob
from jaragua.wire.messages import encode

BLOB = digits_blob()
TOPICS = [
    "run",
    "blob/" + "0" * 64,
    *(f"node/pi-1/{end}" for end in ("cmd/train", "cmd/adapt", "cmd/stop", "ack/r1/1")),
]
GENUINE = [encode(train_command(BLOB)), encode(adapt_command(BLOB))]


@given(topic=st.sampled_from(TOPICS), payload=st.binary(max_size=200), response=st.none() | st.text(max_size=20))
def test_any_bytes_are_a_request_or_an_error(topic: str, payload: bytes, response: str | None) -> None:
    with contextlib.suppress(ProtocolError):
        intake.read(Incoming("jaragua/1/home/" + topic, payload, response))


@given(data=st.data(), topic=st.sampled_from(TOPICS), genuine=st.sampled_from(GENUINE))
def test_damaged_messages_are_a_request_or_an_error(data: st.DataObject, topic: str, genuine: bytes) -> None:
    place = data.draw(st.integers(0, len(genuine) - 1))
    damaged = genuine[:place] + data.draw(st.binary(max_size=3)) + genuine[place + 1 :]
    with contextlib.suppress(ProtocolError):
        intake.read(Incoming("jaragua/1/home/" + topic, damaged, "answers/here"))


def test_genuine_commands_are_orders() -> None:
    train, adapt = (
        Incoming(f"jaragua/1/home/node/pi-1/cmd/{verb}", payload, "answers/here", b"7")
        for verb, payload in zip(("train", "adapt"), GENUINE, strict=True)
    )
    assert intake.read(train) == TrainJob(train_command(BLOB))
    assert intake.read(adapt) == AdaptJob(adapt_command(BLOB), "answers/here", b"7")


@pytest.mark.parametrize("response", [None, "", "answers/+", "#", "a\0b", "x" * 70000])
def test_m4_response_topic_must_be_one_that_can_be_published_to(response: str | None) -> None:
    with pytest.raises(ProtocolError, match="response topic"):
        intake.read(Incoming("jaragua/1/home/node/pi-1/cmd/adapt", GENUINE[1], response))


@pytest.mark.parametrize(
    "changes", [{"attempt": 2**31}, {"number": 2**63}, {"run": "Not An Id"}, {"run": ""}, {"proximal_decay": 32769}]
)
def test_m2_key_that_could_not_be_kept_is_refused(changes: dict[str, object]) -> None:
    payload = encode(train_command(BLOB, **changes))  # type: ignore[arg-type]
    with pytest.raises(ProtocolError):
        intake.read(Incoming("jaragua/1/home/node/pi-1/cmd/train", payload))


@pytest.mark.parametrize("topic", ["jaragua/1/home/host/$state", "jaragua/2/home/run", "elsewhere", ""])
def test_topics_that_are_not_for_nodes_are_refused(topic: str) -> None:
    with pytest.raises(ProtocolError):
        intake.read(Incoming(topic, b""))
