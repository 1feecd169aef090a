"""R9, M18: a fleet that trains with prototypes is killed at several points and ends with the hash of a simulation."""

from __future__ import annotations

import json
import random
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from common.real_fleet import clients, configuration
from forked import Forked, Forker
from jaragua.simulation import Simulation, simulate
from jaragua_broker import Broker

ROUNDS, KILLS = 16, 4
LONGEST_LIFE_S = 0.3


@contextmanager
def nodes(forker: Forker, wanted: Simulation, url: str, folder: Path) -> Iterator[dict[str, Forked]]:
    """By device: a Pi client, which may be replaced while this lasts."""
    commands = dict(zip(wanted.devices, clients(wanted, url, folder), strict=True))
    running = {device: forker.start(words) for device, words in commands.items()}
    try:
        yield running
    finally:
        for one in running.values():
            one.kill()


@pytest.mark.parametrize("options", [{"temperature": 0.3}, {"temperature": 0.3, "delta_bits": 8}])
def test_r9_coordinator_and_nodes_of_a_fleet_with_prototypes_are_killed(
    make: Any, forker: Forker, tmp_path: Path, seed: int, options: dict[str, float]
) -> None:
    """After each kill of the coordinator a node is killed, too, and begins again with its outbox."""
    task = {"task": "digits", "ways": 5, "shots": 4, "learning_rate": 0.1, "passes": 2, "rounds": ROUNDS}
    wanted = make(strategy="protoreptile", options=options, **task)
    draw, kills = random.Random(seed), 0
    path = tmp_path / "run.toml"
    with Broker() as broker, nodes(forker, wanted, broker.url, tmp_path) as running:
        path.write_text(configuration(wanted, broker.url, tmp_path))
        commands = dict(zip(wanted.devices, clients(wanted, broker.url, tmp_path), strict=True))
        for number in range(KILLS):
            coordinator = forker.start(["run", str(path), "--json"], tmp_path / f"{number}.json")
            coordinator.wait_for_line("round " if number else "run ")
            kills += coordinator.kill_after(draw.uniform(0, LONGEST_LIFE_S)) == -signal.SIGKILL
            victim = wanted.devices[number % len(wanted.devices)]
            running[victim].kill()
            running[victim] = forker.start(commands[victim])
        output = tmp_path / "end.json"
        coordinator = forker.start(["run", str(path), "--json"], output)
        assert coordinator.wait() == 0, coordinator.said
    print(f"{kills} kills")
    assert kills
    assert json.loads(output.read_text())["data"]["model_hash"] == simulate(wanted).final_hash
