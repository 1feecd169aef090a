"""`jaragua simulate` beside Flower's simulation engine: client tasks per second on the sine task, in one run.

    make bench-flower            (or .venv-flower/bin/python tools/benchmarks/flower_sine.py --clients 100 --rounds 10)

Both do the same: in each round every client draws 32 points of a sine of its own, takes one pass of gradient descent
over them, a step a sample, on a 1-32-32-1 network, and returns its weights; the server takes the mean. Flower's clients
compute in NumPy (float32), Jaragua's in the boards' integers (w16) and in float32. Two rates of each are given:

- whole: all client tasks by the time from the call of a simulation to its return, start-up included;
- steady: those of later rounds by their time: without start-up, Flower's first round (it starts Ray's workers) and
  Jaragua's evaluation.

Flower 1.x with its Message API is the only dependency that Jaragua itself does not have.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import platform
import statistics
import sys
import time
from dataclasses import asdict, dataclass
from importlib.metadata import version
from typing import Any, Final

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # on both sides: the products are small
os.environ.setdefault("FLWR_TELEMETRY_ENABLED", "0")
os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")

import numpy as np
from flwr.app import ArrayRecord, Context, Message, MetricRecord, RecordDict
from flwr.clientapp import ClientApp
from flwr.serverapp import Grid, ServerApp
from flwr.serverapp.strategy import FedAvg
from flwr.simulation import run_simulation
from numpy.typing import NDArray

from jaragua.settings import EvaluationSettings
from jaragua.simulation import EngineName, Simulation, device_names, simulate
from jaragua_compiler import initial_weights
from jaragua_models import get

SAMPLES: Final = 32
RATE: Final = 0.01
REPEATS: Final = 5
"""Of Jaragua's side, which takes milliseconds; the median counts."""

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Rates:
    """Client tasks per second."""

    whole: float
    steady: float

    def times(self, other: Rates) -> Rates:
        """How many times as fast as another."""
        return Rates(self.whole / other.whole, self.steady / other.steady)


@dataclass(frozen=True)
class Comparison:
    """What was measured; ratios are Jaragua's rates (w16) by Flower's."""

    clients: int
    rounds: int
    samples: int
    cores: int
    flower: Rates
    flower_training_ms: float
    jaragua_w16: Rates
    jaragua_float32: Rates
    ratio: Rates
    versions: dict[str, str]


# ---- the client task in NumPy ----


def draw_sine(random: np.random.Generator) -> tuple[Floats, Floats]:
    """32 points of a sine: x / 5 and y, float32 [32, 1]."""
    amplitude, phase = random.uniform(0.1, 5.0), random.uniform(0.0, np.pi)
    x = random.uniform(-5.0, 5.0, (SAMPLES, 1))
    return (x / 5.0).astype(np.float32), (amplitude * np.sin(x + phase)).astype(np.float32)


def train_numpy(weights: list[Floats], x: Floats, y: Floats) -> list[Floats]:
    """One step of gradient descent on the squared error for each sample, in turn."""
    w1, b1, w2, b2, w3, b3 = (part.copy() for part in weights)
    for sample, target in zip(x, y, strict=True):
        first = np.maximum(w1 @ sample + b1, 0)
        second = np.maximum(w2 @ first + b2, 0)
        error = 2 * (w3 @ second + b3 - target)
        error2 = (w3.T @ error) * (second > 0)
        error1 = (w2.T @ error2) * (first > 0)
        for matrix, bias, wrong, seen in ((w3, b3, error, second), (w2, b2, error2, first), (w1, b1, error1, sample)):
            matrix -= np.float32(RATE) * np.outer(wrong, seen)
            bias -= np.float32(RATE) * wrong
    return [w1, b1, w2, b2, w3, b3]


def first_weights() -> list[Floats]:
    """The zoo's random start for its sine network."""
    return [part.astype(np.float32) for pair in initial_weights(get("sine").network, 1) for part in pair]


def training_ms() -> float:
    """What the client task alone takes here, without Flower around it."""
    weights, random = first_weights(), np.random.default_rng(1)
    seconds = []
    for _ in range(20):
        begun = time.perf_counter()
        train_numpy(weights, *draw_sine(random))
        seconds.append(time.perf_counter() - begun)
    return 1000 * statistics.median(seconds)


# ---- Flower ----

client_app = ClientApp()


@client_app.train()
def train(message: Message, context: Context) -> Message:
    """One client task."""
    weights = message.content["arrays"].to_numpy_ndarrays()
    trained = train_numpy(weights, *draw_sine(np.random.default_rng([context.node_id, time.monotonic_ns()])))
    content = {"arrays": ArrayRecord(trained), "metrics": MetricRecord({"num-examples": SAMPLES})}
    return Message(content=RecordDict(content), reply_to=message)


