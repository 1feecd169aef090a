"""The score of simulated fleets against ε (docs/results/privacy.md)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from jaragua.config.load import for_simulation
from jaragua.privacy.accountant import noise_for
from jaragua.report.intervals import mean_interval
from jaragua.settings import PrivacySettings
from jaragua.simulation import simulate
from jaragua.simulation.settings import simulation_of

#: Of the tables, per device, after all rounds.
EPSILONS: Final = (8.0, 4.0, 2.0, 1.0)
_DELTA: Final = PrivacySettings().delta


@dataclass(frozen=True)
class Setup:
    """A fleet all of whose devices train in each round. norm: the clip, L2 norm of one update.

    tasks: held out, for each figure. passes: of a new device over its support samples; None: the model's own.
    """

    task: str
    devices: int
    rounds: int
    norm: float
    tasks: int = 100
    passes: int | None = None


#: What `make privacy` measures. Digits adapt in one pass: with the model's 16, a fleet without training reaches 0.92.
SETUPS: Final = (
    Setup("digits", 100, 50, 1.0, passes=1),
    Setup("presence", 100, 50, 0.5),
    Setup("keywords", 100, 40, 0.25),
    Setup("digits", 500, 50, 1.0, passes=1),
    Setup("presence", 500, 50, 0.5),
    Setup("keywords", 500, 40, 0.25),
)


@dataclass(frozen=True)
class Row:
    """A line of a table. what: of the row; epsilon: text; scores: one a seed, after adaptation; before: without it."""

    what: str
    epsilon: str
    scores: Sequence[float]
    before: Sequence[float]


def measured(setup: Setup, seeds: Sequence[int]) -> Iterator[Row]:
    """A row when it is known: no training, training, the clip alone, and noise for each ε. Raises: JaraguaError."""
    yield _row("no training", "0", setup, seeds, {"run.rounds": 0})
    yield _row("training", "∞", setup, seeds, {})
    clip = {"privacy.clip": setup.norm}
    yield _row("clip alone", "∞", setup, seeds, clip)
    for epsilon in EPSILONS:
        noise = noise_for(epsilon, setup.rounds, _DELTA)
        yield _row(f"noise {noise:.1f}", f"{epsilon:g}", setup, seeds, {**clip, "privacy.noise_multiplier": noise})


def _row(what: str, epsilon: str, setup: Setup, seeds: Sequence[int], changes: Mapping[str, Any]) -> Row:
    results = [_result(setup, seed, changes) for seed in seeds]
    return Row(what, epsilon, [one.after.mean for one in results], [one.before.mean for one in results])


def _result(setup: Setup, seed: int, changes: Mapping[str, Any]) -> Any:
    settings: dict[str, Any] = {
        "model.name": setup.task,
        "run.seed": seed,
        "run.rounds": setup.rounds,
        "strategy.clients_per_round": setup.devices,
        "simulation.devices": setup.devices,
        "evaluation.tasks": setup.tasks,
        **changes,
    }
    if setup.passes is not None:
        settings["evaluation.passes"] = setup.passes
    return simulate(simulation_of(for_simulation(None, settings, "the measurement")), workers=1)


def line(row: Row) -> str:
    """A row of the table."""
    return f"| {row.what} | {row.epsilon} | {_mean(row.before)} | {_mean(row.scores)} |"


def _mean(values: Sequence[float]) -> str:
    found = mean_interval(values)
    return f"{found.mean:.3f} ± {(found.high - found.low) / 2:.3f}"


def described(setup: Setup, seeds: Sequence[int], metric: str) -> str:
    """What was measured, and the head of the table."""
    passes = "" if setup.passes is None else f", {setup.passes} pass of adaptation"
    about = (
        f"`{setup.task}`, {setup.devices} devices, all in each of {setup.rounds} rounds, clip {setup.norm:g}, "
        f"{setup.tasks} held-out tasks{passes}, seeds {', '.join(map(str, seeds))}"
    )
    return f"{about}\n\n| settings | ε | {metric} before adapting | {metric} after |\n|---|---|---|---|"
