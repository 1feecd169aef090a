"""What devices that poison their updates cost: `python -m jaragua.experiments.poisoned --task digits`.

Fleets are simulated with the zoo's defaults in the boards' int16 arithmetic. Two of ten devices attack in every round.
A point is 0.01 of an accuracy; intervals are 95 % over the seeds, and differences are paired by seed.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

from jaragua.errors import ConfigurationError, JaraguaError
from jaragua.experiments.poisoned.attacks import ATTACKS
from jaragua.experiments.poisoned.measure import DEFAULT_RULES, RULES, Setup, measured
from jaragua.experiments.poisoned.table import POINTS, scores, table
from jaragua.simulation.models import model_named
from jaragua_compiler.command_line import exit_code_of
from jaragua_compiler.errors import CompileError
from jaragua_models import ModelError


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table; returns the process's exit code."""
    options = _options(arguments)
    return exit_code_of(lambda: _print(options), JaraguaError, CompileError, ModelError)


def _print(options: argparse.Namespace) -> None:
    seeds = options.seed or [1, 2, 3, 4, 5]
    if len(set(seeds)) < 2:
        raise ConfigurationError("one seed has no interval", "give --seed at least twice, or leave it out")
    if not 1 <= options.attackers < options.devices:
        message = f"{options.attackers} attackers of {options.devices} devices leave nothing to measure"
        raise ConfigurationError(message, "at least one attacker, and fewer attackers than devices")
    setup = Setup(options.task, options.devices, options.attackers, options.rounds, options.tasks)
    metric = model_named(options.task).metric
    if metric not in POINTS:
        raise ConfigurationError(f"a point of {metric} is not defined", f"take a task of {' or '.join(POINTS)}")
    found = measured(setup, seeds, options.attack or list(ATTACKS), options.rule or DEFAULT_RULES)
    print(
        f"{options.task}, {options.attackers} of {options.devices} devices attack, seeds {', '.join(map(str, seeds))}\n"
    )
    print("\n".join(table(metric, found)))
    if options.scores:
        print("\n" + "\n".join(scores(metric, found)))


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m jaragua.experiments.poisoned", description=__doc__)
    parser.add_argument("--task", default="digits", help="a model of the zoo")
    parser.add_argument("--devices", type=int, default=10, help="all of them train in each round")
    parser.add_argument("--attackers", type=int, default=2, help="how many of them attack, chosen by the seed")
    parser.add_argument("--rounds", type=int, help="of each fleet; default: the task's")
    parser.add_argument("--tasks", type=int, default=100, help="held-out tasks for each figure")
    parser.add_argument("--seed", action="append", type=int, help="repeat; default: 1 to 5")
    parser.add_argument("--attack", action="append", choices=tuple(ATTACKS), help="repeat; default: all")
    parser.add_argument("--rule", action="append", choices=tuple(RULES), help="repeat; default: those of runs")
    parser.add_argument("--scores", action="store_true", help="also scores, and how many updates were left out")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
