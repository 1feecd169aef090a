"""R13 over a real broker: a slow device holds nobody up, its late updates count, and the store says what made what."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
from collections.abc import Callable
from typing import Any

import pytest
from fleet_simulator import SimulatedNode
from test_rounds_over_mqtt import FOUR, nodes_at_work, run_to_end, two_nodes

import jaragua_models
from jaragua.config import RunConfig, strategy_of
from jaragua.coordinator import RunResult, run_coordinator
from jaragua.coordinator.events import RoundFinished, RunEvent
from jaragua.coordinator.weights.codec import ModelCodec
from jaragua.store import Store, open_run
from jaragua.strategies import ClientUpdate
from jaragua.strategies.stale import staleness_weight
from jaragua.wire import messages

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
        self.nodes[1].hold = self._hold
        self._third_closed = asyncio.Event()

    def watch(self, event: RunEvent) -> None:
        if isinstance(event, RoundFinished) and event.round_number == 3:
            self._third_closed.set()

    async def _hold(self, command: messages.TrainCommand) -> None:
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


def test_r13_a_slow_device_holds_nobody_up_and_its_update_counts_later(make_config: MakeConfig) -> None:
    config = make_config(**BUFFERED)
    slow = SlowNode(config)
    result = run_to_end(config, slow.nodes, slow.watch)
    ages = {one["devices"]["board-4"]["age"] for one in lines_of(config) if "board-4" in one["devices"]}
    assert max(ages) >= 3
    assert {line["round"] for line in lines_of(config)[:3] if "board-4" in line["devices"]} == set()
    assert result.model_hash == played_again(config)
    assert not any(ack.result == "late" for ack in slow.nodes[1].acks)


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
