"""The whole road: broker, coordinator, one Pi with LiteRT and one with the boards' C, each a process of its own."""

from __future__ import annotations

import contextlib
import json
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from litert_runtimes import RUNTIMES, python_with
from safetensors.numpy import load_file

import jaragua_models
from jaragua_broker import Broker
from jaragua_compiler.floating.engine import FloatEngine
from jaragua_compiler.graph.initial_weights import Weights
from limits import GENEROUS_S

FILE = Path(__file__).parent / "litert" / "digits.tflite"
DIGITS = jaragua_models.get("digits")
ROUNDS, TASKS = 30, 12
CONFIGURATION = """
[run]
name = "pis"
seed = 3
rounds = {rounds}
directory = "{folder}/run"
[model]
name = "digits"
[strategy]
clients_per_round = 2
[client]
passes = 2
[broker]
url = "{url}"
[devices]
minimum = 2
"""


@contextlib.contextmanager
def client(python: str, url: str, node: str, folder: Path, *options: str) -> Iterator[None]:
    words = ["client", "--broker", url, "--fleet", "home", "--node", node, "--data-dir", str(folder / node), *options]
    process = subprocess.Popen([python, "-m", "jaragua.cli.main", *words], stderr=subprocess.DEVNULL)
    try:
        yield
    finally:
        process.terminate()
        assert process.wait(GENEROUS_S) == 0


def run_of_both(python: str, url: str, folder: Path) -> dict[str, Any]:
    """The result of a run of a LiteRT client in that Python and a native one in this."""
    path = folder / "pis.toml"
    path.write_text(CONFIGURATION.format(rounds=ROUNDS, folder=folder, url=url))
    litert = ("--engine", "litert", "--litert", str(FILE))
    with client(python, url, "pi-litert", folder, *litert), client(sys.executable, url, "pi-native", folder):
        done = subprocess.run(
            [sys.executable, "-m", "jaragua.cli.main", "run", str(path), "--json"],
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
    assert done.returncode == 0, done.stderr
    result: dict[str, Any] = json.loads(done.stdout)["data"]
    return result


def adapted_accuracy(start: Weights) -> float:
    """Mean accuracy on held-out tasks after one pass over their support sets, in float32."""
    right = count = 0
    for seed in range(TASKS):
        task = DIGITS.tasks.held_out_task(seed, 5, 5, 40)
        engine = FloatEngine(DIGITS.network, start)
        for x, y in zip(task.support.x, task.support.y, strict=True):
            engine.train_step(x, y, DIGITS.defaults.learning_rate)
        right += int(np.sum(engine.forward(task.query.x).argmax(axis=1) == task.query.y))
        count += len(task.query.y)
    return right / count


def encodings(folder: Path) -> set[tuple[str, str]]:
    """Who sent updates in which form."""
    with contextlib.closing(sqlite3.connect(folder / "run" / "run.sqlite")) as database:
        return set(database.execute("SELECT DISTINCT device, encoding FROM updates"))


def weights_of(path: Path) -> Weights:
    """An initialisation in a run's folder."""
    found = load_file(path)
    layers = len(DIGITS.network.weighted)
    return [(found[f"layers.{layer}.weight"], found[f"layers.{layer}.bias"]) for layer in range(layers)]


@pytest.mark.parametrize("name", RUNTIMES)
def test_m1_m9_a_fleet_of_both_engines_learns_a_better_start(broker: Broker, tmp_path: Path, name: str) -> None:
    result = run_of_both(python_with(name), broker.url, tmp_path)
    updates = {one["id"]: one["updates"] for one in result["devices"]}
    assert updates == {"pi-litert": ROUNDS, "pi-native": ROUNDS}
    assert encodings(tmp_path) == {("pi-litert", "f32"), ("pi-native", "blob")}
    starts = (tmp_path / "run" / "weights" / f"{which}.safetensors" for which in ("initial", "final"))
    before, after = (adapted_accuracy(weights_of(path)) for path in starts)
    print(f"{name}: accuracy after adaptation {before:.3f} from the first start, {after:.3f} from the last")
    assert after > before + 0.1
