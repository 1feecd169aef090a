"""R13 over a real broker: a slow device holds nobody up, its late updates count, and the store says what made what."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
from collections.abc import Callable
from typing import Any

import aiomqtt
import numpy as np
import pytest
from fleet_simulator import SimulatedNode
from test_rounds_over_mqtt import FOUR, nodes_at_work, run_to_end, two_nodes

import jaragua_models
from jaragua.config import RunConfig, strategy_of
from jaragua.coordinator import RunResult, run_coordinator
from jaragua.coordinator.driver import Driver
from jaragua.coordinator.events import RoundFinished, RunEvent
from jaragua.coordinator.run import _open_record
from jaragua.coordinator.weights.codec import ModelCodec
from jaragua.coordinator.weights.formats import Formats
from jaragua.coordinator.weights.learned import rows_of
from jaragua.store import Store, StoredUpdate, open_run
from jaragua.strategies import ClientUpdate
from jaragua.strategies.stale import staleness_weight
from jaragua.wire import messages
from limits import GENEROUS_S

MakeConfig = Callable[..., RunConfig]
BUFFERED = {
    "rounds": 8,
    "clients": 4,
    "quorum": 2,
    "buffered": "buffer = 2\nmax_staleness = 5\nstaleness_exponent = 0.7",
}


class SlowNode:
    """Two nodes of which the Pi is slow: its update of round 1 goes out when round 3 is closed."""

    def __init__(self, config: RunConfig) -> None:
        self.nodes = two_nodes(config)
        self.nodes[1].hold = self.hold
        self._third_closed = asyncio.Event()

    def watch(self, event: RunEvent) -> None:
        if isinstance(event, RoundFinished) and event.round_number == 3:
            self._third_closed.set()

    async def hold(self, command: messages.TrainCommand) -> None:
        if command.round == 1:
            await self._third_closed.wait()


def lines_of(config: RunConfig) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (config.run.directory / "metrics.jsonl").read_text().splitlines()]


def played_again(config: RunConfig) -> str:
    """The final model as it follows from the updates in the store and the rounds they were taken in."""
    codec, strategy = ModelCodec(jaragua_models.get("sine")), strategy_of(config)
    vectors = [codec.initial(config.run.seed)]
    with Store(config.run.directory / "run.sqlite", read_only=True) as store:
        record = store.run()
        assert record is not None
        for number in range(1, config.run.rounds + 1):
            now, updates = vectors[-1], []
            for one in store.updates(record.run, number):
                learned = codec.learned("blob", codec.pack(vectors[one.round_number - 1]), one.blob)
                weight = staleness_weight(number - one.round_number, config.round.staleness_exponent)
                updates.append(ClientUpdate(one.device, now + weight * learned, one.samples))
            vectors.append(strategy.aggregate(number, now, updates))
    return hashlib.sha256(codec.pack(vectors[-1])).hexdigest()


def test_r13_3_a_slow_device_holds_nobody_up_and_its_update_counts_later(make_config: MakeConfig) -> None:
    """R13.4: the model follows from the updates in the store and the rounds they were taken in."""
    config = make_config(**BUFFERED)
    slow = SlowNode(config)
    result = run_to_end(config, slow.nodes, slow.watch)
    ages = {one["devices"]["board-4"]["age"] for one in lines_of(config) if "board-4" in one["devices"]}
    assert max(ages) >= 3
    assert {line["round"] for line in lines_of(config)[:3] if "board-4" in line["devices"]} == set()
    assert result.model_hash == played_again(config)
    assert not any(ack.result == "late" for ack in slow.nodes[1].acks)


def test_r13_5_the_start_of_a_round_stays_while_a_device_works_on_it(make_config: MakeConfig) -> None:
    """Two rounds later a node that comes new to the topic still gets it; commands say until when an update counts."""
    config = make_config(**BUFFERED)
    slow = SlowNode(config)
    found: dict[int, bytes] = {}

    async def look(command: messages.TrainCommand) -> None:
        await slow.hold(command)
        if command.round == 1 and not found:
            topic = f"jaragua/1/{config.run.fleet}/blob/{command.hash.hex()}"
            host, port = config.broker.url.removeprefix("mqtt://").split(":")
            async with aiomqtt.Client(host, int(port)) as newcomer, asyncio.timeout(GENEROUS_S):
                await newcomer.subscribe(topic, qos=1)
                found[1] = bytes((await anext(newcomer.messages)).payload)
                assert hashlib.sha256(found[1]).digest() == command.hash

    slow.nodes[1].hold = look
    run_to_end(config, slow.nodes, slow.watch)
    assert found
    commands = [command for node in slow.nodes for command in node.commands]
    assert {command.until - command.round for command in commands if command.until is not None} == {5}
    assert all(command.until is not None for command in commands)


def test_r13_3_of_several_updates_of_one_device_the_newest_counts(make_config: MakeConfig) -> None:
    """In the order of the store, which is that of their starts."""
    config = make_config(**BUFFERED)
    model = jaragua_models.get("sine")
    codec = ModelCodec(model)
    with open_run(config.run.directory) as folder:
        record = _open_record(config, folder, codec, None, None)
        driver = Driver(config, folder, record, Formats(codec, alone=False), strategy_of(config), lambda event: None)
        start = codec.initial(config.run.seed)
        rows = [codec.pack(start + step) for step in (0.125, 0.25, 0.5)]
        keys = ((1, "a", rows[0]), (1, "a", rows[1]), (1, "b", rows[2]))
        stored = [StoredUpdate(number, name, 1, row, 8, 0.5, 0.5, "mse", 0, 9, 1) for number, name, row in keys]
        found = rows_of(driver._formats, driver._start(), 1, stored)
        assert [one.device for one in found] == ["a", "b"]
        wanted = start + codec.learned("blob", codec.pack(start), rows[1])
        assert np.array_equal(found[0].weights, wanted)


def test_r18_7_with_a_buffer_the_server_steps_once_a_closed_round(make_config: MakeConfig) -> None:
    """Momentum over the updates that counted in each round, whatever their age, played again from the store."""
    config = make_config(**BUFFERED, robust='server_optimiser = "momentum"\nserver_beta1 = 0.5')
    slow = SlowNode(config)
    result = run_to_end(config, slow.nodes, slow.watch)
    codec, strategy = ModelCodec(jaragua_models.get("sine")), strategy_of(config)
    vectors, momentum = [codec.initial(config.run.seed)], 0.0
    with Store(config.run.directory / "run.sqlite", read_only=True) as store:
        record = store.run()
        assert record is not None
        for number in range(1, config.run.rounds + 1):
            now, learned = vectors[-1], []
            for one in store.updates(record.run, number):
                difference = codec.learned("blob", codec.pack(vectors[one.round_number - 1]), one.blob)
                weight = staleness_weight(number - one.round_number, config.round.staleness_exponent)
                learned.append(weight * difference)
            momentum = 0.5 * momentum + np.mean(learned, axis=0)
            vectors.append(now + strategy.step_size(number) * momentum)
        stored = store.initialisation(record.run).vector
    assert np.allclose(stored, vectors[-1], rtol=0, atol=1e-12)
    assert hashlib.sha256(codec.pack(stored)).hexdigest() == result.model_hash


def test_r13_stopped_and_gone_on_with_an_update_of_before_still_counts(make_config: MakeConfig) -> None:
    """The coordinator ends after round 2 and begins again; the slow device answers what it was asked in round 1."""
    config = make_config(**BUFFERED)
    slow = SlowNode(config)

    async def everything() -> RunResult:
        async with nodes_at_work(*slow.nodes), asyncio.timeout(60):
            with open_run(config.run.directory) as folder, contextlib.suppress(Stopped):
                await run_coordinator(config, store=folder, on_event=stop_after_round_two)
            with open_run(config.run.directory) as folder:
                return await run_coordinator(config, store=folder, on_event=slow.watch)

    result = asyncio.run(everything())
    counted = [(line["round"], one["age"]) for line in lines_of(config) if (one := line["devices"].get("board-4"))]
    assert counted[0][1] >= 3
    assert result.model_hash == played_again(config)


class Stopped(Exception):
    """Stands for the end of the coordinator."""


def stop_after_round_two(event: RunEvent) -> None:
    if isinstance(event, RoundFinished) and event.round_number == 2:
        raise Stopped


def test_r13_a_buffer_for_all_at_work_is_a_round(make_config: MakeConfig, tmp_path: Any) -> None:
    hashes = set()
    for name, buffered in (("plain", ""), ("buffered", "buffer = 4")):
        config = make_config(clients=4, quorum=4, buffered=buffered, directory=tmp_path / name)
        hashes.add(run_to_end(config, two_nodes(config)).model_hash)
    assert len(hashes) == 1


def test_m10_nodes_that_know_no_differences_answer_with_blobs(make_config: MakeConfig) -> None:
    """The simulated nodes are such; of an older start (R13) a blob is refused, and the device asked again."""
    config = make_config(**BUFFERED | {"strategy": "tinymetafed"})
    nodes = tuple(SimulatedNode(config.broker.url, config.run.fleet, name, (name,)) for name in FOUR)
    assert run_to_end(config, nodes).rounds == BUFFERED["rounds"]


def test_r13_a_buffer_larger_than_the_devices_at_work_is_refused(make_config: MakeConfig) -> None:
    with pytest.raises(Exception, match=r"round\.buffer: 9 is more than strategy\.clients_per_round = 3"):
        make_config(buffered="buffer = 9")
