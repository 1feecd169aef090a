"""How long honest updates are, and how far from each other: the measurements behind R17 (docs/reference/strategies.md).

`python -m jaragua.experiments.reproduce.honest --rounds 1000` simulates the zoo's tasks with the checks that every run
has, and prints a row of the table for each kind of run. What is counted is what would have been left out: nothing
should be.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np

from jaragua.settings import EvaluationSettings
from jaragua.simulation import Simulation, device_names, simulate
from jaragua.simulation.models import model_named
from jaragua.strategies import REGISTRY, ClientUpdate, Strategy, Vector
from jaragua.strategies.aggregation import lengths, row_lengths, weight_rows
from jaragua.strategies.algorithms import fed_avg, fed_prox, fed_sgd, reptile, tiny_meta_fed, tiny_reptile
from jaragua.strategies.robust import median, start_length

#: Devices of a round; with fewer than three none can be told to be far.
_CLIENTS: Final = (2, 3, 5, 20)
#: Devices there are, unless more train in a round.
_DEVICES: Final = 8
#: What is changed in a run of three devices of a round, by the name of its row.
_VARIANTS: Final[dict[str, dict[str, Any]]] = {
    "reptile": {"strategy": "reptile"},
    "fedsgd": {"strategy": "fedsgd"},
    "fedprox": {"strategy": "fedprox"},
    "int8 weights": {"engine": "w8"},
    "float32": {"engine": "float32"},
    "one of three in float32": {"float_fraction": 0.3},
    "the same, int8 weights": {"float_fraction": 0.3, "engine": "w8"},
    "10 passes": {"passes": 10},
    "a loss threshold of 0.3": {"loss_threshold": 0.3},
    "three times the rate": {"learning_rate": 3.0},
}
_STRATEGIES: Final = ("tinyreptile", "fedavg", "tinymetafed")


@dataclass
class Tally:
    """Of some simulations: the longest update in lengths of its start, and the farthest in median distances."""

    rounds: int = 0
    updates: int = 0
    excluded: int = 0
    longest: float = 0.0
    farthest: float = 0.0
    longest_of_far: float = 0.0
    """Of those that are more than ten median distances away: what `outlier_factor` alone would have left out."""

    def add(self, strategy: Strategy, start: Vector, updates: Sequence[ClientUpdate]) -> None:
        """Another round."""
        _, excluded = strategy.settings.aggregation.checked(start, updates)
        self.rounds += 1
        self.updates += len(updates)
        self.excluded += len(excluded)
        learned = lengths(start, updates) / start_length(start)
        self.longest = max(self.longest, float(learned.max()))
        if len(updates) >= 3:
            self._compare(learned, row_lengths(weight_rows(updates), median(updates)))

    def _compare(self, learned: Vector, distances: Vector) -> None:
        usual = float(np.median(distances))
        if usual:
            self.farthest = max(self.farthest, float(distances.max()) / usual)
        far = learned[distances > 10 * usual]
        self.longest_of_far = max(self.longest_of_far, float(far.max(initial=0.0)))


#: Of the simulation at work.
tally = Tally()


class _Recorded(Strategy):
    """A strategy that tells the tally of every round."""

    def aggregate(self, round_number: int, initialisation: Vector, updates: Sequence[ClientUpdate]) -> Vector:
        """As it is."""
        tally.add(self, initialisation, updates)
        return super().aggregate(round_number, initialisation, updates)


class TinyReptile(_Recorded, tiny_reptile.TinyReptile):
    """Recorded."""


class Reptile(_Recorded, reptile.Reptile):
    """Recorded."""


class FedAvg(_Recorded, fed_avg.FedAvg):
    """Recorded."""


class FedSGD(_Recorded, fed_sgd.FedSGD):
    """Recorded."""


class FedProx(_Recorded, fed_prox.FedProx):
    """Recorded."""


class TinyMetaFed(_Recorded, tiny_meta_fed.TinyMetaFed):
    """Recorded."""


@dataclass(frozen=True)
class Row:
    """A kind of run, and how often it is made."""

    name: str
    clients: Sequence[int]
    changes: dict[str, Any] = field(default_factory=dict)


def rows(clients: Sequence[int]) -> Iterator[Row]:
    """The table's, in order."""
    for name in _STRATEGIES:
        yield Row(name, clients, {"strategy": name})
    for name, changes in _VARIANTS.items():
        yield Row(f"{name}", (3,), changes)


def simulations(task: str, row: Row, rounds: int, seeds: Sequence[int]) -> Iterator[Simulation]:
    """Every simulation of a row; a learning rate is in units of the task's own."""
    changes = {"strategy": "tinyreptile"} | row.changes
    kind = REGISTRY[str(changes.pop("strategy"))]
    defaults = model_named(task).defaults
    rate = float(changes.pop("learning_rate", 1.0)) * defaults.learning_rate
    for clients in row.clients:
        plain = Simulation(
            task=task,
            strategy=f"jaragua.experiments.reproduce.honest:{kind.__name__}",
            engine=model_named(task).network.weights,
            seed=0,
            rounds=rounds,
            clients=clients,
            devices=device_names(max(clients, _DEVICES)),
            ways=defaults.ways,
            shots=defaults.shots_of_a_round,
            learning_rate=min(rate, 0.9),
            alpha=defaults.alpha,
            alpha_final=0.0,
            passes=max(kind.PASSES, defaults.training_passes),
            evaluation=EvaluationSettings(tasks=1, shots=defaults.shots, queries=defaults.queries),
        )
        for seed in seeds:
            yield replace(plain, seed=seed, **changes)


def measure(task: str, row: Row, rounds: int, seeds: Sequence[int]) -> Tally:
    """Of all simulations of a row."""
    global tally
    tally = Tally()
    for one in simulations(task, row, rounds, seeds):
        simulate(one)
    return tally


def line(task: str, row: Row, found: Tally) -> str:
    """A row of the table, as Markdown."""
    clients = ", ".join(map(str, row.clients))
    figures = f"{found.longest:.2f} | {found.farthest:.0f} | {found.longest_of_far:.2f} | {found.excluded}"
    return f"| {task} | {row.name} | {clients} | {found.rounds} | {found.updates} | {figures} |"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description="How long honest updates are, and how far from each other.")
    parser.add_argument("--task", action="append", help="a model of the zoo; repeat; default: sine, digits, presence")
    parser.add_argument("--rounds", type=int, default=1000, help="of each simulation")
    parser.add_argument("--seed", action="append", type=int, help="repeat; default: 1 and 2")
    parser.add_argument("--clients", action="append", type=int, help="devices of a round; repeat; default: 2, 3, 5, 20")
    wanted = parser.parse_args()
    print("| task | run | devices of a round | rounds | updates | longest | farthest | longest of the far | left out |")
    print("|---|---|---|---|---|---|---|---|---|")
    for task in wanted.task or ("sine", "digits", "presence"):
        for row in rows(wanted.clients or _CLIENTS):
            found = measure(task, row, wanted.rounds, wanted.seed or (1, 2))
            print(line(task, row, found), flush=True)


if __name__ == "__main__":
    from jaragua.experiments.reproduce import honest

    honest.main()
