"""Section M on a real broker: states, wills, what is retained, updates and their acknowledgement."""

from __future__ import annotations

import asyncio
import gc
import hashlib
import json
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import aiomqtt
import pytest
from fleet_bench import (
    DEADLINE_SECONDS,
    CountingTrainer,
    Headquarters,
    adapt_command,
    digits_blob,
    run,
    running,
    settings,
    train_command,
    until,
)

from jaragua.errors import BrokerError
from jaragua.node.description import DeviceFacts
from jaragua.node.device import Device
from jaragua.node.node import Node
from jaragua.node.program import until_first_ends
from jaragua.wire.messages import StopCommand, UpdateAck, encode
from jaragua.wire.topics import TopicKind
from jaragua_broker import Broker

BLOB = digits_blob()
Absence = Callable[[pytest.MonkeyPatch], None]
FACTS = DeviceFacts("somewhere/pi-1", "pi-1")


async def serve(node: Node, device: Device, trainer: CountingTrainer) -> None:
    await until_first_ends(node.run(), device.serve(trainer))


@asynccontextmanager
async def pi(url: str, folder: Path, trainer: CountingTrainer | None = None, name: str = "pi-1") -> AsyncIterator[Node]:
    node = Node(settings(url, folder, name))
    device = node.add_device(name, "pi", FACTS, "digits", node.task_sampler.plan.architecture)
    async with running(serve(node, device, trainer or CountingTrainer())):
        yield node


@asynccontextmanager
async def known_pi(
    url: str, folder: Path, *, held: bool = False
) -> AsyncIterator[tuple[Headquarters, CountingTrainer]]:
    """A device that is ready, beside the blob. held: its trainer waits for `proceed`."""
    trainer = CountingTrainer()
    if held:
        trainer.proceed.clear()
    async with Headquarters(url) as headquarters, pi(url, folder, trainer):
        await headquarters.device_is("pi-1", "ready")
        await headquarters.publish_blob(BLOB)
        yield headquarters, trainer


def test_node_says_ready_and_at_the_end_disconnected(broker: Broker, tmp_path: Path) -> None:
    async def story() -> None:
        async with Headquarters(broker.url) as headquarters:
            async with pi(broker.url, tmp_path):
                state = await headquarters.node_is("pi-1", "ready")
                device = await headquarters.device_is("pi-1", "ready")
                assert (state.kind, device.kind, device.model) == ("pi", "pi", "digits")
                assert device.epoch == state.epoch  # M8
            await headquarters.node_is("pi-1", "disconnected")
            await headquarters.device_is("pi-1", "disconnected")
            assert "lost" not in [seen.state for seen in headquarters.node_states("pi-1")]

    run(story())


