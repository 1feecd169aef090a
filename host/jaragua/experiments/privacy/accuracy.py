"""The score of simulated fleets against ε (docs/results/privacy.md)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from jaragua.config.load import for_simulation
from jaragua.report.intervals import mean_interval
from jaragua.simulation import simulate
from jaragua.simulation.settings import simulation_of

#: Of the table: without a clip, with it alone, and with noise of so many clips.
NOISE: Final = (None, 0.0, 0.5, 1.0, 2.0, 4.0)


@dataclass(frozen=True)
class Setup:
    """A fleet. devices take turns, clients of them in each round. norm: the clip, L2 norm of one update."""

    task: str
    rounds: int
    clients: int
    devices: int
    norm: float
    tasks: int


@dataclass(frozen=True)
class Row:
    """Scores after adaptation, one a seed. noise: None without a clip. rounds: of the device with the most."""

    noise: float | None
    epsilons: Sequence[float]
    scores: Sequence[float]
    before: Sequence[float]


def measured(setup: Setup, seeds: Sequence[int]) -> Iterator[Row]:
    """A row for each noise, when it is known."""
    for noise in NOISE:
        results = [_result(setup, seed, noise) for seed in seeds]
        epsilons = [one.privacy.epsilon for one in results if one.privacy is not None]
        yield Row(noise, epsilons, [one.after.mean for one in results], [one.before.mean for one in results])


def _result(setup: Setup, seed: int, noise: float | None) -> Any:
    changes: dict[str, Any] = {
        "model.name": setup.task,
        "run.seed": seed,
        "run.rounds": setup.rounds,
        "strategy.clients_per_round": setup.clients,
        "simulation.devices": setup.devices,
        "evaluation.tasks": setup.tasks,
    }
    if noise is not None:
        changes |= {"privacy.clip": setup.norm, "privacy.noise_multiplier": noise}
    return simulate(simulation_of(for_simulation(None, changes, "the measurement")), workers=1)


def line(row: Row) -> str:
    """A row of the table."""
    what = "none" if row.noise is None else "clip alone" if not row.noise else f"{row.noise:g}"
    epsilon = f"{max(row.epsilons):.1f}" if row.epsilons else "∞"
    return f"| {what} | {epsilon} | {_mean(row.before)} | {_mean(row.scores)} |"


def _mean(values: Sequence[float]) -> str:
    found = mean_interval(values)
    return f"{found.mean:.3f} ± {(found.high - found.low) / 2:.3f}"


def described(setup: Setup, seeds: Sequence[int], metric: str) -> str:
    """What was measured, and the head of the table."""
    about = (
        f"`{setup.task}`, {setup.clients} of {setup.devices} devices a round, {setup.rounds} rounds, "
        f"clip {setup.norm:g}, {setup.tasks} held-out tasks, seeds {', '.join(map(str, seeds))}"
    )
    return f"{about}\n\n| noise | ε | {metric} before adapting | {metric} after |\n|---|---|---|---|"
