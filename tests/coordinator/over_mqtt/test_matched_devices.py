"""S7: the graph picks the devices of a run, also while the fleet changes; the model is that of the named devices."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from fleet_simulator import SimulatedNode
from test_rounds_over_mqtt import nodes_at_work, run_to_end

from jaragua.config import RunConfig
from jaragua.coordinator import RunResult, run_coordinator
from jaragua.coordinator.connection.roster import Change, Presence
from jaragua.coordinator.selection import Selection
from jaragua.errors import ConfigurationError, StoreError
from jaragua.semantics.graph.store import GraphStore
from jaragua.semantics.matching.records import DeviceRecord
from jaragua.semantics.things.affordances import Address, readable, record
from jaragua.semantics.things.device_facts import typed_facts
from jaragua.semantics.things.statements import Statements
from jaragua.semantics.things.thing_description import Thing, as_json, thing_description
from jaragua.store import open_run
from jaragua_models import get

MakeConfig = Callable[..., RunConfig]
#: Device -> node, type of board, place. Those in the kitchen train: boards of both arithmetics, and a Pi.
FLEET = {
    "board-1": ("gateway-1", "nano33ble", "kitchen"),
    "board-2": ("gateway-1", "pico", "kitchen"),
    "board-3": ("gateway-2", "bbcmicrobit_v2", "kitchen"),
    "pi-1": ("pi-1", "raspberry_pi_5", "kitchen"),
    "board-5": ("gateway-1", "nano33ble", "cellar"),
    "board-6": ("gateway-2", "esp32dev", "kitchen"),
}
CHOSEN = ("board-1", "board-2", "board-3", "pi-1")
KITCHEN = "place = kitchen and trains"


def described(device: str, fleet: str) -> bytes:
    node, kind, place = FLEET[device]
    facts = {
        "kind": "pi" if device.startswith("pi") else "board",
        "fleet": fleet,
        "node": node,
        "device": device,
        **typed_facts(kind, Statements(place=place)),
    }
    topic = f"jaragua/1/{fleet}/node/{node}/dev/{device}/$state"
    state = readable("State", record(), Address("mqtt://127.0.0.1:1883", topic))
    return as_json(thing_description(Thing(f"{fleet}/{device}", device, facts, {"state": state})))


def graph_of(folder: Path, fleet: str, devices: Sequence[str]) -> Path:
    with GraphStore(folder) as store:
        for device in devices:
            assert store.offer_thing(described(device, fleet), f"{fleet}/{device}") == []
    return folder


def nodes_of(config: RunConfig) -> tuple[SimulatedNode, ...]:
    url, fleet = config.broker.url, config.run.fleet
    return (
        SimulatedNode(url, fleet, "gateway-1", ("board-1", "board-2", "board-5")),
        SimulatedNode(url, fleet, "gateway-2", ("board-3", "board-6"), model="sine@w8"),
        SimulatedNode(url, fleet, "pi-1", ("pi-1",), format="f32", kind="pi"),
    )


def matched(config: RunConfig, graph: Path, expression: str = KITCHEN) -> RunConfig:
    return replace(config, devices=replace(config.devices, match=expression, graph=str(graph)))


def trained(result: RunResult) -> dict[str, int]:
    return {one.device: one.updates for one in result.devices}


def test_s7_2_a_mixed_fleet_picked_by_the_graph_ends_with_the_hash_of_the_named_devices(
    make_config: MakeConfig, tmp_path: Path
) -> None:
    by_name = make_config(
        clients=4, quorum=4, minimum=4, directory=tmp_path / "named", exclude='["board-5", "board-6"]'
    )
    named = run_to_end(by_name, nodes_of(by_name))
    by_match = make_config(clients=4, quorum=4, minimum=4, directory=tmp_path / "matched", fleet="matched-fleet")
    by_match = matched(by_match, graph_of(tmp_path / "graph", "matched-fleet", sorted(FLEET)))
    found = run_to_end(by_match, nodes_of(by_match))
    assert trained(found) == trained(named) == dict.fromkeys(CHOSEN, 3)
    assert found.model_hash == named.model_hash
    kept = json.loads((tmp_path / "matched" / "devices.json").read_text(encoding="utf-8"))  # S7.4
    assert set(kept) == set(CHOSEN)
    assert {one["node"] for one in kept.values()} == {"gateway-1", "gateway-2", "pi-1"}
    assert all(len(one["description"]) == 64 for one in kept.values())


def test_s7_3_a_device_that_comes_to_fit_joins(make_config: MakeConfig, fleet: str, tmp_path: Path) -> None:
    """The round waits for four devices; the graph describes the fourth when the run has begun."""
    graph = graph_of(tmp_path / "graph", fleet, CHOSEN[:3])
    config = matched(make_config(clients=4, quorum=4, minimum=4, wait_s=200), graph)
    waiting = asyncio.Event()

    async def everything() -> RunResult:
        with open_run(config.run.directory) as folder:
            async with nodes_at_work(*nodes_of(config)), asyncio.timeout(240):
                running = asyncio.create_task(run_coordinator(config, store=folder, on_event=lambda one: waiting.set()))
                await waiting.wait()
                await asyncio.to_thread(graph_of, graph, fleet, CHOSEN[3:])
                return await running

    assert trained(asyncio.run(everything())) == dict.fromkeys(CHOSEN, 3)


def board(name: str, **facts: object) -> DeviceRecord:
    known: dict[str, object] = {
        "fleet": "home",
        "node": "gw",
        "core": "cortex_m4",
        "free_ram_bytes": 90_000,
        "free_flash_bytes": 900_000,
    }
    return DeviceRecord(id=name, **(known | facts))  # type: ignore[arg-type]


def test_s7_1_only_what_the_graph_describes_of_this_place_is_admitted() -> None:
    there = [board("a"), board("b", free_ram_bytes=100), board("c", fleet="other"), board("home/gw/d")]
    selection = Selection("trains", get("digits"), "home", lambda: there)
    assert selection.look(0)
    assert [name for name in "abcde" if selection.admits(name, "gw")] == ["a", "d"]
    assert not selection.admits("a", "another-gateway")
    present = [Change(name, "gw", Presence.PRESENT) for name in "ab"]
    gone = Change("b", "gw", Presence.LOST)
    assert selection.changes([*present, gone]) == [present[0], gone]


def test_s7_3_what_does_not_fit_any_more_gets_no_further_work() -> None:
    there = [board("a"), board("b")]
    selection = Selection("trains", get("digits"), "home", lambda: there)
    selection.look(0)
    there[:] = [board("a", free_ram_bytes=1), board("b")]
    assert not selection.look(1_999)
    assert selection.look(2_000)
    assert selection.corrections({"a": "gw", "b": "gw"}, ["a"]) == [
        Change("b", "gw", Presence.PRESENT),
        Change("a", "gw", Presence.AWAY),
    ]


def test_s7_5_a_graph_that_cannot_be_read_keeps_what_was_decided() -> None:
    answers: list[list[DeviceRecord] | None] = [[board("a")], None]

    def read() -> list[DeviceRecord]:
        found = answers.pop(0)
        if found is None:
            raise StoreError("there is no graph", "")
        return found

    selection = Selection("trains", get("digits"), "home", read)
    assert selection.look(0)
    assert not selection.look(5_000)
    assert selection.admits("a", "gw")


def test_s7_1_a_condition_that_is_none_is_a_problem_of_the_run_file(make_config: MakeConfig) -> None:
    with pytest.raises(ConfigurationError, match="there is no condition 'plaice'"):
        make_config(exclude='[]\nmatch = "plaice = kitchen"')