def test_a_node_stopped_while_it_connects_leaves_no_connection_behind(
    broker: Broker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    connecting, may_connect = threading.Event(), threading.Event()
    connect = aiomqtt.Client._client_connect

    def slowly(client: aiomqtt.Client) -> None:
        connecting.set()
        may_connect.wait()
        connect(client)

    async def story() -> None:
        node = Node(settings(broker.url, tmp_path, "pi-1"))
        work = asyncio.create_task(node.run())
        await until(connecting.is_set)
        work.cancel()
        # Late enough for a node that does not wait for its connection to be gone before it.
        asyncio.get_running_loop().call_later(0.1, may_connect.set)
        with pytest.raises(asyncio.CancelledError):
            await work

    monkeypatch.setattr(aiomqtt.Client, "_client_connect", slowly)
    run(story())
    gc.collect()  # a client that was left open says so now, and a warning is an error


def test_states_and_descriptions_are_retained(broker: Broker, tmp_path: Path) -> None:
    async def story() -> None:
        async with pi(broker.url, tmp_path):
            async with Headquarters(broker.url) as headquarters:
                await headquarters.device_is("pi-1", "ready")
                await until(lambda: headquarters.of(TopicKind.NODE_DESCRIPTION))
            async with Headquarters(broker.url) as late:
                await late.device_is("pi-1", "ready")
                await until(lambda: late.of(TopicKind.DEVICE_DESCRIPTION) and late.of(TopicKind.NODE_DESCRIPTION))
                assert all(message.retain for message in late.seen)

    run(story())


def test_m6_everything_retained_comes_back_after_the_broker_lost_it(tmp_path: Path) -> None:
    async def story() -> None:
        with Broker() as first:
            node = pi(first.url, tmp_path)
            await node.__aenter__()
            async with Headquarters(first.url) as headquarters:
                before = await headquarters.device_is("pi-1", "ready")
        with Broker(port=first.port) as empty:
            async with Headquarters(empty.url) as headquarters:
                after = await headquarters.device_is("pi-1", "ready")
                await headquarters.node_is("pi-1", "ready")
                await until(lambda: headquarters.of(TopicKind.DEVICE_DESCRIPTION))
                await until(lambda: headquarters.of(TopicKind.NODE_DESCRIPTION))
                assert after.epoch > before.epoch  # M8
            await node.__aexit__(None, None, None)

    run(story())


def test_m16_a_node_that_loses_one_connection_has_both_anew(broker: Broker, tmp_path: Path) -> None:
    """Another client takes the name of the wide one, and goes: what is asked afterwards is heard."""

    async def story() -> None:
        async with Headquarters(broker.url) as headquarters, pi(broker.url, tmp_path, name="pi-9"):
            before = await headquarters.node_is("pi-9", "ready")
            async with aiomqtt.Client(
                "127.0.0.1", broker.port, identifier="jaragua-home-pi-9-wide", protocol=aiomqtt.ProtocolVersion.V5
            ):
                pass
            await until(lambda: headquarters.node_states("pi-9")[-1].epoch > before.epoch)
            await headquarters.publish_blob(BLOB)
            await headquarters.command("pi-9", "train", train_command(BLOB, device="pi-9"))
            assert (await headquarters.update_number(1))[0].device == "pi-9"

    run(story())


def test_update_follows_the_command(broker: Broker, tmp_path: Path) -> None:
    async def story() -> None:
        async with known_pi(broker.url, tmp_path) as (headquarters, trainer):
            await headquarters.command("pi-1", "train", train_command(BLOB, passes=2))
            header, update = await headquarters.update_number(1)
            assert (header.run, header.round, header.device, header.attempt) == ("r1", 1, "pi-1", 0)
            assert (header.base, header.encoding) == (hashlib.sha256(BLOB).digest(), "blob")
            assert (header.samples, header.bytes, header.instructions) == (24, len(BLOB), 7000)
            assert (header.metric, header.score, header.loss) == ("accuracy", 2 / 24, 1.0)
            assert update == BLOB[:-1] + bytes([BLOB[-1] ^ 1])
            assert trainer.seeds == [train_command(BLOB).seed & 0xFFFFFFFF]  # A8.5
            first, second = trainer.trained[0].inputs[:12], trainer.trained[0].inputs[12:]
            assert (first == second).all()  # passes: the support set again, in the same order

    run(story())


def test_m2_update_is_published_until_it_is_acknowledged(broker: Broker, tmp_path: Path) -> None:
    async def story() -> None:
        async with known_pi(broker.url, tmp_path) as (headquarters, _):
            await headquarters.command("pi-1", "train", train_command(BLOB))
            first, again = await headquarters.update_number(1), await headquarters.update_number(3)
            assert first == again
            await headquarters.acknowledge("pi-1", first[0])
            # A second round shows that the node has read the acknowledgement: from then on only the new one comes.
            await headquarters.command("pi-1", "train", train_command(BLOB, number=2))
            await until(lambda: [header.round for header, _ in headquarters.updates()][-3:] == [2, 2, 2])

    run(story())


def test_m2_update_survives_the_process_and_the_broker(tmp_path: Path) -> None:
    async def story() -> None:
        with Broker() as first:
            async with Headquarters(first.url) as headquarters, pi(first.url, tmp_path):
                await headquarters.publish_blob(BLOB)
                await headquarters.command("pi-1", "train", train_command(BLOB))
                sent = await headquarters.update_number(1)
        with Broker() as second:
            trainer = CountingTrainer()
            async with Headquarters(second.url) as headquarters, pi(second.url, tmp_path, trainer):
                assert await headquarters.update_number(1) == sent
                assert trainer.trained == []

    run(story())


@pytest.mark.parametrize("acknowledged", [True, False])
def test_m3_repeated_command_is_answered_and_not_trained_again(
    broker: Broker, tmp_path: Path, acknowledged: bool
) -> None:
    async def story() -> None:
        async with known_pi(broker.url, tmp_path) as (headquarters, trainer):
            await headquarters.command("pi-1", "train", train_command(BLOB))
            first = await headquarters.update_number(1)
            if acknowledged:
                await headquarters.acknowledge("pi-1", first[0])
            seen = len(headquarters.updates())
            await headquarters.command("pi-1", "train", train_command(BLOB))
            assert await headquarters.update_number(seen + 1) == first
            assert len(trainer.trained) == 1
            await headquarters.command("pi-1", "train", train_command(BLOB, attempt=1))
            await until(lambda: headquarters.updates()[-1][0].attempt == 1)
            assert len(trainer.trained) == 2

    run(story())


def test_m3_command_repeated_while_it_is_worked_on_is_trained_once(broker: Broker, tmp_path: Path) -> None:
    async def story() -> None:
        async with known_pi(broker.url, tmp_path, held=True) as (headquarters, trainer):
            await headquarters.command("pi-1", "train", train_command(BLOB))
            await headquarters.device_is("pi-1", "training")
            await headquarters.command("pi-1", "train", train_command(BLOB))
            await headquarters.command("pi-1", "train", train_command(BLOB, number=2))
            trainer.proceed.set()
            await until(lambda: headquarters.updates() and headquarters.updates()[-1][0].round == 2)
            assert len(trainer.trained) == 2

    run(story())


def test_blob_with_other_bytes_than_its_name_is_not_used(broker: Broker, tmp_path: Path) -> None:
    async def story() -> None:
        trainer = CountingTrainer()
        async with Headquarters(broker.url) as headquarters, pi(broker.url, tmp_path, trainer):
            await headquarters.publish_blob(digits_blob(2), name=hashlib.sha256(BLOB).hexdigest())
            await headquarters.command("pi-1", "train", train_command(BLOB))
            state = await until(
                lambda: next((s for s in headquarters.device_states("pi-1") if s.reason is not None), None)
            )
            assert "other bytes than its name" in (state.reason or "")
            assert trainer.trained == []
            await headquarters.publish_blob(BLOB)
            await headquarters.command("pi-1", "train", train_command(BLOB))
            await headquarters.update_number(1)

    run(story())


def test_m4_answer_carries_the_correlation_data(broker: Broker, tmp_path: Path) -> None:
    async def story() -> None:
        async with known_pi(broker.url, tmp_path) as (headquarters, trainer):
            answer = await headquarters.ask("pi-1", adapt_command(BLOB))
            assert (answer.ok, answer.metric, answer.queries, answer.instructions) == (True, "accuracy", 30, 7000)
            assert (answer.before, answer.after) == (0.5, 0.5)
            assert [len(samples) for samples in trainer.trained] == [60]
            assert [len(samples) for samples in trainer.evaluated] == [30, 30]

    run(story())


def test_m4_what_cannot_be_done_is_answered_with_the_reason(broker: Broker, tmp_path: Path) -> None:
    async def story() -> None:
        async with known_pi(broker.url, tmp_path) as (headquarters, _):
            for command, reason in (
                (adapt_command(BLOB, device="nobody"), "no device 'nobody'"),
                (adapt_command(BLOB, learning_rate=2.0), "learning-rate"),
                (adapt_command(BLOB, ways=99), "99"),
                (adapt_command(BLOB, passes=10**9), "passes"),
                (adapt_command(BLOB, queries=0), "queries = 0"),
            ):
                answer = await headquarters.ask("pi-1", command)
                assert not answer.ok
                assert reason in (answer.reason or "")

    run(story())


def test_malformed_messages_are_dropped_and_the_node_goes_on(broker: Broker, tmp_path: Path) -> None:
    async def story() -> None:
        async with Headquarters(broker.url) as headquarters, pi(broker.url, tmp_path):
            await headquarters.device_is("pi-1", "ready")
            root = "jaragua/1/home/"
            for topic, payload in (
                ("node/pi-1/cmd/train", b""),
                ("node/pi-1/cmd/train", b"\xff" * 40),
                ("node/pi-1/cmd/adapt", b"\xa0"),
                ("node/pi-1/cmd/dance", b"\xa0"),
                ("node/pi-1/ack/r1/1", b"\x80"),
                ("run", b"\x00"),
            ):
                await headquarters.publish(root + topic, payload)
            await headquarters.command("pi-1", "train", train_command(BLOB, run="Not An Id"))
            await headquarters.command("pi-1", "train", train_command(BLOB, attempt=2**63))
            await headquarters.publish(
                root + "node/pi-1/ack/r1/1", encode(UpdateAck("r1", 2**63, "pi-1", 0, "late", ""))
            )
            await headquarters.command("pi-1", "adapt", adapt_command(BLOB))  # without a response topic
            await headquarters.publish_blob(BLOB)
            await headquarters.command("pi-1", "train", train_command(BLOB))
            await headquarters.update_number(1)

    run(story())


def test_stop_command_drops_what_waits(broker: Broker, tmp_path: Path) -> None:
    async def story() -> None:
        async with known_pi(broker.url, tmp_path, held=True) as (headquarters, trainer):
            await headquarters.command("pi-1", "train", train_command(BLOB))
            await headquarters.command("pi-1", "train", train_command(BLOB, number=2))
            await headquarters.device_is("pi-1", "training")
            await headquarters.command("pi-1", "stop", StopCommand("r1"))
            await headquarters.command("pi-1", "train", train_command(BLOB, run="r2"))
            trainer.proceed.set()
            header, _ = await headquarters.update_number(1)
            assert header.run == "r2"
            assert len(trainer.trained) == 2  # the one under way, and r2's

    run(story())


def test_round_that_is_over_is_not_trained(broker: Broker, tmp_path: Path) -> None:
    async def story() -> None:
        async with known_pi(broker.url, tmp_path, held=True) as (headquarters, trainer):
            for number in (1, 2):
                await headquarters.command("pi-1", "train", train_command(BLOB, number=number))
            await headquarters.device_is("pi-1", "training")
            await headquarters.publish_run(number=3)
            await headquarters.command("pi-1", "train", train_command(BLOB, number=3))
            trainer.proceed.set()
            await until(lambda: headquarters.updates() and headquarters.updates()[-1][0].round == 3)
            assert [len(trainer.trained), headquarters.updates()[0][0].round] == [2, 1]

    run(story())


def test_r13_5_a_job_is_done_as_long_as_its_update_counts(broker: Broker, tmp_path: Path) -> None:
    """`until` 4: done while round 4 is open, dropped when round 5 is."""

    async def story() -> None:
        async with known_pi(broker.url, tmp_path, held=True) as (headquarters, trainer):
            for number, until_round in ((1, None), (2, 4), (3, 6)):
                command = train_command(BLOB, number=number, until=until_round)
                await headquarters.command("pi-1", "train", command)
            await headquarters.device_is("pi-1", "training")
            await headquarters.publish_run(number=5)
            await headquarters.command("pi-1", "train", train_command(BLOB, number=5))
            trainer.proceed.set()
            await until(lambda: headquarters.updates() and headquarters.updates()[-1][0].round == 5)
            assert sorted({header.round for header, _ in headquarters.updates()}) == [1, 3, 5]  # M2: some came again

    run(story())


def test_node_whose_session_is_taken_over_ends(tmp_path: Path) -> None:
    """MQTT 5.0, 4.13: told by the broker (0x8E) that another client has its name, a node does not fight for it."""

    async def take_over(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        _, low = await reader.readexactly(2)
        high = (await reader.readexactly(1))[0] if low > 127 else 0
        await reader.readexactly((low & 127) + 128 * high)  # the rest of CONNECT
        writer.write(b"\x20\x03\x00\x00\x00")  # CONNACK
        await reader.readexactly(1)  # the first SUBSCRIBE
        writer.write(b"\xe0\x02\x8e\x00")  # DISCONNECT
        writer.close()

    async def story() -> None:
        async with await asyncio.start_server(take_over, "127.0.0.1", 0) as server:
            port = server.sockets[0].getsockname()[1]
            with pytest.raises(BrokerError, match="another process has connected"):
                await Node(settings(f"mqtt://127.0.0.1:{port}", tmp_path)).run()

    run(story())


def test_broker_that_is_not_there_is_one_sentence(tmp_path: Path) -> None:
    with Broker() as gone:
        url = gone.url
    with pytest.raises(BrokerError, match="no connection to the broker") as caught:
        run(Node(settings(url, tmp_path, patience_seconds=0.2)).run())
    assert "jaragua broker start" in caught.value.hint


def refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody listens on the broker's port."""


def unresolved(monkeypatch: pytest.MonkeyPatch) -> None:
    """There is no network yet: no name has an address."""

    def fail(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")

    monkeypatch.setattr(socket, "getaddrinfo", fail)


@pytest.mark.parametrize("absence", [refused, unresolved])
def test_a_node_started_before_its_broker_waits_and_says_so_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, absence: Absence
) -> None:
    attempts: list[str] = []
    connect = aiomqtt.Client._client_connect

    def counted(client: aiomqtt.Client) -> None:
        attempts.append("")
        connect(client)

    async def story() -> None:
        with Broker() as gone:
            port = gone.port
        with monkeypatch.context() as patched:
            absence(patched)
            patched.setattr(aiomqtt.Client, "_client_connect", counted)
            node = pi(f"mqtt://127.0.0.1:{port}", tmp_path)
            await node.__aenter__()
            await until(lambda: len(attempts) >= 4)
        waiting = [record.getMessage() for record in caplog.records if "waiting for the broker" in record.getMessage()]
        assert len(waiting) == 1
        with Broker(port=port) as broker:
            async with Headquarters(broker.url) as headquarters:
                await headquarters.device_is("pi-1", "ready")
                await node.__aexit__(None, None, None)

    caplog.set_level("INFO", "jaragua")
    run(story())


def test_ctrl_c_ends_a_node_that_waits_for_its_broker(tmp_path: Path) -> None:
    with Broker() as gone:
        url = gone.url
    options = ("--broker", url, "--fleet", "home", "--node", "pi-1", "--model", "sine", "--data-dir", str(tmp_path))
    command = [sys.executable, "-m", "jaragua.cli.main", "client", *options]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as client:
        assert client.stderr is not None
        assert "waiting for the broker" in client.stderr.readline()
        client.send_signal(signal.SIGINT)
        assert client.wait(timeout=3 * DEADLINE_SECONDS) == 0


def test_descriptions_are_things_of_wot_td_1_1(broker: Broker, tmp_path: Path) -> None:
    async def story() -> None:
        async with Headquarters(broker.url) as headquarters, pi(broker.url, tmp_path):
            await until(lambda: headquarters.of(TopicKind.DEVICE_DESCRIPTION))
            await until(lambda: headquarters.of(TopicKind.NODE_DESCRIPTION))
            kinds = (TopicKind.DEVICE_DESCRIPTION, TopicKind.NODE_DESCRIPTION)
            for thing in (json.loads(headquarters.of(kind)[0].payload) for kind in kinds):
                assert thing["@context"][0] == "https://www.w3.org/2022/wot/td/v1.1"
                assert thing["security"] == ["nosec_sc"]
                assert thing["securityDefinitions"] == {"nosec_sc": {"scheme": "nosec"}}
                assert thing["id"].startswith("urn:uuid:")
                assert thing["title"]
                for affordance in (*thing["properties"].values(), *thing.get("actions", {}).values()):
                    assert affordance["forms"]
                    assert all(form["href"].startswith(broker.url + "/jaragua/1/home/") for form in affordance["forms"])

    run(story())
