"""Does what is not done yet of a plan, one experiment after the other, each on all cores."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from jaragua.experiments.reproduce import costs
from jaragua.experiments.reproduce.plan import Experiment, Plan
from jaragua.experiments.reproduce.records import Costs, Outcome, Store
from jaragua.simulation import simulate


@dataclass(frozen=True)
class Progress:
    """Before the next piece of work. seconds_left: None until there is something to estimate it from."""

    done: int
    of: int
    doing: str
    seconds_left: float | None


OnProgress: TypeAlias = Callable[[Progress], None]


@dataclass(frozen=True)
class Found:
    """All records of a plan: outcomes by the keys of experiments, costs by the keys of costs."""

    outcomes: dict[str, Outcome]
    costs: dict[str, Costs]


def run(plan: Plan, store: Store, on_progress: OnProgress, workers: int | None = None) -> Found:
    """All records of a plan; those the store has are not made again.

    A simulation that is interrupted goes on where it was saved. Raises: what `simulate` raises, StoreError.
    """
    outcomes = _outcomes(plan, store)
    missing = [one for one in plan.experiments if one.key not in outcomes]
    pace = _Pace(missing, len(plan.experiments))
    for experiment in missing:
        on_progress(pace.progress(experiment.name, experiment.simulation.seed))
        outcomes[experiment.key] = outcome_of(experiment, store, workers)
        pace.did(experiment)
    on_progress(pace.progress("costs on the emulated board", None))
    return Found(outcomes, _costs(plan, store))


def recorded(plan: Plan, store: Store) -> Found:
    """What the store has of a plan. Raises: StoreError."""
    keys = {costs.costs_key(one) for one in plan.experiments}
    known = {key: store.costs(key) for key in keys}
    return Found(_outcomes(plan, store), {key: one for key, one in known.items() if one is not None})


def _outcomes(plan: Plan, store: Store) -> dict[str, Outcome]:
    found = {experiment.key: store.outcome(experiment.key) for experiment in plan.experiments}
    return {key: outcome for key, outcome in found.items() if outcome is not None}


def outcome_of(experiment: Experiment, store: Store, workers: int | None) -> Outcome:
    """From the store, else simulated (from where that was interrupted) and put there. Raises: as `run`."""
    known = store.outcome(experiment.key)
    if known is not None:
        return known
    begun = time.perf_counter()
    folder = store.state(experiment.training_key)
    result = simulate(experiment.simulation, workers=workers, state_folder=folder)
    outcome = Outcome.of(experiment.simulation.seed, result, time.perf_counter() - begun)
    store.put(experiment.key, experiment.name, outcome)
    return outcome


def _costs(plan: Plan, store: Store) -> dict[str, Costs]:
    """One for each network and mini-batch; one that was measured without the tools is tried again."""
    found: dict[str, Costs] = {}
    for experiment in plan.experiments:
        key = costs.costs_key(experiment)
        if key in found or experiment.simulation.engine == "float32":
            continue
        known = store.costs(key)
        if known is None or not known.step_instructions:
            known = costs.measure(experiment)
            store.put(key, experiment.name, known)
        found[key] = known
    return found


class _Pace:
    """How much is done, and how long the rest takes at the speed of this process so far."""

    def __init__(self, missing: Sequence[Experiment], total: int) -> None:
        self._total = total
        self._done = total - len(missing)
        self._weight_left = sum(_weight(one) for one in missing)
        self._weight_done = 0.0
        self._begun = time.monotonic()

    def did(self, experiment: Experiment) -> None:
        """One more is done."""
        self._done += 1
        self._weight_done += _weight(experiment)
        self._weight_left -= _weight(experiment)

    def progress(self, doing: str, seed: int | None) -> Progress:
        """Where it stands."""
        seconds = time.monotonic() - self._begun
        left = seconds * self._weight_left / self._weight_done if self._weight_done else None
        return Progress(self._done, self._total, doing + (f", seed {seed}" if seed is not None else ""), left)


def _weight(experiment: Experiment) -> float:
    """About proportional to the time it takes: multiplications, and a little for every step and every experiment."""
    return experiment.steps * (300 + experiment.multiplications) + 2e6
