"""P3, M14, M15: a flood costs a coordinator no memory, no run, and not the rounds while it lasts. See `make flood`."""

from __future__ import annotations

import asyncio
import contextlib
import multiprocessing
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import aiomqtt
import flood
import pytest
from fleet_simulator import SimulatedNode
from test_adaptation import blobs, trial
from test_claim import until_broken
from test_rounds_over_mqtt import nodes_at_work

from jaragua.coordinator import request_adaptation, wait_for_devices
from jaragua.coordinator.connection.fleet import Fleet
from jaragua.errors import RunError
from jaragua.wire.messages import NodeState, RunState, encode
from jaragua.wire.topics import TopicKind, build
from jaragua_broker import Broker
from limits import GENEROUS_S

#: Of the whole process; a queue without a bound held hundreds.
MOST_MORE_MB = 40.0
ROUNDS = 3


def test_p3_rounds_are_closed_during_a_flood_and_memory_stays_bounded(tmp_path: Path, seed: int) -> None:
    """M16.4."""
    """10,000 messages a second of strangers and on topics of real peers, until so many rounds are closed meanwhile."""
    what = flood.Flood(rate=10_000, seconds=1.0, on="both", seed=seed, until_rounds=ROUNDS, most_seconds=GENEROUS_S)
    result = asyncio.run(flood.measure(what, tmp_path))
    print(result.table())
    assert result.rounds_during >= ROUNDS
    assert result.sent > 5000
    assert result.rejected["flood"] > 1000
    for name in ("coordinator", *flood.NODES):
        assert result.worst.megabytes[name] < result.before.megabytes[name] + MOST_MORE_MB
        assert result.after.megabytes[name] < result.before.megabytes[name] + MOST_MORE_MB


@contextlib.asynccontextmanager
async def flooding(port: int, on: str, seed: int) -> AsyncIterator[Callable[[], int]]:
    """A flood from another process for the length of the block; how many messages were sent so far."""
    spawn = multiprocessing.get_context("spawn")
    sent, end = spawn.Value("q", 0), spawn.Event()
    run = RunState("run-1", 1, 9, "training", flood.MODEL, "", bytes(32), 0, 1)
    what = flood.Flood(5000, GENEROUS_S, on, seed)
    flooder = spawn.Process(target=flood.flood, args=(port, run, what, sent, end))
    flooder.start()
    try:
        while sent.value < 5000:
            assert flooder.is_alive()
            await asyncio.sleep(0.01)
        yield lambda: sent.value
    finally:
        end.set()
        await asyncio.to_thread(flooder.join)


async def die(broker: Broker, node: SimulatedNode) -> None:
    """What the broker publishes of a node whose connection is lost (M7)."""
    topic = build(TopicKind.NODE_STATE, node.fleet, node=node.node)
    async with aiomqtt.Client("127.0.0.1", broker.port) as will:
        await will.publish(topic, encode(NodeState("lost", node.epoch, "gateway")), qos=1, retain=True)


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(GENEROUS_S):
        while not condition():
            await asyncio.sleep(0.01)


def test_m15_answers_claims_and_who_is_lost_are_known_during_a_flood(seed: int) -> None:
    with Broker() as broker:
        node = SimulatedNode(broker.url, flood.FLEET, "gateway-1", ("board-1",))
        late = SimulatedNode(broker.url, flood.FLEET, "gateway-2", ("board-2",))

        async def story() -> None:
            async with nodes_at_work(node), Fleet(broker.url, flood.FLEET) as serving:
                await wait_for_devices(serving, ["board-1"], GENEROUS_S)
                async with flooding(broker.port, "both", seed):
                    answer = await request_adaptation(serving, "trials", trial("board-1", 1, blobs()[0]))
                    assert answer.queries == 10
                    with pytest.raises(RunError, match="another coordinator serves"):
                        async with Fleet(broker.url, flood.FLEET):
                            pass
                    async with nodes_at_work(late):
                        await until(lambda: "board-2" in serving.roster.present())
                    await die(broker, late)
                    await until(lambda: "board-2" not in serving.roster.present())
                    async with Fleet(broker.url, flood.FLEET, take_over=True) as second:
                        with pytest.raises(RunError, match="another coordinator has taken over"):
                            await until_broken(serving)
                        second.raise_if_broken()
                        assert "board-1" in second.roster.present()

        asyncio.run(story())
