"""What a user is told before a simulation begins, on the command line and in Python.

Settings that were given and change nothing are refused, or said, but never silently ignored. So are data that no device
has, and a missing C compiler.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Iterator
from dataclasses import replace
from typing import Any, Final, TypeAlias

import jaragua_models
from jaragua.bases.value import Value
from jaragua.errors import UsageError
from jaragua.settings import SHORT_NAMES
from jaragua.simulation.models import task_model
from jaragua.simulation.settings import Buffered, Simulation
from jaragua.simulation.strategy import create_strategy, with_options
from jaragua.strategies import REGISTRY, Strategy
from jaragua.strategies.registry import work_of
from jaragua.strategies.robust import TAKES_TRIM
from jaragua_compiler.engines.host_build import has_compiler
from jaragua_models import HasOwners, Remarks

#: Of training alone, in the order of the help.
_OF_TRAINING: Final = (
    *("client.shots", "run.rounds", "strategy.clients_per_round", "simulation.devices", "client.learning_rate"),
    *("strategy.alpha", "strategy.alpha_final", "client.passes", "client.batch", "strategy.options"),
    *("strategy.combine", "strategy.trim", "strategy.norm_clip_factor", "strategy.outlier_factor"),
    *("strategy.server_optimiser", "strategy.server_beta1", "strategy.server_beta2", "strategy.server_tau"),
    *("directory", "save_every"),
)
#: Settings of the virtual clock, which only a simulation with a buffer has.
_OF_THE_CLOCK: Final = (
    *("round.max_staleness", "round.staleness_exponent"),
    *("simulation.compute_time_sigma", "simulation.slow_fraction", "simulation.slow_factor"),
)
#: Short names of settings, by their keys.
_OPTIONS: Final = {key: name for name, key in SHORT_NAMES.items()}
_OF_A_STRATEGY: Final = ("strategy.alpha", "strategy.alpha_final", "client.passes", "client.batch")
#: Options, and why they change nothing.
Idle: TypeAlias = tuple[list[str], str]
_NO_COMPILER: Final = (
    "there is no C compiler on the PATH, so NumPy computes the devices: the same integers, but a hundred times slower. "
    "Install one (sudo apt install gcc libc6-dev) to simulate many devices."
)
#: Fewer updates cannot be told apart (`OutlierFilter`).
_FEWEST_FOR_OUTLIERS: Final = 3


class Spelling(Value):
    """How a user writes settings that have a short name, and other options."""

    prefix: str
    space: str
    """In a name of several words."""
    joint: str
    """Between a name and its value."""

    def name(self, key: str) -> str:
        """A setting by its short name or its key, or another option."""
        if "." in key and key not in _OPTIONS:
            return key
        return self.prefix + _OPTIONS.get(key, key).replace("_", self.space)

    def value(self, key: str, value: object) -> str:
        """Such a setting with a value."""
        return f"{self.name(key)}{self.joint}{value}"


COMMAND_LINE: Final = Spelling("--", "-", " ")
PYTHON: Final = Spelling("", "_", "=")


def settings_in(changes: Iterable[str]) -> set[str]:
    """The settings among keys of changes, which may reach into options: `strategy.options.proximal`."""
    return {".".join(key.split(".")[:2]) for key in changes}


def notes_on(given: Collection[str], wanted: Simulation, spelling: Spelling) -> list[str]:
    """Sentences for the user. given: what was asked for, keys of settings and names of other options.

    Raises: UsageError for what cannot be meant, ConfigurationError.
    """
    _check(given, wanted, spelling)
    whole = with_options(wanted)
    strategy = create_strategy(whole)
    trains = strategy.TRAINS and whole.rounds > 0
    found = [
        f"{', '.join(map(spelling.name, options))}: {reason}"
        for options, reason in (_in_training if trains else _without_training)(given, whole, strategy, spelling)
    ]
    if "client.replay_buffer_size" in given and _passes_once(whole, strategy, trains):
        found.append("client.replay_buffer_size: devices go over their samples once, so it changes nothing")
    if trains and (excluded := _owners_excluded(given, whole, spelling) or _owners_shared(whole)):
        found.append(excluded)
    found += _remarks(whole)
    return found if has_compiler() else [*found, _NO_COMPILER]


def _check(given: Collection[str], wanted: Simulation, spelling: Spelling) -> None:
    """Raises: UsageError for a setting that takes another one."""

    def require(name: str, works: bool, with_what: str) -> None:
        if name in given and not works:
            message = f"without {with_what}, {spelling.name(name)} would change nothing"
            raise UsageError(message, f"add {with_what}, or leave {spelling.name(name)} out")

    trimming = f"strategy.combine={' or '.join(TAKES_TRIM)}"
    require("strategy.trim", wanted.combine in TAKES_TRIM, trimming)
    adaptive = wanted.server_optimiser in ("adam", "yogi")
    require("strategy.server_beta1", wanted.server_optimiser != "plain", "strategy.server_optimiser")
    for name in ("strategy.server_beta2", "strategy.server_tau"):
        require(name, adaptive, "strategy.server_optimiser=adam or yogi")
    require("save_every", bool({"directory", "run"} & set(given)), "--directory FOLDER or a run's file")
    clock = wanted.buffered
    for name in _OF_THE_CLOCK:
        require(name, clock is not None, "round.buffer")
    require("simulation.slow_factor", clock is None or clock.slow_fraction > 0, "simulation.slow_fraction")


def _in_training(given: Collection[str], wanted: Simulation, strategy: Strategy, spelling: Spelling) -> Iterator[Idle]:
    """What changes nothing in this training: left to who compares strategies by one command."""
    if options := [name for name in _OF_A_STRATEGY if _unmoved(name, given, wanted)]:
        yield options, f"'{wanted.strategy}' does not ask for it, or not in so few rounds: it changes nothing"
    yield from _with_few_updates(given, wanted, _updates(strategy, wanted))
    if wanted.buffered:
        yield from _on_the_clock(given, wanted, wanted.buffered, spelling)


def _without_training(
    given: Collection[str], wanted: Simulation, strategy: Strategy, spelling: Spelling
) -> Iterator[Idle]:
    evaluates = f"'{spelling.value('run.rounds', 0)}' only evaluates"
    why = evaluates if strategy.TRAINS else f"'{wanted.strategy}' trains nothing"
    kept = {"run.rounds"} if strategy.TRAINS else set[str]()
    if "evaluation.learning_rate" not in given:
        kept.add("client.learning_rate")  # devices adapt with it
    if options := [name for name in _OF_TRAINING if name in given and name not in kept]:
        yield options, f"{why}, so it changes nothing"


def _passes_once(wanted: Simulation, strategy: Strategy, trains: bool) -> bool:
    """Whether devices meet each sample once, whenever they learn; a strategy of your own may ask for anything."""
    once = wanted.strategy in REGISTRY and work_of(strategy, 1).passes == 1
    return wanted.evaluation.passes == 1 and (once or not trains)


def _owners_excluded(given: Collection[str], wanted: Simulation, spelling: Spelling) -> str:
    """What nobody asked for: data that lies idle, as a simulation has only as many devices as train in a round."""
    tasks, devices = task_model(wanted).tasks, len(wanted.devices)
    if "simulation.devices" in given or not isinstance(tasks, HasOwners) or tasks.owners() <= devices:
        return ""
    owners, verb = tasks.owners(), "has a device" if devices == 1 else "have devices"
    all_of_them = spelling.value("simulation.devices", owners)
    return f"{devices} of the {owners} who own training data {verb}; {all_of_them} lets all take turns"


def _owners_shared(wanted: Simulation) -> str:
    """Devices of a simulation are numbered, and take one owner after the other: the next begins anew."""
    tasks, devices = task_model(wanted).tasks, wanted.devices
    if not isinstance(tasks, HasOwners) or not 0 < tasks.owners() < len(devices):
        return ""
    owners = tasks.owners()
    pairs = [f"{one} and {other}" for one, other in zip(devices, devices[owners:], strict=False)]
    more = f", and {len(pairs) - 1} more pairs" if len(pairs) > 1 else ""
    return f"{len(devices)} devices have the data of {owners} owners: {pairs[0]} draw from the same one{more}"


def _remarks(wanted: Simulation) -> list[str]:
    """What there is to say of the data."""
    tasks, held_out = task_model(wanted).tasks, wanted.evaluation
    if not isinstance(tasks, Remarks):
        return []
    try:
        return tasks.remarks(wanted.held_out_ways, held_out.shots or wanted.shots, wanted.shots, held_out.queries)
    except jaragua_models.ModelError:
        return []  # the simulation says it


def _with_few_updates(given: Collection[str], wanted: Simulation, updates: int) -> Iterator[Idle]:
    if updates == 1:
        clipping = ["strategy.norm_clip_factor"] if wanted.norm_clip_factor >= 1 else []
        alone = ("strategy.combine", "strategy.trim", "strategy.outlier_factor", *clipping)
        if options := [name for name in alone if name in given]:
            yield options, "there is one update in a round, so it changes nothing"
        return
    if wanted.combine in TAKES_TRIM and not int(wanted.trim * updates):
        trimmed = f"{wanted.trim:g} of {updates} updates is less than one"
        yield ["strategy.combine"], f"{trimmed}: nothing is left out, and it is the mean"
    if "strategy.outlier_factor" in given and wanted.outlier_factor and updates < _FEWEST_FOR_OUTLIERS:
        yield ["strategy.outlier_factor"], f"of {updates} updates none can be told to be far: nothing is left out"


def _on_the_clock(given: Collection[str], wanted: Simulation, clock: Buffered, spelling: Spelling) -> Iterator[Idle]:
    aged = [name for name in ("round.max_staleness", "round.staleness_exponent") if name in given]
    if aged and clock.buffer == wanted.clients:
        clients = spelling.name("strategy.clients_per_round")
        yield aged, f"rounds whose buffer is as large as {clients} have no older starts"
    if clock.slow_fraction and not math.floor(clock.slow_fraction * len(wanted.devices) + 0.5):  # V3
        yield ["simulation.slow_fraction"], f"of {len(wanted.devices)} devices it is none, rounded to whole ones"


def _unmoved(key: str, given: Collection[str], wanted: Simulation) -> bool:
    """Whether a strategy of ours does the same whatever a setting says; one's own may read it anywhere."""
    if key not in given or wanted.strategy not in REGISTRY:
        return False
    name = key.partition(".")[2]
    wanted = replace(wanted, replay_buffer_size=0)  # which does not go with every other value, and hides none
    changes: dict[str, Any] = {name: _another(name, getattr(wanted, name))}
    one, two = create_strategy(wanted), create_strategy(replace(wanted, **changes))
    ends = (1, wanted.rounds)
    return all(one.step_size(n) == two.step_size(n) and one.client_work(n) == two.client_work(n) for n in ends)


def _another(name: str, value: float) -> float:
    """Another value that makes sense."""
    if name in ("passes", "batch"):
        return 2 if value == 1 else 1
    return 0.75 if value == 0.5 else 1 - value


def _updates(strategy: Strategy, wanted: Simulation) -> int:
    """In a round."""
    if work_of(strategy, 1).pooled:
        return 1
    return wanted.buffered.buffer if wanted.buffered else wanted.clients
