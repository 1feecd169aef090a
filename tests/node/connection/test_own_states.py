"""M14: what another client writes on a node's or a device's state is counted and put right."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from fleet_bench import FLEET, CountingTrainer, Headquarters, run, running, settings, until

from jaragua.node.description import DeviceFacts
from jaragua.node.node import Node
from jaragua.wire.messages import DeviceState, NodeState, encode
from jaragua.wire.topics import TopicKind, build, parse
from jaragua_broker import Broker

NODE_TOPIC = build(TopicKind.NODE_STATE, FLEET, node="pi-1")
DEVICE_TOPIC = build(TopicKind.DEVICE_STATE, FLEET, node="pi-1", device="pi-1")
PROPERTY_TOPIC = build(TopicKind.DEVICE_PROPERTY, FLEET, node="pi-1", device="pi-1", name="model")
NOW_MS = time.time_ns() // 1_000_000
FORGED = {
    "node": (NODE_TOPIC, encode(NodeState("lost", NOW_MS, "pi"))),
    "node, no message": (NODE_TOPIC, b"\xff\0"),
    "node, cleared": (NODE_TOPIC, b""),
    "device": (DEVICE_TOPIC, encode(DeviceState("lost", NOW_MS, "pi", "digits", bytes(8)))),
    "device, cleared": (DEVICE_TOPIC, b""),
    "property": (PROPERTY_TOPIC, b'{"model":"another"}'),
}


def last_payload(headquarters: Headquarters, kind: TopicKind) -> bytes:
    return headquarters.of(kind)[-1].payload


async def served(broker: Broker, folder: Path, story: Callable[[Node, Headquarters], Any]) -> None:
    node = Node(settings(broker.url, folder))
    device = node.add_device("pi-1", "pi", DeviceFacts("x/pi-1", "pi-1"), "digits", node.task_sampler.plan.architecture)
    async with (
        Headquarters(broker.url) as headquarters,
        running(node.run()),
        running(device.serve(CountingTrainer())),
    ):
        await headquarters.node_is("pi-1", "ready")
        await headquarters.device_is("pi-1", "ready")
        await story(node, headquarters)


@pytest.mark.parametrize("forged", FORGED.values(), ids=FORGED)
def test_m14_a_forged_state_is_counted_and_put_right(broker: Broker, tmp_path: Path, forged: tuple[str, bytes]) -> None:
    topic, payload = forged
    kind = parse(topic).kind

    async def story(node: Node, headquarters: Headquarters) -> None:
        await until(lambda: headquarters.of(kind))
        honest = last_payload(headquarters, kind)
        await headquarters._client.publish(topic, payload, qos=1, retain=True)
        await until(lambda: last_payload(headquarters, kind) == payload)
        await until(lambda: last_payload(headquarters, kind) == honest)
        assert node._rejections.counts() == {"impostor": 1}

    run(served(broker, tmp_path, story))


def test_m14_what_a_node_says_itself_is_no_forgery(broker: Broker, tmp_path: Path) -> None:
    async def story(node: Node, headquarters: Headquarters) -> None:
        for state in ("training", "ready", "sleeping", "ready"):
            node._devices["pi-1"].set_state(state)  # type: ignore[arg-type]
            await headquarters.device_is("pi-1", state)
        assert node.rejected == 0

    run(served(broker, tmp_path, story))


def test_m14_many_forged_states_are_answered_by_few_of_ours(broker: Broker, tmp_path: Path) -> None:
    async def story(node: Node, headquarters: Headquarters) -> None:
        honest = last_payload(headquarters, TopicKind.NODE_STATE)
        before = len(headquarters.of(TopicKind.NODE_STATE))
        began = time.monotonic()
        for _ in range(200):
            await headquarters._client.publish(*FORGED["node"], qos=1, retain=True)
        await until(lambda: last_payload(headquarters, TopicKind.NODE_STATE) == honest)
        seen = [one.payload for one in headquarters.of(TopicKind.NODE_STATE)[before:]]
        assert seen.count(honest) <= 1 + time.monotonic() - began
        await until(lambda: node.rejected >= 200)

    run(served(broker, tmp_path, story))
