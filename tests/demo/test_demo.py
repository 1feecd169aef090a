"""`jaragua demo --json`, as a user starts it: the real image on emulated boards, the real broker, one document."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROUNDS = 16
TASKS = 12


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What a short demonstration prints."""
    command = [sys.executable, "-m", "jaragua.cli.main", "demo", "--json", "--rounds", str(ROUNDS)]
    folder = tmp_path_factory.mktemp("demo")
    done = subprocess.run(
        [*command, "--tasks", str(TASKS), "--directory", str(folder)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert (document["schema_version"], document["status"]) == (1, "ok")
    result: dict[str, Any] = document["data"]
    return result


@pytest.mark.board
def test_every_device_gave_an_update_in_every_round(data: dict[str, Any]) -> None:
    kinds = [device["kind"] for device in data["devices"]]
    assert kinds.count("cortex-m4") >= 4
    assert kinds.count("pi") == 1
    assert all(device["updates"] == ROUNDS for device in data["devices"])


@pytest.mark.board
def test_a_new_board_adapts_better_than_from_a_random_start(data: dict[str, Any]) -> None:
    held_out = data["held_out"]
    assert held_out["tasks"] == TASKS
    assert held_out["accuracy_after"] > held_out["accuracy_before"] + 0.3
    assert held_out["gain_over_random_ci95"][0] > 0
    assert held_out["accuracy_after"] - held_out["accuracy_after_from_random"] == pytest.approx(
        held_out["gain_over_random"]
    )


@pytest.mark.board
def test_the_figures_of_the_image_and_the_traffic_are_there(data: dict[str, Any]) -> None:
    weights_bytes = 2 * (64 * 32 + 32 * 10)
    assert weights_bytes < data["image"]["ram_bytes"] < 256 * 1024
    assert 0 < data["image"]["flash_bytes"] < 1024 * 1024
    assert data["bytes_up"] > ROUNDS * 5 * weights_bytes
    assert data["bytes_down"] > ROUNDS * weights_bytes
    assert 0 < data["instructions_per_step"] <= 12_000


@pytest.mark.board
def test_the_run_folder_holds_a_line_a_round_and_the_weights(data: dict[str, Any]) -> None:
    folder = Path(data["run_dir"])
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    assert [line["round"] for line in lines] == list(range(1, ROUNDS + 1))
    assert {path.name for path in (folder / "weights").iterdir()} >= {"initial.safetensors", "final.safetensors"}
