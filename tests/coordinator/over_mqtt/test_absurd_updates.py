"""R17 over a real broker: what no training makes is left out by default and said, and the model stays good."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from fleet_simulator import SimulatedNode, Tamper
from safetensors.numpy import load_file
from test_rounds_over_mqtt import FOUR, run_to_end

from jaragua.config import RunConfig
from jaragua.coordinator.events import RunEvent, UpdateExcluded
from jaragua.errors import RunError
from jaragua.store import read_run
from jaragua.strategies.guarded import MAX_EXCLUDED_ROUNDS
from jaragua.wire import messages

MakeConfig = Callable[..., RunConfig]
LIAR, BOARDS = "pi-1", FOUR[:2]


def telling(value: float) -> Tamper:
    """A well-formed update in float32 whose weights all have one value."""

    def tamper(header: messages.UpdateHeader, blob: bytes) -> list[bytes]:
        lies = np.full(len(blob) // 4, value, "<f4").tobytes()
        return [messages.pack_update(replace(header, sha256=hashlib.sha256(lies).digest()), lies)]

    return tamper


def two_boards(config: RunConfig) -> SimulatedNode:
    return SimulatedNode(config.broker.url, config.run.fleet, "gateway-1", BOARDS)


def pi(config: RunConfig, name: str = LIAR) -> SimulatedNode:
    return SimulatedNode(config.broker.url, config.run.fleet, name, (name,), format="f32", kind="pi")


def moved(config: RunConfig) -> float:
    """How far the largest weight has come."""
    first, last = (load_file(config.run.directory / "weights" / f"{name}.safetensors") for name in ("initial", "final"))
    return max(float(abs(last[key] - first[key]).max()) for key in first)


@pytest.mark.parametrize("value", [3e38, 1e30, 1e6, float("inf"), float("nan")])
def test_r17_one_absurd_device_of_three_is_excluded(make_config: MakeConfig, value: float) -> None:
    """R17.4: it is stored and acknowledged like any other, so it costs neither an attempt nor a deadline."""
    config = make_config(clients=3, quorum=3, minimum=3, rounds=2)
    liar = pi(config)
    liar.tamper = telling(value)
    seen: list[RunEvent] = []
    run_to_end(config, (two_boards(config), liar), seen.append)
    excluded = [(one.round_number, one.device) for one in seen if isinstance(one, UpdateExcluded)]
    assert excluded == [(1, LIAR), (2, LIAR)]
    assert {ack.result for ack in liar.acks} == {"stored"}
    assert {command.attempt for command in liar.commands} == {1}
    assert read_run(config.run.directory)["excluded"] == {LIAR: 2}
    honest = make_config(clients=3, quorum=3, minimum=3, rounds=2, directory=config.run.directory.with_name("honest"))
    run_to_end(honest, (two_boards(honest), pi(honest)))
    assert moved(config) < 2 * moved(honest)


def test_r17_5_a_run_of_absurd_devices_alone_ends_with_an_error_and_the_model_it_had(make_config: MakeConfig) -> None:
    config = make_config(clients=2, quorum=2, minimum=2, rounds=10)
    nodes = pi(config, "pi-1"), pi(config, "pi-2")
    for node in nodes:
        node.tamper = telling(3e38)
    with pytest.raises(RunError, match=rf"no update of the last {MAX_EXCLUDED_ROUNDS} rounds is believed") as caught:
        run_to_end(config, nodes)
    assert caught.value.exit_code == 9
    lines = (config.run.directory / "metrics.jsonl").read_text().splitlines()
    hashes = {json.loads(line)["model_hash"] for line in lines}
    first = load_file(config.run.directory / "weights" / "initial.safetensors")
    latest = load_file(config.run.directory / "weights" / "latest.safetensors")
    assert len(hashes) == 1
    assert all((latest[name] == first[name]).all() for name in first)


def test_r17_5_a_short_run_of_absurd_devices_is_no_result_either(make_config: MakeConfig) -> None:
    """Nor when the same command is given again."""
    config = make_config(clients=2, quorum=2, minimum=2, rounds=1)
    for _ in range(2):
        nodes = pi(config, "pi-1"), pi(config, "pi-2")
        for node in nodes:
            node.tamper = telling(1e30)
        with pytest.raises(RunError, match="no update of this run was believed"):
            run_to_end(config, nodes)
