"""P1 to P3, M12: whatever is published to a node is done, or counted under a reason; the node goes on."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import socket
import threading
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import fleet_bench as bench
import hostile_bytes as hostile
import pytest
from hypothesis import HealthCheck, Phase, given
from hypothesis import settings as examples

from common.mqtt_packets import publish
from jaragua.errors import ProtocolError
from jaragua.node import intake
from jaragua.node.connection.session import Incoming
from jaragua.node.description import DeviceFacts
from jaragua.node.device import MOST_JOBS
from jaragua.node.node import Node
from jaragua.node.outbox import UpdateKey
from jaragua.node.training import ranges
from jaragua.node.weights import model_fetcher
from jaragua.node.weights.blobs import Blobs
from jaragua.wire.messages import AdaptCommand, Message, RunState, StopCommand, TrainCommand, UpdateAck, encode
from jaragua_broker import Broker

BLOB = bench.digits_blob()
#: Blobs that have the hash they are asked under, and of which only the first is one of the network.
KEPT = [BLOB, BLOB[:-5], bytes(len(BLOB)), b"\xff" * len(BLOB), b"\0"]
HASHES = [hashlib.sha256(blob).digest() for blob in KEPT]
MISSING = bytes(32)
TRAIN, ADAPT = hostile.NODE + "cmd/train", hostile.NODE + "cmd/adapt"
RUN = hostile.ROOT + "run"


@contextlib.asynccontextmanager
async def served(folder: Path, **changes: Any) -> AsyncIterator[Node]:
    """A node with one device that carries out its jobs; no broker: messages are handed to it."""
    node = Node(bench.settings("mqtt://127.0.0.1:1", folder, **changes))
    device = node.add_device(
        "pi-1", "pi", DeviceFacts("somewhere/pi-1", "pi-1"), "digits", node.task_sampler.plan.architecture
    )
    for sha256, blob in zip(HASHES, KEPT, strict=True):
        node._blobs.keep(sha256, blob)
    try:
        async with bench.running(device.serve(bench.CountingTrainer())) as serving:
            yield node
            assert not serving.done(), "the device's task has ended"
    finally:
        node._outbox.close()


def given_to(node: Node, topic: str, message: Message, **fields: Any) -> None:
    node.received(Incoming(topic, encode(message), **{"response_topic": "answers/here", **fields}))


def run_state(model: str = "digits", **changes: Any) -> RunState:
    return replace(RunState("r1", 1, 9, "training", model, "", bytes(32), 0, 1), **changes)


async def trains(node: Node, number: int) -> None:
    """The node takes a good run message and a good command, and carries the command out."""
    before = node.rejected
    given_to(node, RUN, run_state(round=number))
    given_to(node, TRAIN, bench.train_command(BLOB, number=number))
    # Orders that came earlier and wait for the device may still be refused, and counted, from here on.
    assert node.rejected == before
    await bench.until(lambda: node._outbox.get(UpdateKey("r1", number, "pi-1", 0)))
    assert node.task_sampler.model == "digits"


@pytest.fixture(autouse=True)
def no_long_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """A blob that nobody published is missed soon."""
    monkeypatch.setattr(Blobs.fetch, "__defaults__", (0.02,))
    monkeypatch.setattr(model_fetcher, "FETCH_SECONDS", 0.02)


@examples(max_examples=60, suppress_health_check=list(HealthCheck), phases=[Phase.generate])
@given(sent=hostile.st.lists(hostile.messages(BLOB, [*HASHES, MISSING]), min_size=1, max_size=25))
def test_p1_whatever_is_published_is_done_or_counted_and_the_node_goes_on(
    tmp_path_factory: pytest.TempPathFactory, sent: list[Incoming]
) -> None:
    async def story() -> None:
        async with served(tmp_path_factory.mktemp("node")) as node:
            for message in sent:
                rejected = node.rejected
                node.received(message)
                with contextlib.suppress(ProtocolError):
                    intake.read(message)
                    continue
                assert node.rejected == rejected + 1
            await trains(node, 2_000_000_000)

    bench.run(story())


HOSTILE_MODELS = ["\0.toml", "../../etc/passwd", "/dev/zero", "/dev/zero.toml", "pipe.toml", "x" * 5000, "x" * 150]
HOSTILE_MODELS += ["digits@w8" + end for end in ("@", "\n", "\x1b[2J", "x" * 100)] + ["digits@", "@w8", "", "own_data"]


@pytest.mark.parametrize("model", HOSTILE_MODELS, ids=lambda model: repr(model[:20]))
def test_p1_a_run_names_no_path_that_a_node_opens(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, model: str) -> None:
    """M13."""
    monkeypatch.chdir(tmp_path)
    os.mkfifo(tmp_path / "pipe.toml")  # opening it would wait for ever

    async def story() -> None:
        async with served(tmp_path) as node:
            given_to(node, RUN, run_state(model))
            assert node.rejected == 1
            given_to(node, RUN, run_state(str(tmp_path / "pipe.toml")))
            assert node.rejected == 2
            await trains(node, 1)

    bench.run(story())


def test_p1_a_retained_run_of_a_model_that_is_none_does_not_end_a_node(broker: Broker, tmp_path: Path) -> None:
    async def story() -> None:
        node = Node(bench.settings(broker.url, tmp_path))
        async with bench.Headquarters(broker.url) as headquarters:
            await headquarters.publish_run("\0.toml")
            async with bench.running(node.run()) as work:
                await headquarters.node_is("pi-1", "ready")
                await bench.until(lambda: node.rejected)
                await headquarters.publish_run("sine")
                await bench.until(lambda: node.task_sampler.model == "sine")
                assert not work.done()

    bench.run(story())


WRONG: list[tuple[str, Message, dict[str, Any]]] = [
    *(
        (TRAIN, bench.train_command(BLOB), {name: value})
        for name in ("round", "attempt", "stored", "until")
        for value in (2**31, 2**63)
    ),
    *((TRAIN, bench.train_command(BLOB), {name: 0}) for name in ("ways", "shots", "passes")),
    *((TRAIN, bench.train_command(BLOB), {name: 10**6}) for name in ("ways", "shots", "passes")),
    *((TRAIN, bench.train_command(BLOB), {"learning_rate": rate}) for rate in (0.0, -0.1, 1.0, 1e308)),
    *((TRAIN, bench.train_command(BLOB), {"fraction": share}) for share in (0.0, -1.0, 1.5)),
    *((TRAIN, bench.train_command(BLOB), {"bits": bits}) for bits in (0, 7, 32, 2**63)),
    *((TRAIN, bench.train_command(BLOB), {"loss_threshold": loss}) for loss in (-0.1, 1e308)),
    (TRAIN, bench.train_command(BLOB), {"deadline": 2**53}),
    (TRAIN, bench.train_command(BLOB), {"proximal_decay": 2**15 + 1}),
    (TRAIN, bench.train_command(BLOB), {"local": 1001}),
    (TRAIN, bench.train_command(BLOB), {"replay_buffer_size": 2**63}),
    (TRAIN, bench.train_command(BLOB), {"batch": 2**63}),
    (TRAIN, bench.train_command(BLOB), {"run": "Not An Id"}),
    (TRAIN, bench.train_command(BLOB), {"ways": 1000, "shots": 1000}),
    (ADAPT, bench.adapt_command(BLOB), {"queries": 0}),
    (ADAPT, bench.adapt_command(BLOB), {"queries": 10**6}),
    (ADAPT, bench.adapt_command(BLOB), {"trial": 2**31}),
    (ADAPT, bench.adapt_command(BLOB), {"passes": 10**9}),
    (RUN, run_state(), {"round": 2**31}),
    (RUN, run_state(), {"quorum": 2**63}),
    (RUN, run_state(), {"network": "a\nb"}),
    (RUN, run_state(), {"model": "m" * 201}),
    (hostile.NODE + "cmd/stop", StopCommand("r1"), {"run": "a/b"}),
    (hostile.NODE + "ack/r1/1", UpdateAck("r1", 1, "pi-1", 0, "stored", ""), {"attempt": 2**63}),
    (hostile.NODE + "ack/r1/1", UpdateAck("r1", 1, "pi-1", 0, "stored", ""), {"round": 2}),
]


@pytest.mark.parametrize(("topic", "message", "changes"), WRONG, ids=lambda value: str(value)[:40])
def test_m12_a_field_outside_its_range_is_rejected_with_its_name(
    topic: str, message: Any, changes: dict[str, Any]
) -> None:
    payload = encode(replace(message, **changes))
    with pytest.raises(ProtocolError) as caught:
        intake.read(Incoming(topic, payload, "answers/here"))
    assert any(name.replace("_", "-") in str(caught.value) for name in changes)
    assert isinstance(caught.value, intake.NotPossible) == isinstance(message, AdaptCommand)


def test_m12_every_number_of_every_message_that_a_node_reads_has_a_range() -> None:
    numbers = {
        name
        for kind in (TrainCommand, AdaptCommand, StopCommand, UpdateAck, RunState)
        for name, of in kind.__annotations__.items()
        if of.split(" ")[0] in ("int", "float")
    }
    assert numbers - set(ranges.RANGES) == {"bits"}  # 8 or 16, see WRONG


#: Fields that go together (M32).
PRIVATE: dict[str, Any] = {name: ranges.RANGES[name][1] for name in ("clip", "grid", "noise")}


def test_m12_the_ends_of_a_range_belong_to_it() -> None:
    for name in set(ranges.RANGES) & set(TrainCommand.__annotations__) - {"ways", "shots", "passes", "learning_rate"}:
        for value in ranges.RANGES[name]:
            ranges.check(replace(bench.train_command(BLOB), **(PRIVATE if name in PRIVATE else {}) | {name: value}))


@pytest.mark.parametrize(
    "changes",
    [
        {"local": 2, "bits": 8},
        {"local": 3, "bits": 16},
        {"ways": 11},
        {"replay_buffer_size": 3, "proximal_decay": 5},
        {"hash": HASHES[2]},
    ],
    ids=str,
)
def test_m12_what_does_not_suit_the_network_is_refused_and_counted(tmp_path: Path, changes: dict[str, Any]) -> None:
    async def story() -> None:
        async with served(tmp_path) as node:
            given_to(node, TRAIN, bench.train_command(BLOB, **changes))
            await bench.until(lambda: node.rejected == 1)
            await trains(node, 2)

    bench.run(story())


def test_m12_an_adapt_command_outside_its_range_is_answered(broker: Broker, tmp_path: Path) -> None:
    async def story() -> None:
        async with (
            bench.Headquarters(broker.url) as headquarters,
            bench.running(Node(bench.settings(broker.url, tmp_path)).run()),
        ):
            answer = await headquarters.ask("pi-1", bench.adapt_command(BLOB, queries=2**40))
            assert not answer.ok
            assert answer.reason == "queries = 1099511627776 is not in 1 to 100000"

    bench.run(story())


def test_p3_orders_that_wait_are_bounded_and_those_of_the_run_go_first(tmp_path: Path) -> None:
    async def story() -> None:
        node = Node(bench.settings("mqtt://127.0.0.1:1", tmp_path))
        facts = DeviceFacts("somewhere/pi-1", "pi-1")
        device = node.add_device("pi-1", "pi", facts, "digits", node.task_sampler.plan.architecture)
        node._blobs.keep(HASHES[0], BLOB)
        given_to(node, RUN, run_state())
        for number in range(3 * MOST_JOBS):
            given_to(node, TRAIN, bench.train_command(BLOB, run="flood", attempt=number))
        given_to(node, TRAIN, bench.train_command(BLOB, number=1))
        assert len(device._jobs) == MOST_JOBS
        assert node.rejected == 2 * MOST_JOBS + 1
        async with bench.running(device.serve(bench.CountingTrainer())):
            await bench.until(node._outbox.pending)
            assert node._outbox.pending()[0].key == UpdateKey("r1", 1, "pi-1", 0)
        node._outbox.close()

    bench.run(story())


def test_p3_a_node_that_is_flooded_keeps_nothing_and_goes_on_serving(broker: Broker, tmp_path: Path) -> None:
    """Each message is handled before the next is read: at the end nothing waits anywhere in the node."""

    async def story() -> None:
        node = Node(bench.settings(broker.url, tmp_path))
        device = node.add_device(
            "pi-1", "pi", DeviceFacts("x/pi-1", "pi-1"), "digits", node.task_sampler.plan.architecture
        )
        async with (
            bench.Headquarters(broker.url, ("answers/#", hostile.NODE + "$state")) as headquarters,
            bench.running(node.run()),
            bench.running(device.serve(bench.CountingTrainer())),
        ):
            await headquarters.publish_blob(BLOB)
            await headquarters.node_is("pi-1", "ready")
            end = threading.Event()
            flooding = asyncio.create_task(asyncio.to_thread(flood, broker.port, end))
            try:
                await bench.until(lambda: node.rejected > 5000)
                for trial in range(3):  # the first blob is fetched during the flood
                    answer = await headquarters.ask("pi-1", bench.adapt_command(BLOB, trial=trial))
                    assert answer.ok, answer.reason
            finally:
                end.set()
                await flooding
            assert (await headquarters.ask("pi-1", bench.adapt_command(BLOB))).ok
            assert len(node._session._outgoing) < 10
            assert len(device._jobs) == 0

    bench.run(story())


def flood(port: int, end: threading.Event) -> None:
    """10,000 messages a second, of every kind that a node rejects, QoS 0, in a thread of its own."""
    payloads = [
        b"\xff" * 200,
        encode(bench.train_command(BLOB, attempt=2**63)),
        encode(bench.train_command(BLOB, device="nobody")),
    ]
    packets = [publish(TRAIN.encode(), payload, qos=0) for payload in payloads]
    with socket.create_connection(("127.0.0.1", port)) as line:
        line.sendall(b"\x10\x10\x00\x04MQTT\x05\x02\x00\x00\x00\x00\x03any")
        line.recv(64)
        while not end.wait(0.03):
            line.sendall(b"".join(packets * 100))
