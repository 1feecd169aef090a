"""The same seed, devices and numbers: a simulation ends with the model of a real run, to the bit."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from common.real_fleet import clients, gateway, programs, run_of_a_fleet
from forked import Forker
from images import built_image
from jaragua.coordinator.weights.codec import ModelCodec
from jaragua.coordinator.weights.first_weights import start_hash
from jaragua.emulate import EmulatedFleet
from jaragua.simulation import device_names, simulate, weights_file
from jaragua.simulation.models import model_for
from jaragua.strategies.vectors import flat
from jaragua_broker import Broker
from jaragua_compiler.export import read_weights
from long_form import first_of

#: A task of protoreptile: one sample of each class is enrolled, three teach.
PROTOTYPES = {"task": "digits", "ways": 5, "shots": 4, "learning_rate": 0.1}


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with Broker() as running:
        yield running.url


@pytest.mark.parametrize(
    ("strategy", "changes"),
    [
        ("tinyreptile", {}),
        ("reptile", {"passes": 3, "batch": 1, "alpha": 0.7, "alpha_final": 0.2}),
        pytest.param("reptile", {"passes": 2, "batch": 5}, marks=pytest.mark.long),
        ("fedsgd", {"server_optimiser": "momentum", "alpha": 0.1}),
        pytest.param("fedavg", {"passes": 2}, marks=pytest.mark.long),
        ("fedavg", {"passes": 3, "replay_buffer_size": 4, "loss_threshold": 0.05, "error_clip": 0.4}),
        ("reptile", {"passes": 2, "batch": 5, "loss_threshold": 0.05}),
        ("fedprox", {"passes": 2, "options": {"proximal": 2.0, "delta_bits": 8}}),
        ("tinymetafed", {}),  # a regression: the head travels
        ("tinymetafed", {"task": "digits", "ways": 5, "shots": 2, "learning_rate": 0.1}),  # a local head
        ("protoreptile", PROTOTYPES | {"passes": 2, "batch": 3, "error_clip": 0.6, "loss_threshold": 0.02}),
        (
            "protoreptile",
            PROTOTYPES | {"task": "digits@w8", "engine": "w8", "passes": 2, "options": {"enrolled_shots": 0}},
        ),
        ("protoreptile", PROTOTYPES | {"passes": 2, "options": {"episode_queries": 1}}),
    ],
)
def test_pi_clients_and_the_simulation_learn_the_same_bits(
    make: Any, forker: Forker, url: str, tmp_path: Path, strategy: str, changes: dict[str, Any]
) -> None:
    wanted = make(strategy=strategy, **changes)
    with programs(forker, clients(wanted, url, tmp_path)):
        run = run_of_a_fleet(forker, wanted, url, tmp_path)
    result = simulate(wanted)
    assert result.final_hash == run["model_hash"]
    if strategy not in ("tinymetafed", "fedprox"):  # differences: what nodes read has headers
        assert result.bytes_down == run["bytes_down"]


@pytest.mark.parametrize("strategy", ["tinyreptile", "tinymetafed"])
def test_r22_a_fleet_goes_on_from_a_learned_start_as_a_simulation_does(
    make: Any, forker: Forker, url: str, tmp_path: Path, strategy: str
) -> None:
    """R22.1, R22.3, R22.4; with tinymetafed, which sends differences, R22.5."""
    wanted = make(strategy=strategy, task="digits", ways=5, shots=2, learning_rate=0.1, rounds=2)
    learned = simulate(replace(wanted, seed=11))
    start = tmp_path / "start.safetensors"
    weights_file.write(start, wanted, learned)
    with programs(forker, clients(wanted, url, tmp_path)):
        run = run_of_a_fleet(forker, wanted, url, tmp_path, "--start", str(start))
    simulated = simulate(wanted, start=learned.learned)
    assert run["model_hash"] == simulated.final_hash != simulate(wanted).final_hash
    told = json.loads((tmp_path / "run" / "run.json").read_text())
    assert told["start"] == start_hash(learned.learned)
    assert told["first_weights_from"] == str(start)
    codec = ModelCodec(model_for(wanted))
    initial = flat(read_weights(tmp_path / "run" / "weights" / "initial.safetensors", codec.plan.network))
    assert np.array_equal(initial, learned.learned)


@pytest.mark.board
@pytest.mark.parametrize(
    "changes", first_of([{"passes": 3, "replay_buffer_size": 4, "loss_threshold": 0.3, "error_clip": 0.5}, {}], 1)
)
def test_emulated_boards_and_the_simulation_learn_the_same_bits(
    make: Any, forker: Forker, url: str, tmp_path: Path, changes: dict[str, Any]
) -> None:
    plain = make(task="digits", ways=5, shots=2, learning_rate=0.1, clients=2, devices=device_names(3), rounds=4)
    wanted = replace(plain, **changes)
    with (
        EmulatedFleet(built_image("qemu_m4", "digits"), len(wanted.devices)) as boards,
        programs(forker, [gateway(wanted, url, tmp_path, boards.urls)]),
    ):
        run = run_of_a_fleet(forker, wanted, url, tmp_path)
    assert {device["kind"] for device in run["devices"]} == {"cortex-m4"}
    assert simulate(wanted).final_hash == run["model_hash"]


def test_boards_with_sums_and_the_simulation_learn_the_same_bits(
    make: Any, forker: Forker, url: str, tmp_path: Path
) -> None:
    """A11.1 and A11.8 over the whole road: steps of four samples, two passes of ten, so with a rest."""
    changes = {"task": "digits", "ways": 5, "shots": 2, "learning_rate": 0.1, "strategy": "reptile", "passes": 2}
    wanted = make(clients=2, devices=device_names(2), rounds=3, batch=4, loss_threshold=1.3, **changes)
    with (
        EmulatedFleet(built_image("native", "digits", accumulate=True), len(wanted.devices)) as boards,
        programs(forker, [gateway(wanted, url, tmp_path, boards.urls)]),
    ):
        run = run_of_a_fleet(forker, wanted, url, tmp_path)
    assert {device["kind"] for device in run["devices"]} == {"cortex-m4"}
    assert simulate(wanted).final_hash == run["model_hash"]


@pytest.mark.board
@pytest.mark.parametrize(
    "changes",
    [
        {"passes": 2, "error_clip": 0.5},
        {"options": {"temperature": 0.05, "local_layers": 1, "upload_fraction": 0.3, "delta_bits": 8}},
        {"options": {"episode_queries": 1}},
    ],
    ids=["whole", "body-in-part", "episodes"],
)
def test_a_board_and_a_client_with_prototypes_and_the_simulation_learn_the_same_bits(
    make: Any, forker: Forker, url: str, tmp_path: Path, changes: dict[str, Any]
) -> None:
    """A12, M18 and M18.2 over the whole road; the board's image has room for more classes than the task has."""
    wanted = make(strategy="protoreptile", clients=2, devices=device_names(2), rounds=4, **PROTOTYPES | changes)
    board, pi = (replace(wanted, devices=(name,)) for name in wanted.devices)
    with (
        EmulatedFleet(built_image("qemu_m4", "digits", prototypes=12), 1) as boards,
        programs(forker, [gateway(board, url, tmp_path, boards.urls), *clients(pi, url, tmp_path)]),
    ):
        run = run_of_a_fleet(forker, wanted, url, tmp_path)
    assert sorted(device["kind"] for device in run["devices"]) == ["cortex-m4", "pi"]
    result = simulate(wanted)
    assert result.final_hash == run["model_hash"]
    assert result.final_hash != simulate(replace(wanted, rounds=0)).final_hash
