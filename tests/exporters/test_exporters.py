"""TensorBoard's event files are read back, Prometheus's endpoint and Home Assistant's topics over a real broker."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import re
import struct
import urllib.request
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from pathlib import Path

import aiomqtt
import pytest

from jaragua.cli.main import run
from jaragua.exporters import home_assistant, tensorboard
from jaragua.exporters.home_assistant import HomeAssistant, discovery_topic, state_topic
from jaragua.exporters.prometheus import serve
from jaragua.node.connection.url import parse_broker_url
from jaragua.observe.observer import Observer
from jaragua.store.reading import read_details
from jaragua.wire import messages
from jaragua.wire.topics import TopicKind, build
from jaragua_broker import Broker
from limits import GENEROUS_S

FLEET = "home"
DEVICE = {"node": "gateway-1", "device": "board-1"}


@pytest.fixture(scope="module")
def broker() -> Iterator[Broker]:
    with Broker() as running:
        yield running


def said(*, run_name: str = "r1") -> dict[str, bytes]:
    """What a small fleet has said, by topic."""
    return {
        build(TopicKind.RUN, FLEET): messages.encode(
            messages.RunState(run_name, 3, 9, "training", "digits", "ab" * 8, b"\0" * 32, 0, 1)
        ),
        build(TopicKind.DEVICE_STATE, FLEET, **DEVICE): messages.encode(
            messages.DeviceState("ready", 1, "cortex-m4", "digits", b"\0" * 8)
        ),
        build(TopicKind.DEVICE_DESCRIPTION, FLEET, **DEVICE): b'{"jrg:board": "nano33ble", "jrg:firmware": "1.2"}',
    }


#: As a gateway publishes what a board says of itself (L4.8).
HEALTH = messages.Health(
    1, 900, 5, 6, 70, 80, 2, 1, bad_crc=7, duplicates=0, rtt_ms=3, stack_free_bytes=640, stack_bytes=1024,
    saves=12, most_saves=40_000, erases=60, trained=120,
)  # fmt: skip
TELEMETRY = messages.encode(messages.Telemetry(1, {k: v for k, v in dataclasses.asdict(HEALTH).items() if k != "id"}))


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(GENEROUS_S):
        while not await condition():
            await asyncio.sleep(0.05)


async def told(url: str, sent: dict[str, bytes], *, retain: bool = True) -> None:
    async with client(url) as publisher:
        for topic, payload in sent.items():
            await publisher.publish(topic, payload, qos=1, retain=retain)


def client(url: str) -> aiomqtt.Client:
    return aiomqtt.Client("127.0.0.1", int(url.rpartition(":")[2]), protocol=aiomqtt.ProtocolVersion.V5)


# ---- TensorBoard ----


def events_in(folder: Path) -> Iterator[tuple[str, float, int]]:
    """Scalars of the event files of a folder, in the record format of TensorFlow."""
    from tensorboardX.proto.event_pb2 import Event

    for path in folder.glob("events.out.tfevents.*"):
        content, place = path.read_bytes(), 0
        while place < len(content):
            (length,) = struct.unpack_from("<Q", content, place)
            event = Event.FromString(content[place + 12 : place + 12 + length])
            place += 12 + length + 4
            for value in event.summary.value:
                if value.HasField("simple_value"):
                    yield value.tag, value.simple_value, event.step


def test_event_files_have_every_figure_of_a_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("tensorboardX", reason="pip install 'jaragua[tensorboard]'")
    folder = tmp_path / "run"
    options = ["evaluation.tasks=3", "simulation.checkpoints=[2]"]
    words = [word for one in options for word in ("--set", one)]
    assert run(["simulate", "--task", "sine", "--rounds", "4", "--directory", str(folder), *words]) == 0
    capsys.readouterr()
    assert run(["export", "tensorboard", str(folder), "--out", str(tmp_path / "events"), "--json"]) == 0
    (written,) = json.loads(capsys.readouterr().out)["data"]["values"].values()
    (events,) = (tmp_path / "events").iterdir()
    found = sorted(events_in(events))
    wanted = sorted(tensorboard.scalars(read_details(folder)))
    assert [(name, step) for name, _, step in found] == [(name, step) for name, _, step in wanted]
    assert [value for _, value, _ in found] == pytest.approx([value for _, value, _ in wanted], rel=1e-6)
    assert written == len(wanted)
    names = {name for name, _, _ in found}
    assert {"round/loss", "traffic/bytes_up", "held_out/before_adaptation", "held_out/after_adaptation"} <= names


# ---- Prometheus ----


def test_the_endpoint_tells_what_the_broker_tells(broker: Broker) -> None:
    parser = pytest.importorskip("prometheus_client.parser", reason="pip install 'jaragua[prometheus]'")

    def read(url: str) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
        text = urllib.request.urlopen(url, timeout=GENEROUS_S).read().decode()
        families = parser.text_string_to_metric_families(text)
        return {
            (one.name, tuple(sorted(one.labels.items()))): one.value for family in families for one in family.samples
        }

    async def everything() -> None:
        await told(broker.url, said())
        ready: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        observer = Observer(parse_broker_url(broker.url), FLEET)
        task = asyncio.create_task(serve(observer, "127.0.0.1", 0, ready.set_result))
        url = await asyncio.wait_for(ready, GENEROUS_S)
        link = ("jaragua_link_bad_crc_total", (("device", "board-1"),))
        round_ = ("jaragua_round", (("model", "digits"), ("run", "r1")))

        async def has_link_and_round() -> bool:
            await told(broker.url, {build(TopicKind.TELEMETRY, FLEET, **DEVICE): TELEMETRY}, retain=False)
            return {link, round_} <= (await asyncio.to_thread(read, url)).keys()

        await until(has_link_and_round)
        found = await asyncio.to_thread(read, url)
        place = (("device", "board-1"), ("kind", "cortex-m4"), ("node", "gateway-1"))
        assert found[link] == 7
        assert found["jaragua_device_present", place] == 1
        assert found[round_] == 3
        assert found["jaragua_stack_free_bytes", (("device", "board-1"),)] == 640
        assert found["jaragua_flash_saves", (("device", "board-1"),)] == 12  # K9
        assert found["jaragua_flash_erases_total", (("device", "board-1"),)] == 60
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task

    asyncio.run(everything())


# ---- Home Assistant ----


def test_home_assistant_finds_devices_and_their_state(broker: Broker) -> None:
    async def everything() -> None:
        await told(broker.url, said())
        heard: dict[str, bytes] = {}

        async def listen(subscriber: aiomqtt.Client) -> None:
            async for message in subscriber.messages:
                heard[str(message.topic)] = bytes(message.payload)

        async with client(broker.url) as subscriber:
            await subscriber.subscribe("homeassistant/#", qos=1)
            await subscriber.subscribe("jaragua-ha/#", qos=1)
            listening = asyncio.create_task(listen(subscriber))
            bridge = asyncio.create_task(HomeAssistant(Observer(parse_broker_url(broker.url), FLEET)).run())
            state, config = state_topic(FLEET, "board-1"), discovery_topic(FLEET, "board-1")
            run_state, available = state_topic(FLEET, home_assistant.RUN), home_assistant.availability_topic(FLEET)

            async def has_state() -> bool:
                await told(broker.url, {build(TopicKind.TELEMETRY, FLEET, **DEVICE): TELEMETRY}, retain=False)
                return b'"damaged_frames": 7' in heard.get(state, b"") and b"nano33ble" in heard.get(config, b"")

            async def has_run() -> bool:
                # The bridge's first state of the run may be older than the first message of the run (round: null).
                return json.loads(heard.get(run_state, b"{}")).get("round") == 3 and heard.get(available) == b"online"

            await until(has_state)
            await until(has_run)
            check_discovery(heard, config, state)
            await told(broker.url, {build(TopicKind.DEVICE_STATE, FLEET, **DEVICE): b""})

            async def is_gone() -> bool:
                return heard[config] == b"" == heard[state]

            await until(is_gone)
            bridge.cancel()
            with suppress(asyncio.CancelledError):
                await bridge

            async def is_offline() -> bool:
                return heard[available] == b"offline"

            await until(is_offline)
            listening.cancel()

    asyncio.run(everything())


def check_discovery(heard: dict[str, bytes], config: str, state: str) -> None:
    """As Home Assistant reads a device's discovery: every entity's template names a key of the state. K9."""
    found = json.loads(heard[config])
    assert re.fullmatch(r"homeassistant/device/[a-zA-Z0-9_-]+/config", config)
    assert found["state_topic"] == state
    assert found["device"] == {
        "identifiers": ["jaragua_home_board-1"],
        "name": "board-1 (home)",
        "manufacturer": "Jaragua",
        "model": "nano33ble",
        "sw_version": "1.2",
    }
    values = json.loads(heard[state])
    for one in found["components"].values():
        key = re.fullmatch(r"\{\{ value_json\.(\w+) \}\}", one["value_template"])
        assert key is not None
        assert key[1] in values
    assert len({one["unique_id"] for one in found["components"].values()}) == len(found["components"]) == 10
    assert {key: values[key] for key in values if key.startswith("flash")} == {
        "flash_saves": 12,
        "flash_most_saves": 40_000,
        "flash_erases": 60,
        "flash_erases_per_1000_jobs": 500.0,
    }
