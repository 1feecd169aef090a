"""`jaragua evaluate` and what a run's folder keeps for a report, through a real broker and simulated nodes."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from fleet_simulator import SimulatedNode
from test_rounds_over_mqtt import nodes_at_work, retained, run_to_end, two_nodes

from jaragua.config import RunConfig
from jaragua.coordinator.evaluate import Wanted, evaluate_on_fleet
from jaragua.errors import BoardError
from jaragua.store import Store
from jaragua.store.reading import read_details, write_evaluation
from jaragua.wire import messages

MakeConfig = Callable[..., RunConfig]


def evaluated(config: RunConfig, wanted: Wanted, *nodes: SimulatedNode) -> dict[str, Any]:
    with Store(config.run.directory / "run.sqlite", read_only=True) as store:
        record = store.run()
        assert record is not None
        learned = store.initialisation(record.run)

    async def everything() -> dict[str, Any]:
        async with nodes_at_work(*nodes):
            return await evaluate_on_fleet(config, record.run, learned, wanted, lambda done, of_all: None)

    return asyncio.run(everything())


def test_every_device_adapts_and_the_folder_keeps_it(make_config: MakeConfig) -> None:
    config = make_config(rounds=2)
    run_to_end(config, two_nodes(config))
    found = evaluated(config, Wanted(2), *two_nodes(config))
    devices = sorted(two_nodes(config)[0].devices + two_nodes(config)[1].devices)
    assert found["devices"] == devices * 2
    assert found["metric"] == "mse"
    assert len(found["scores"]) == len(found["scores_before"]) == 2 * len(devices)
    assert found["before"]["mean"] == pytest.approx(sum(found["scores_before"]) / len(found["scores_before"]))
    write_evaluation(config.run.directory, found)
    details = read_details(config.run.directory)
    assert details.held_out == json.loads(json.dumps(found))
    assert details.facts["blob_bytes"] > 0
    assert details.facts["versions"][0]["after_round"] == 0


def test_evaluating_leaves_no_blob_behind(make_config: MakeConfig) -> None:
    config = make_config(rounds=2)
    run_to_end(config, two_nodes(config))
    evaluated(config, Wanted(1, ("board-1",)), *two_nodes(config))
    assert [topic for topic in retained(config) if "/blob/" in topic] == []


def test_a_fleet_without_a_fitting_device_is_a_sentence(make_config: MakeConfig) -> None:
    config = make_config(rounds=2)
    run_to_end(config, two_nodes(config))
    config = replace(config, run=replace(config.run, fleet=f"{config.run.fleet}-other"))
    stranger = SimulatedNode(config.broker.url, config.run.fleet, "gateway-9", ("board-9",), model="digits")
    with pytest.raises(BoardError, match="no device of the fleet computes the model 'sine'"):
        evaluated(config, Wanted(1), stranger)


def test_a_rejected_update_is_kept_with_its_reason(make_config: MakeConfig) -> None:
    """P2: the line of the round names the device and what was wrong."""
    config = make_config(rounds=2, clients=4, quorum=4)
    nodes = two_nodes(config)
    spoiled: list[int] = []

    def tamper(header: messages.UpdateHeader, blob: bytes) -> list[bytes]:
        if not spoiled:
            spoiled.append(header.round)
            return [messages.pack_update(header, blob[:-1] + bytes([blob[-1] ^ 1]))]
        return [messages.pack_update(header, blob)]

    nodes[1].tamper = tamper
    run_to_end(config, nodes)
    refused = [one for line in read_details(config.run.directory).rounds for one in line["refused"]]
    assert [(one["device"], one["result"], one["round"]) for one in refused] == [
        (nodes[1].devices[0], "rejected", spoiled[0])
    ]
    assert refused[0]["reason"]