class TimedFedAvg(FedAvg):
    """FedAvg that notes when each round ended."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.ended: list[float] = []

    def aggregate_train(self, server_round: int, replies: Any) -> Any:
        """As FedAvg, which is what ends a round."""
        result = super().aggregate_train(server_round, replies)
        self.ended.append(time.perf_counter())
        return result


def flower_rates(clients: int, rounds: int) -> Rates:
    """Of rounds + 1 rounds, of which the first is not steady."""
    strategy = TimedFedAvg(fraction_train=1.0, fraction_evaluate=0.0, min_available_nodes=clients)
    server_app = ServerApp()

    @server_app.main()
    def main(grid: Grid, context: Context) -> None:
        strategy.start(grid=grid, initial_arrays=ArrayRecord(first_weights()), num_rounds=rounds + 1)

    backend: dict[str, Any] = {
        "init_args": {"include_dashboard": False, "_node_ip_address": "127.0.0.1"},
        "client_resources": {"num_cpus": 1, "num_gpus": 0.0},
    }
    begun = time.perf_counter()
    run_simulation(server_app, client_app, num_supernodes=clients, backend_config=backend)
    whole = time.perf_counter() - begun
    return Rates(clients * (rounds + 1) / whole, clients * rounds / (strategy.ended[-1] - strategy.ended[0]))


# ---- Jaragua ----


def jaragua_rates(clients: int, rounds: int, engine: EngineName) -> Rates:
    """Of the same number of rounds; the median of a few runs."""
    wanted = Simulation(
        task="sine",
        strategy="tinyreptile",
        engine=engine,
        seed=1,
        rounds=rounds + 1,
        clients=clients,
        devices=device_names(clients),
        ways=1,
        shots=SAMPLES,
        learning_rate=RATE,
        alpha=1.0,
        alpha_final=0.0,
        evaluation=EvaluationSettings(tasks=1),
    )
    found = [_timed(wanted) for _ in range(REPEATS)]
    return Rates(*(statistics.median(getattr(rates, name) for rates in found) for name in ("whole", "steady")))


def _timed(wanted: Simulation) -> Rates:
    begun = time.perf_counter()
    result = simulate(wanted)
    return Rates(result.client_tasks / (time.perf_counter() - begun), result.client_tasks_per_second)


def compare(clients: int, rounds: int) -> Comparison:
    """Flower first, with Ray gone again before Jaragua begins."""
    flower = flower_rates(clients, rounds)
    w16, float32 = (jaragua_rates(clients, rounds, engine) for engine in ("w16", "float32"))
    return Comparison(
        clients=clients,
        rounds=rounds + 1,
        samples=SAMPLES,
        cores=os.cpu_count() or 1,
        flower=flower,
        flower_training_ms=training_ms(),
        jaragua_w16=w16,
        jaragua_float32=float32,
        ratio=w16.times(flower),
        versions={name: version(name) for name in ("jaragua", "flwr", "ray", "numpy")}
        | {"python": platform.python_version()},
    )


def text(found: Comparison) -> str:
    """For people."""
    rows = [("", "whole", "steady")]
    for name in ("flower", "jaragua_w16", "jaragua_float32", "ratio"):
        rates: Rates = getattr(found, name)
        rows.append((name, f"{rates.whole:,.1f}", f"{rates.steady:,.1f}"))
    return "\n".join(
        (
            f"Client tasks a second: sine, {found.clients} clients a round, {found.rounds} rounds,"
            f" {found.samples} samples a task, {found.cores} cores",
            *(f"  {name:16}{whole:>12}{steady:>12}" for name, whole, steady in rows),
            f"  (a client task takes {found.flower_training_ms:.1f} ms in NumPy without Flower)",
            "  " + ", ".join(f"{name} {number}" for name, number in found.versions.items()),
        )
    )


def main() -> int:
    """The command; 1 if Jaragua is, over a whole simulation, less than `--at-least` times as fast."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clients", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=10, help="after a first one")
    parser.add_argument("--at-least", type=float, default=0.0, help="fail if the ratio of whole simulations is less")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    logging.getLogger("flwr").setLevel(logging.WARNING)
    found = compare(options.clients, options.rounds)
    print(json.dumps(asdict(found)) if options.json else text(found))
    return 0 if found.ratio.whole >= options.at_least else 1


if __name__ == "__main__":
    sys.exit(main())
