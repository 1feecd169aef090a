"""Simulated fleets some of whose devices attack: the rounds of `jaragua simulate`, with what attackers send in them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import fmean
from typing import Any, Final

import numpy as np

from jaragua.coordinator.weights.codec import ModelCodec
from jaragua.errors import RunError
from jaragua.experiments.poisoned.attacks import ATTACKS, HONEST, Attack, Places, forged, spoiled
from jaragua.experiments.poisoned.tried import TRIED, Rule
from jaragua.settings import EvaluationSettings
from jaragua.simulation import Simulation, device_names
from jaragua.simulation.clients.engine import VirtualFleet
from jaragua.simulation.evaluation import evaluation
from jaragua.simulation.models import model_for, model_named
from jaragua.simulation.rounds.simulation import open_fleet
from jaragua.simulation.scheduling import draws
from jaragua.simulation.scheduling.draws import Draw
from jaragua.simulation.strategy import create_strategy
from jaragua.strategies import Strategy, Vector
from jaragua.strategies.aggregation import Aggregation, UpdateRows
from jaragua.strategies.guarded import checked_aggregate
from jaragua.strategies.registry import work_of
from jaragua.strategies.robust import start_length

#: The mean without even R17: what attacks cost where nobody looks.
UNCHECKED: Final = "mean, no check"
#: What every run has.
R17: Final = "mean, R17"
#: `strategy` settings of each rule.
RULES: Final[dict[str, dict[str, Any]]] = {
    UNCHECKED: {"combine": "mean"},
    R17: {"combine": "mean"},
    "clip 2": {"combine": "mean", "norm_clip_factor": 2.0},
    "clip 1": {"combine": "mean", "norm_clip_factor": 1.0},
    "clip 0.5": {"combine": "mean", "norm_clip_factor": 0.5},
    "trim 0.2": {"combine": "trimmed-mean", "trim": 0.2},
    "trim 0.3": {"combine": "trimmed-mean", "trim": 0.3},
    "median": {"combine": "median"},
    "spectral 0.2": {"combine": "spectral-mean", "trim": 0.2},
    "clip 2, spectral 0.2": {"combine": "spectral-mean", "trim": 0.2, "norm_clip_factor": 2.0},
    **{name: {"combine": "mean"} for name in TRIED},
}


#: What is measured where no rule is named: those that a run can have.
DEFAULT_RULES: Final = tuple(name for name in RULES if name not in TRIED)


@dataclass(frozen=True)
class Setup:
    """Fleets of `devices` devices, all of which train in every round; `attackers` of them, chosen by the seed, attack.

    rounds: None: the task's own number. tasks: held out, for each figure.
    """

    task: str
    devices: int = 10
    attackers: int = 2
    rounds: int | None = None
    tasks: int = 100


@dataclass(frozen=True)
class Outcome:
    """score: mean over the held-out tasks. excluded: fractions of the attackers' and of the honest updates (R17).

    stopped: the round in which the fleet could not go on, and whose start was evaluated; 0: it ended as planned.
    """

    score: float
    excluded_attackers: float
    excluded_honest: float
    stopped: int


def simulation_of(setup: Setup, rule: str, seed: int) -> Simulation:
    """The zoo's defaults of the task, in the boards' int16 arithmetic."""
    defaults = model_named(setup.task).defaults
    return Simulation(
        task=setup.task,
        strategy="tinyreptile",
        engine="w16",
        seed=seed,
        rounds=setup.rounds or defaults.rounds,
        clients=setup.devices,
        devices=device_names(setup.devices),
        ways=defaults.ways,
        shots=defaults.shots_of_a_round,
        learning_rate=defaults.learning_rate,
        alpha=defaults.alpha,
        passes=defaults.training_passes,
        evaluation=EvaluationSettings(
            tasks=setup.tasks, shots=defaults.shots, queries=defaults.queries, passes=defaults.passes
        ),
        **RULES[rule],
    )


def strategy_of(simulation: Simulation, rule: str) -> Strategy:
    """TinyReptile with the rule."""
    strategy = create_strategy(simulation)
    if rule != UNCHECKED:
        return strategy
    return type(strategy)(replace(strategy.settings, aggregation=Aggregation()))


def attackers_of(setup: Setup, seed: int) -> Places:
    """Places of the attackers among the sorted devices of each round."""
    return np.sort(np.random.default_rng([seed, 1]).choice(setup.devices, setup.attackers, replace=False))


class Bench:
    """One task and one seed: the samples of all rounds, which every attack and every rule shares."""

    def __init__(self, setup: Setup, seed: int) -> None:
        self._setup, self._seed = setup, seed
        self._attackers = attackers_of(setup, seed)
        simulation = simulation_of(setup, R17, seed)
        self._codec = ModelCodec(model_for(simulation))
        self._draws = list(draws.draws(simulation, 1, 1))

    def run(self, attack_name: str, rule: str) -> Outcome:
        """One fleet, trained and evaluated. Raises: JaraguaError."""
        simulation = simulation_of(self._setup, rule, self._seed)
        attack = ATTACKS[attack_name]
        generator = np.random.default_rng([self._seed, 2])
        with open_fleet(simulation, self._codec, 1) as fleet:
            tried = TRIED[rule]() if rule in TRIED else None
            fleet_run = _Fleet(fleet, strategy_of(simulation, rule), attack, self._attackers, generator, tried)
            vector, stopped = self._codec.initial(self._seed), 0
            for draw in self._draws:
                try:
                    vector = fleet_run.round(vector, draw)
                except RunError:  # its start is the last that devices can compute with
                    stopped = draw.round_number
                    break
            scores = evaluation.evaluate(simulation, fleet, vector).after
        attackers, honest = fleet_run.excluded
        return Outcome(float(scores.mean()), attackers, honest, stopped)


class _Fleet:
    """Devices and server of one run, and a count of what the server left out."""

    def __init__(
        self,
        fleet: VirtualFleet,
        strategy: Strategy,
        attack: Attack,
        attackers: Places,
        generator: np.random.Generator,
        tried: Rule | None = None,
    ) -> None:
        self._fleet, self._strategy, self._tried = fleet, strategy, tried
        self._attack, self._attackers, self._generator = attack, attackers, generator
        self._shares: list[tuple[float, float]] = []

    @property
    def excluded(self) -> tuple[float, float]:
        """Fractions of the attackers' and of the honest updates that were left out; 0 before the first round."""
        attackers, honest = zip(*self._shares or [(0.0, 0.0)], strict=True)
        return fmean(attackers), fmean(honest)

    def round(self, vector: Vector, draw: Draw) -> Vector:
        """The start of the next round, float64 [parameters]. Raises: RunError if it is none."""
        work = work_of(self._strategy, draw.round_number)
        batch = spoiled(self._attack, draw.batch, self._attackers, self._generator)
        start = self._fleet.start(vector)
        learned = self._fleet.train(start, work, batch).learned
        arrived = forged(self._attack, learned, self._attackers, start_length(vector))
        arrived = arrived if self._tried is None else self._tried(arrived)
        updates = UpdateRows(draw.devices, vector + arrived, (batch.counts * work.passes).tolist())
        moved = checked_aggregate(self._strategy, draw.round_number, vector, updates).vector
        self._fleet.start(moved)
        self._count(vector, updates)
        return moved

    def _count(self, vector: Vector, updates: UpdateRows) -> None:
        _, reasons = self._strategy.settings.aggregation.checked(vector, updates)
        is_excluded = np.array([device in reasons for device in updates.devices])
        honest = np.delete(is_excluded, self._attackers)
        self._shares.append((float(is_excluded[self._attackers].mean()), float(honest.mean())))


def measured(
    setup: Setup, seeds: Sequence[int], attacks: Sequence[str], rules: Sequence[str]
) -> dict[tuple[str, str], list[Outcome]]:
    """By attack and rule one outcome for each seed. The honest fleet under R17, the baseline, is among them."""
    wanted = dict.fromkeys([(HONEST, R17), *((attack, rule) for attack in attacks for rule in rules)])
    found: dict[tuple[str, str], list[Outcome]] = {one: [] for one in wanted}
    for seed in seeds:
        bench = Bench(setup, seed)
        for one in wanted:
            found[one].append(bench.run(*one))
    return found
