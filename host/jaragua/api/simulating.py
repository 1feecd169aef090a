"""`simulate`: what `jaragua simulate` does, from Python."""

from __future__ import annotations

import os
import tomllib
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypedDict, Unpack

import numpy as np

from jaragua.api.one_tree import one_tree
from jaragua.api.result import Result
from jaragua.api.start_weights import HasWeights, StartWeights, weights_of
from jaragua.api.tasks import LearningTask, load_task
from jaragua.config import for_simulation
from jaragua.errors import ConfigurationError
from jaragua.models import is_file
from jaragua.settings import SHORT_NAMES
from jaragua.simulation import simulate as run_simulation
from jaragua.simulation import weights_file
from jaragua.simulation.models import model_for, with_scaling_of
from jaragua.simulation.notes import PYTHON, notes_on, settings_in
from jaragua.simulation.settings import OnProgress, Simulation, simulation_of
from jaragua.strategies import Strategy, Vector, registry
from jaragua.strategies.vectors import flat

#: Where the changes come from, in messages.
_SOURCE = "simulate():"


class ShortSettings(TypedDict, total=False):
    """The settings that have a short name (`jaragua.settings.SHORT_NAMES`), beside `run` and `strategy`."""

    engine: str
    rounds: int
    clients: int
    devices: int
    ways: int
    shots: int
    learning_rate: float
    passes: int
    seed: int
    eval_tasks: int


@one_tree()
def simulate(
    run: str | os.PathLike[str] | LearningTask,
    *,
    strategy: str | type[Strategy] | None = None,
    settings: Mapping[str, Any] | None = None,
    directory: str | os.PathLike[str] | None = None,
    start: StartWeights | None = None,
    workers: int | None = None,
    on_progress: OnProgress | None = None,
    comparing: bool = True,
    **short: Unpack[ShortSettings],
) -> Result:
    """Train a fleet of devices on this machine, then evaluate what was learned on held-out tasks.

    The devices compute in the boards' own integers. The same settings give the same weights, bit for bit, as
    `jaragua simulate`, and as `jaragua run` on a fleet whose devices are named device-1, device-2, ….

    Args:
        run: What to train: a name of the zoo, a task of `load_task`, the TOML file of a task, or the file of a run.
        strategy: A name, or a class derived from `Strategy`, wherever it was defined. None: the run's, `tinyreptile`.
        settings: Any setting by its key, as `--set` takes them: `{"client.loss_threshold": 0.1}`. All keys are in the
            reference of the run file. `{"simulation.checkpoints": [50, 100]}` asks for a learning curve.
        directory: Folder to keep the simulation in, and to go on from if it was stopped. None: nothing is kept.
        start: First weights: a `Result`, or a safetensors file. None: random ones, from the seed.
        workers: Threads that train. None: one for each core. The result does not depend on it.
        on_progress: Called after every round with a `SimulationProgress`: rounds_done, rounds, loss,
            client_tasks_per_second.
        comparing: Whether simple methods answer the same held-out tasks, too (`Result.comparison`); takes seconds.
        **short: `rounds`, `clients` (devices of a round), `devices`, `seed`, `learning_rate`, `passes`, `ways`,
            `shots` and `eval_tasks` (of the evaluation), `engine` (`w16`, `w8` or `float32`).

    Returns:
        What was learned, and how well new devices adapt from it.

    Raises:
        jaragua.errors.ConfigurationError: Settings that do not fit; all of them are listed.
        jaragua.errors.ModelError: There is no such task, or `start` does not belong to its network.
        jaragua.errors.DataError: The data are missing, or too few.
        jaragua.errors.RunError: The strategy failed, or the directory cannot be used.
        TypeError: A short name that there is not.

    Warns:
        UserWarning: A setting that changes nothing here, data that no device has, or no C compiler (slow).
    """
    changes = _changes(strategy, settings or {}, short)
    wanted = _wanted(run, changes).changed(comparing=comparing)
    given = settings_in(changes) | ({"directory"} if directory is not None else set())
    for note in notes_on(given, wanted, PYTHON):
        warnings.warn(note, stacklevel=3)  # of the caller: `one_tree` stands between
    wanted, first = (wanted, None) if start is None else _started(start, wanted)
    outcome = run_simulation(
        wanted,
        workers=workers,
        state_folder=None if directory is None else Path(directory),
        on_progress=on_progress or (lambda progress: None),
        start=first,
    )
    return Result(wanted, outcome)


def _wanted(run: str | os.PathLike[str] | LearningTask, changes: dict[str, Any]) -> Simulation:
    """What to simulate."""
    source = run.source if isinstance(run, LearningTask) else os.fspath(run)
    if is_file(source) and not _describes_a_task(Path(source)):
        config = for_simulation(Path(source), changes, _SOURCE)
    else:
        named = run if isinstance(run, LearningTask) else load_task(source)
        config = for_simulation(None, changes | {"model.name": named.source}, _SOURCE)
    return simulation_of(config)


def _describes_a_task(path: Path) -> bool:
    """Whether a file has a [task] section; of any other the reader of run files says what is wrong."""
    try:
        return "task" in tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError):
        return False


def _changes(
    strategy: str | type[Strategy] | None, settings: Mapping[str, Any], short: Mapping[str, Any]
) -> dict[str, Any]:
    """Values by `section.key`. Raises: TypeError, ConfigurationError."""
    found = {_key_of(name): value for name, value in short.items()}
    if strategy is not None:
        found["strategy.name"] = strategy if isinstance(strategy, str) else registry.register(strategy)
    for key, value in settings.items():
        if "." not in key:
            raise ConfigurationError(f"the setting {key!r} is not section.key", "for example client.learning_rate")
        if key in found:
            raise ConfigurationError(f"{key} is given twice", "give it once, in `settings` or by its short name")
        found[key] = value
    return {key: value.item() if isinstance(value, np.generic) else value for key, value in found.items()}


def _key_of(short: str) -> str:
    if short not in ShortSettings.__annotations__:
        known = ", ".join(ShortSettings.__annotations__)
        raise TypeError(f"simulate() has no argument {short!r}; short settings are {known}; others: settings={{…}}")
    return SHORT_NAMES[short]


def _started(start: StartWeights, wanted: Simulation) -> tuple[Simulation, Vector]:
    """The simulation in the scaling of the weights (R22.2), and the weights."""
    if isinstance(start, Result):
        scaled = with_scaling_of(wanted, model_for(start.simulation).interface, "the result")
    elif isinstance(start, HasWeights):
        scaled = wanted
    else:
        return weights_file.started(Path(start), wanted)
    return scaled, flat(weights_of(start, model_for(scaled).network))
