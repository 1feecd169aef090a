"""R30: aggregators read and check updates, and a run ends as it does without them, whatever happens to them."""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from fleet_simulator import honest
from test_rounds_over_mqtt import nodes_at_work, run_to_end, two_nodes, two_nodes_again

from forked import Forker
from jaragua.config import RunConfig
from jaragua.coordinator import RunResult, run_coordinator
from jaragua.coordinator.aggregator import pool as pool_module
from jaragua.coordinator.aggregator.pool import Aggregators
from jaragua.coordinator.events import RunEvent, UpdateChecked
from jaragua.store import open_run
from jaragua.wire import messages

MakeConfig = Callable[..., RunConfig]
#: `make aggregators` sets more of both.
ROUNDS = int(os.environ.get("JARAGUA_AGGREGATOR_ROUNDS", "6"))
KILLS = int(os.environ.get("JARAGUA_AGGREGATOR_KILLS", "2"))


def run_with(
    config: RunConfig, count: int, nodes: tuple[Any, ...], on_event: Callable[[RunEvent], None] = lambda event: None
) -> RunResult:
    async def everything() -> RunResult:
        with open_run(config.run.directory) as folder:
            async with nodes_at_work(*nodes), asyncio.timeout(240):
                return await run_coordinator(config, store=folder, on_event=on_event, aggregators=count)

    return asyncio.run(everything())


@pytest.fixture
def pools(monkeypatch: pytest.MonkeyPatch) -> list[Aggregators]:
    """Those that runs of the test start."""
    found: list[Aggregators] = []
    begin = Aggregators.__aenter__

    async def watched(pool: Aggregators) -> Aggregators:
        found.append(pool)
        return await begin(pool)

    monkeypatch.setattr(Aggregators, "__aenter__", watched)
    monkeypatch.setattr(pool_module, "_PAUSE_SECONDS", 0.0)
    return found


def test_r30_a_run_does_not_depend_on_its_aggregators(
    make_config: MakeConfig, tmp_path: Path, pools: list[Aggregators], seed: int
) -> None:
    """R30.1, R30.4, R30.5, M16.7: the hash of none, of two, and of two that are killed again and again."""
    config = make_config(rounds=ROUNDS, directory=tmp_path / "none")
    nodes = two_nodes(config)
    wanted = run_to_end(config, nodes)
    draw, kills = random.Random(seed), 0

    def kill(event: RunEvent) -> None:
        nonlocal kills
        if isinstance(event, UpdateChecked) and kills < KILLS and draw.random() < 0.5 and pools[-1].pids:
            os.kill(draw.choice(pools[-1].pids), signal.SIGKILL)
            kills += 1

    for name, on_event in (("undisturbed", lambda event: None), ("killed", kill)):
        other = make_config(rounds=ROUNDS, directory=tmp_path / name)
        found = run_with(other, 2, two_nodes_again(*nodes), on_event)
        assert found.model_hash == wanted.model_hash, name
        lines = [json.loads(line) for line in (tmp_path / name / "metrics.jsonl").read_text().splitlines()]
        assert [line["round"] for line in lines] == list(range(1, ROUNDS + 1))
        assert all(len(line["devices"]) == 3 for line in lines)
    print(f"{kills} kills")
    assert kills


def test_r30_3_bad_content_is_answered_as_without_aggregators(
    make_config: MakeConfig, pools: list[Aggregators]
) -> None:
    """R4 in an aggregator: rejected with its reason, and the device gets another attempt (R8)."""
    config = make_config(rounds=2)
    gateway, pi = two_nodes(config)
    spoiled: list[str] = []

    def spoil(header: messages.UpdateHeader, blob: bytes) -> list[bytes]:
        if spoiled:
            return honest(header, blob)
        spoiled.append(header.device)
        return honest(header, blob[:-1] + bytes([blob[-1] ^ 1]))

    gateway.tamper = spoil
    checked: list[UpdateChecked] = []

    def see(event: RunEvent) -> None:
        if isinstance(event, UpdateChecked):
            checked.append(event)

    run_with(config, 1, (gateway, pi), see)
    rejected = [event for event in checked if event.result == "rejected"]
    assert [event.reason for event in rejected] == ["the weights do not have the SHA-256 of its header"]
    assert sum(event.result == "stored" for event in checked) == 6


def test_r30_6_a_coordinator_that_is_killed_takes_its_aggregators_with_it(
    make_config: MakeConfig, config_text: Callable[..., str], forker: Forker, tmp_path: Path, seed: int
) -> None:
    """R9 with aggregators: killed at random moments, the run ends with the hash of the undisturbed one."""
    config = make_config(rounds=ROUNDS, directory=tmp_path / "undisturbed")
    wanted = run_to_end(config, two_nodes(config))
    path = tmp_path / "killed.toml"
    path.write_text(config_text(rounds=ROUNDS, directory=tmp_path / "killed"))
    draw = random.Random(seed)

    def again_and_again() -> dict[str, Any]:
        command = ["run", str(path), "--json", "--aggregators", "2"]
        for number in range(KILLS):
            run = forker.start(command, path.with_suffix(f".{number}"))
            run.wait_for_line("run ")
            run.kill_after(draw.uniform(0, 0.6))
        output = path.with_suffix(".json")
        run = forker.start(command, output)
        assert run.wait() == 0, run.said
        document: dict[str, Any] = json.loads(output.read_text())["data"]
        return document

    async def everything() -> dict[str, Any]:
        async with nodes_at_work(*two_nodes(config)):
            return await asyncio.to_thread(again_and_again)

    assert asyncio.run(everything())["model_hash"] == wanted.model_hash
