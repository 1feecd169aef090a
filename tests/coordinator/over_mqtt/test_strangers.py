"""What strangers on the broker can cause a run: rejections that are counted, and a few deadlines (P1, R15)."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import aiomqtt
import pytest
from fleet_simulator import SimulatedNode
from test_rounds_over_mqtt import FOUR, nodes_at_work, run_to_end, two_nodes

import jaragua_models
from jaragua.config import RunConfig
from jaragua.coordinator import RunResult, run_coordinator
from jaragua.coordinator.events import RoundFinished, RunEvent
from jaragua.errors import Interrupted
from jaragua.store import Store, open_run, read_run
from jaragua.wire.messages import DeviceState, NodeState, encode
from jaragua_compiler import plan

MakeConfig = Callable[..., RunConfig]
ARCHITECTURE = plan(jaragua_models.get("sine").network).architecture


@contextlib.asynccontextmanager
async def stranger(config: RunConfig) -> AsyncIterator[aiomqtt.Client]:
    host, port = config.broker.url.removeprefix("mqtt://").split(":")
    async with aiomqtt.Client(host, int(port)) as client:
        client.pending_calls_threshold = 10_000
        yield client


async def invent(client: aiomqtt.Client, config: RunConfig, count: int) -> None:
    """Devices that are ready for the run's network, retained, at one node that is ready."""
    root = f"jaragua/1/{config.run.fleet}/node/invented"
    await client.publish(f"{root}/$state", encode(NodeState("ready", 1, "gateway")), 1, retain=True)
    state = encode(DeviceState("ready", 1, "cortex-m4", "sine", ARCHITECTURE))
    await asyncio.gather(
        *(client.publish(f"{root}/dev/invented-{number}/$state", state, 1, retain=True) for number in range(count))
    )


def test_r15_three_hundred_invented_devices_stop_no_run_and_none_that_goes_on(make_config: MakeConfig) -> None:
    config = make_config(rounds=6, deadline_s=1.5)

    async def began(*, stop_after: int | None) -> RunResult | None:
        def watch(event: RunEvent) -> None:
            if isinstance(event, RoundFinished) and event.round_number == stop_after:
                raise Interrupted("enough")

        with open_run(config.run.directory) as folder:
            async with nodes_at_work(*two_nodes(config)), asyncio.timeout(240):
                return await run_coordinator(config, store=folder, on_event=watch)

    async def everything() -> RunResult | None:
        async with stranger(config) as client:
            await invent(client, config, 300)
        with pytest.raises(Interrupted):
            await began(stop_after=2)
        return await began(stop_after=None)

    result = asyncio.run(everything())
    assert result is not None
    assert result.rounds == 6
    assert {one.device for one in result.devices} <= set(FOUR)
    lines = [json.loads(line) for line in (config.run.directory / "metrics.jsonl").read_text().splitlines()]
    # Whoever was asked in the first round and did not answer is known, and holds no later round up.
    assert any(name.startswith("invented-") for name in lines[0]["silent"])
    assert all(line["seconds"] < 2 * config.round.deadline_s for line in lines[2:])


def test_m8_a_state_in_a_nodes_name_does_not_lose_it_for_ever(make_config: MakeConfig) -> None:
    """An epoch of 2^64 - 1 is no message; one that a clock can give loses the node until it speaks again."""
    import cbor2

    config = make_config(clients=4, quorum=4, rounds=4, deadline_s=20)
    topic = f"jaragua/1/{config.run.fleet}/node/gateway-1/$state"
    impossible = cbor2.dumps({"state": "lost", "epoch": 2**64 - 1, "kind": "gateway"})
    forged = [impossible, encode(NodeState("lost", 2**53 - 1, "gateway"))]

    async def everything() -> RunResult:
        seen = asyncio.Event()

        def watch(event: RunEvent) -> None:
            if isinstance(event, RoundFinished):
                seen.set()

        with open_run(config.run.directory) as folder:
            async with nodes_at_work(*two_nodes(config)), asyncio.timeout(240):
                run = asyncio.create_task(run_coordinator(config, store=folder, on_event=watch))
                await seen.wait()
                async with stranger(config) as client:
                    for payload in forged:
                        await client.publish(topic, payload, 1)
                return await run

    assert asyncio.run(everything()).rounds == 4


def test_p2_what_was_rejected_is_counted_in_the_rounds_and_in_the_status(make_config: MakeConfig) -> None:
    config = make_config(rounds=3)
    root = f"jaragua/1/{config.run.fleet}"

    async def noise(client: aiomqtt.Client) -> None:
        for topic in ("node/gateway-1/$state", "host/reply", "host/claim", "run", "host/$state", "node/A/$state"):
            await client.publish(f"{root}/{topic}", b"\xff" * 5000 if topic == "run" else b"\xff", 1)

    async def everything() -> RunResult:
        begun, told = asyncio.Event(), asyncio.Event()
        nodes = two_nodes(config)

        async def hold(command: object) -> None:
            begun.set()
            await told.wait()

        nodes[0].hold = hold
        with open_run(config.run.directory) as folder:
            async with nodes_at_work(*nodes), asyncio.timeout(240), stranger(config) as client:
                run = asyncio.create_task(run_coordinator(config, store=folder))
                await begun.wait()
                await noise(client)
                await asyncio.sleep(0)
                told.set()
                return await run

    asyncio.run(everything())
    rejected = read_run(config.run.directory)["rejected"]
    assert rejected["format"] >= 2
    assert rejected["length"] == 1
    assert rejected["topic"] == 1
    assert "unasked" not in rejected  # where answers come strangers do not know


def test_a_run_that_nobody_disturbs_rejects_nothing(make_config: MakeConfig) -> None:
    config = make_config(rounds=3)
    run_to_end(config, two_nodes(config))
    summary = read_run(config.run.directory)
    assert summary["rejected"] == {}
    lines = [json.loads(line) for line in (config.run.directory / "metrics.jsonl").read_text().splitlines()]
    assert all(line["rejected"] == {} for line in lines)
    assert all(line["silent"] == [] for line in lines)


def test_g20_a_gateway_that_claims_anothers_board_gets_no_work_of_it(make_config: MakeConfig, tmp_path: Path) -> None:
    """G20.4: it is there before the coordinator starts again, so its retained state may come first."""
    config = make_config(rounds=3, clients=4, quorum=4, directory=tmp_path / "undisturbed")
    undisturbed = run_to_end(config, two_nodes(config))
    config = make_config(rounds=3, clients=4, quorum=4)
    thief = SimulatedNode(config.broker.url, config.run.fleet, "thief", ("board-1",))

    def stop(event: RunEvent) -> None:
        if isinstance(event, RoundFinished):
            raise Interrupted("enough")

    with pytest.raises(Interrupted):
        run_to_end(config, two_nodes(config), stop)
    result = run_to_end(config, (*two_nodes(config), thief))
    assert result.model_hash == undisturbed.model_hash
    assert thief.commands == []
    assert read_run(config.run.directory)["rejected"]["stranger"] >= 1
    with Store(config.run.directory / "run.sqlite", read_only=True) as store:
        assert {one.node for one in store.assignments(result.run) if one.device == "board-1"} == {"gateway-1"}
