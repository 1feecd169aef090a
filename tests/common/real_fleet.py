"""A real fleet with the numbers of a simulation: its run file, its programs, what its coordinator says at the end."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from forked import Forker
from jaragua.settings import training_of
from jaragua.simulation import Simulation
from limits import GENEROUS_S

FLEET = "same"


def configuration(wanted: Simulation, url: str, folder: Path) -> str:
    options = ", ".join(f"{name} = {value}" for name, value in wanted.options.items())
    said = asdict(training_of(wanted))
    work = "".join(f"{key} = {value}\n" for key, value in said.items() if value is not None)
    return f"""
[run]
seed = {wanted.seed}
rounds = {wanted.rounds}
fleet = "{FLEET}"
directory = "{folder / "run"}"
[model]
name = "{wanted.task}"
[strategy]
name = "{wanted.strategy}"
clients_per_round = {wanted.clients}
alpha = {wanted.alpha}
alpha_final = {wanted.alpha_final}
server_optimiser = "{wanted.server_optimiser}"
server_tau = {wanted.server_tau}
options = {{ {options} }}
[client]
ways = {wanted.ways}
shots = {wanted.shots}
{work}
[broker]
url = "{url}"
[devices]
minimum = {len(wanted.devices)}
"""


@contextlib.contextmanager
def programs(forker: Forker, commands: Sequence[Sequence[str]]) -> Iterator[None]:
    running = [forker.start(words) for words in commands]
    try:
        yield
    finally:
        for program in running:
            program.terminate()
        for program in running:
            program.wait()


def clients(wanted: Simulation, url: str, folder: Path) -> list[list[str]]:
    """`jaragua client` for every device of the simulation."""
    where = ["client", "--broker", url, "--fleet", FLEET, "--model", wanted.task]
    return [[*where, "--node", name, "--data-dir", str(folder / name)] for name in wanted.devices]


def gateway(wanted: Simulation, url: str, folder: Path, ports: Sequence[str]) -> list[str]:
    """`jaragua gateway` whose boards have the names of the simulation's devices."""
    where = ["gateway", "--broker", url, "--fleet", FLEET, "--node", "gateway", "--model", wanted.task]
    named = [word for port, name in zip(ports, wanted.devices, strict=True) for word in ("--port", port, "--id", name)]
    return [*where, "--data-dir", str(folder / "gateway"), *named]


def run_of_a_fleet(forker: Forker, wanted: Simulation, url: str, folder: Path, *more: str) -> dict[str, Any]:
    """more: options of `jaragua run`."""
    path, output = folder / "run.toml", folder / "run.json"
    path.write_text(configuration(wanted, url, folder))
    run = forker.start(["run", str(path), "--json", *more], output)
    # One that goes on would serve the fleet of the next test.
    assert run.kill_after(GENEROUS_S) == 0, run.said
    data: dict[str, Any] = json.loads(output.read_text())["data"]
    return data
