"""What private updates cost: `python -m jaragua.experiments.privacy [--cost]`, tables of docs/results/privacy.md."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

from jaragua.errors import ConfigurationError, DataError, JaraguaError
from jaragua.experiments.privacy import accuracy, cost
from jaragua.experiments.privacy.accuracy import SETUPS, Setup
from jaragua.models import model_named
from jaragua_compiler.command_line import exit_code_of
from jaragua_compiler.errors import CompileError
from jaragua_models import ModelError

#: Devices, numbers, biases among them, dropped devices.
_COSTS = ((10, 1153, 65, 0), (10, 1153, 65, 1), (30, 1153, 65, 0), (30, 1153, 65, 3), (100, 1153, 65, 0))


def main(arguments: Sequence[str] | None = None) -> int:
    """Print a table; returns the process's exit code."""
    options = _options(arguments)
    work = _print_costs if options.cost else _print_accuracy
    return exit_code_of(lambda: work(options), JaraguaError, CompileError, ModelError)


def _print_costs(options: argparse.Namespace) -> None:
    print(cost.HEAD)
    for devices, numbers, biases, dropped in _COSTS:
        if devices <= options.most_devices:
            print(cost.line(cost.measured(devices, numbers, biases, dropped)), flush=True)


def _print_accuracy(options: argparse.Namespace) -> None:
    seeds = options.seed or [1, 2, 3, 4, 5]
    if len(set(seeds)) < 2:
        raise ConfigurationError("one seed has no interval", "give --seed at least twice, or leave it out")
    for setup in SETUPS:
        if setup.task in (options.task or [setup.task]) and setup.devices <= options.most_devices:
            _print_table(setup, seeds)


def _print_table(setup: Setup, seeds: Sequence[int]) -> None:
    """A task whose data are not on this machine is left out, aloud."""
    try:
        for number, row in enumerate(accuracy.measured(setup, seeds)):
            if not number:
                print(accuracy.described(setup, seeds, model_named(setup.task).metric))
            print(accuracy.line(row), flush=True)
        print()
    except DataError as error:
        print(f"SKIPPED {setup.task}: {error.message}\n", flush=True)


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m jaragua.experiments.privacy", description=__doc__)
    parser.add_argument("--cost", action="store_true", help="bytes and processor time of a secure sum instead")
    parser.add_argument("--most-devices", type=int, default=500, help="of the largest sum or fleet")
    tasks = tuple(dict.fromkeys(setup.task for setup in SETUPS))
    parser.add_argument("--task", action="append", choices=tasks, help="repeat; default: all of them")
    parser.add_argument("--seed", action="append", type=int, help="repeat; default: 1 to 5")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
