"""R9 with real nodes: coordinator and Pi clients as processes, both killed while they work."""

from __future__ import annotations

import contextlib
import json
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from forked import Forked, Forker
from jaragua.config import RunConfig

CLIENTS = ("pi-1", "pi-2", "pi-3")


class Clients:
    """`jaragua client` three times, each with a folder of its own that outlives it."""

    def __init__(self, forker: Forker, config: RunConfig, folder: Path, model: str) -> None:
        self._forker = forker
        self._config = config
        self._model = model
        self._folder = folder
        self._running: dict[str, Forked] = {}

    def begin(self, name: str) -> None:
        where = ("--broker", self._config.broker.url, "--fleet", self._config.run.fleet)
        folder = ("--data-dir", str(self._folder / name))
        command = ["client", *where, "--node", name, "--model", self._model, *folder]
        self._running[name] = self._forker.start(command)

    def kill(self, name: str) -> None:
        self._running.pop(name).kill()

    def end(self) -> None:
        for process in self._running.values():
            process.terminate()
        for process in self._running.values():
            process.wait()


@contextlib.contextmanager
def clients_at_work(forker: Forker, config: RunConfig, folder: Path, model: str = "sine") -> Iterator[Clients]:
    clients = Clients(forker, config, folder, model)
    try:
        for name in CLIENTS:
            clients.begin(name)
        yield clients
    finally:
        clients.end()


def killed_once(forker: Forker, path: Path, number: int, seconds: float) -> None:
    """Kill a run these seconds after its first round, unless it has ended by then."""
    run = forker.start(["run", str(path)], path.with_suffix(f".{number}"))
    run.wait_for_line("round ")
    run.kill_after(seconds)


def to_the_end(forker: Forker, path: Path) -> dict[str, Any]:
    output = path.with_suffix(".json")
    run = forker.start(["run", str(path), "--json"], output)
    assert run.wait() == 0, run.said
    document: dict[str, Any] = json.loads(output.read_text())["data"]
    return document


@pytest.mark.parametrize(
    ("strategy", "rounds", "privacy"),
    [("tinyreptile", 40, ""), ("tinymetafed", 20, ""), ("tinyreptile", 12, "secure_aggregation = true")],
)
def test_kills_of_coordinator_and_clients_change_nothing(
    make_config: Callable[..., RunConfig],
    config_text: Callable[..., str],
    forker: Forker,
    tmp_path: Path,
    seed: int,
    strategy: str,
    rounds: int,
    privacy: str,
) -> None:
    """tinymetafed, M10: what a device left out survives it, and the starts follow from one another.

    U2.1, U7.2: a killed node has the masks that it had, and a killed coordinator the sum that it had begun.
    """
    count = 3 if privacy else 2
    draw = random.Random(seed)
    wanted = {
        "rounds": rounds,
        "clients": count,
        "quorum": count,
        "minimum": 3,
        "strategy": strategy,
        "privacy": privacy,
    }
    paths = {name: tmp_path / f"{name}.toml" for name in ("undisturbed", "killed")}
    for name, path in paths.items():
        path.write_text(config_text(directory=tmp_path / name, **wanted))
    with clients_at_work(forker, make_config(), tmp_path) as clients:
        undisturbed = to_the_end(forker, paths["undisturbed"])
        for number in range(2):
            killed_once(forker, paths["killed"], number, draw.uniform(0, 0.5))
            victim = draw.choice(CLIENTS)
            clients.kill(victim)
            clients.begin(victim)
        killed = to_the_end(forker, paths["killed"])
    assert killed["model_hash"] == undisturbed["model_hash"]
    assert {one["kind"] for one in killed["devices"]} == {"pi"}
    assert sum(one["updates"] for one in killed["devices"]) == count * rounds
    print({name: (one["bytes_up"], one["bytes_down"]) for name, one in (("as it is", undisturbed), ("killed", killed))})
