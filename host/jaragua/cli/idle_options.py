"""Options of `jaragua simulate` that were given and change nothing: refused, or said, but never silently ignored."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator
from dataclasses import replace
from typing import Final

from jaragua.cli import output
from jaragua.errors import UsageError
from jaragua.simulate import Simulation
from jaragua.simulate.simulation import create_strategy, with_options
from jaragua.strategies import REGISTRY, Strategy

#: Of training alone, in the order of the help.
_OF_TRAINING: Final = (
    *("train_shots", "rounds", "clients", "devices", "alpha", "alpha_final", "passes", "batch", "option"),
    *("combine", "trim", "clip", "near", "state", "save_every"),
)
#: Fewer updates cannot be told apart (`NearTheFleet`).
_FEWEST_NEAR: Final = 3


def check(given: Collection[str], wanted: Simulation) -> None:
    """given: names of the options on the command line. Raises: UsageError, ConfigurationError."""
    _require("trim", given, wanted.combine == "trimmed-mean", "--combine trimmed-mean")
    _require("save_every", given, "state" in given, "--state FOLDER")
    clock = wanted.buffered
    _require("slow_factor", given, clock is None or clock.slow_share > 0, "--slow-share")
    for options, reason in _idle(given, with_options(wanted)):
        output.say(f"note: {', '.join(map(_written, options))}: {reason}")


def _require(name: str, given: Collection[str], works: bool, with_what: str) -> None:
    if name in given and not works:
        message = f"without {with_what}, {_written(name)} would change nothing"
        raise UsageError(message, f"add {with_what}, or leave {_written(name)} out")


def _idle(given: Collection[str], wanted: Simulation) -> Iterator[tuple[list[str], str]]:
    """Groups of options, each with why it changes nothing. They are left to who compares strategies by one command."""
    strategy = create_strategy(wanted)
    if not strategy.TRAINS or wanted.rounds == 0:
        why = "'--rounds 0' only judges" if strategy.TRAINS else f"'{wanted.strategy}' trains nothing"
        kept = {"rounds"} if strategy.TRAINS else set[str]()
        if options := [name for name in _OF_TRAINING if name in given and name not in kept]:
            yield options, f"{why}, so it changes nothing"
        return
    if options := [name for name in ("alpha", "alpha_final", "passes", "batch") if _unmoved(name, given, wanted)]:
        yield options, f"'{wanted.strategy}' does not ask for it, or not in so few rounds: it changes nothing"
    updates = _updates(strategy, wanted)
    if updates == 1:
        if options := [name for name in ("combine", "trim", "near") if name in given]:
            yield options, "there is one update in a round, so it changes nothing"
        return
    if wanted.combine == "trimmed-mean" and not int(wanted.trim * updates):
        share = f"{wanted.trim:g} of {updates} updates is less than one"
        yield ["combine"], f"{share}: nothing is left out, and it is the mean"
    if wanted.near and updates < _FEWEST_NEAR:
        yield ["near"], f"of {updates} updates none can be told to be far: nothing is left out"
    if wanted.buffered and wanted.buffered.slow_share and not _slow(wanted):
        yield ["slow_share"], f"of {len(wanted.devices)} devices it is none, rounded to whole ones"


def _unmoved(name: str, given: Collection[str], wanted: Simulation) -> bool:
    """Whether a strategy of ours does the same whatever an option says; one's own may read it anywhere."""
    if name not in given or wanted.strategy not in REGISTRY:
        return False
    value = getattr(wanted, name)
    other = replace(wanted, **{name: value + 1 if name in ("passes", "batch") else 1 - value + 0.25 * (value == 0.5)})
    one, two = create_strategy(wanted), create_strategy(other)
    ends = (1, wanted.rounds)
    return all(one.step_size(n) == two.step_size(n) and one.client_work(n) == two.client_work(n) for n in ends)


def _updates(strategy: Strategy, wanted: Simulation) -> int:
    """In a round."""
    if strategy.client_work(1).pooled:
        return 1
    return wanted.buffered.buffer if wanted.buffered else wanted.clients


def _slow(wanted: Simulation) -> int:
    """V3."""
    share = wanted.buffered.slow_share if wanted.buffered else 0.0
    return math.floor(share * len(wanted.devices) + 0.5)


def _written(name: str) -> str:
    return f"--{name.replace('_', '-')}"
