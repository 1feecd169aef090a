"""False rejects at a fixed rate of false accepts, and AUROC: `python -m jaragua.experiments.rejection --task keywords`.

Half of the classes of each task are enrolled, and nobody enrols the other half. Thresholds are calibrated on training
data; figures are those of held-out tasks. Without --start, only prototypes of the inputs themselves are measured. With
--unseen, weights that trained without the validation devices, thresholds are calibrated on those devices.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from pathlib import Path

from jaragua.errors import JaraguaError
from jaragua.experiments.rejection.measure import RATES, Measured, Setup, measured
from jaragua.models import LINEAR, model_named, zoo_model_named
from jaragua.report.intervals import Interval
from jaragua.strategies.vectors import flat
from jaragua_compiler.command_line import exit_code_of
from jaragua_compiler.engine_protocol import ACCEPT_ALL
from jaragua_compiler.errors import CompileError
from jaragua_compiler.export.inputs.weights_file import read_weights
from jaragua_models import ModelError

_INPUTS = "the inputs"
_NAMES = {
    "relative": "relative to the mean distance to the other classes (A12.7)",
    "plain": "plain distance",
    "between": "relative to the mean distance between prototypes",
    "next": "relative to the distance to the next class",
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the figures; returns the process's exit code."""
    options = _options(arguments)
    return exit_code_of(lambda: _print(options), JaraguaError, CompileError, ModelError)


def _print(options: argparse.Namespace) -> None:
    setup = Setup(options.ways, options.shots, options.queries, options.tasks)
    found = {}
    if options.start:
        model = zoo_model_named(options.task)
        model = replace(model, network=replace(model.network, weights=options.engine))
        start = flat(read_weights(options.start, model.network))
        unseen = None if options.unseen is None else flat(read_weights(options.unseen, model.network))
        found[options.start.name] = measured(model, start, setup, unseen)
    found[_INPUTS] = measured(model_named(LINEAR + options.task), None, setup)
    if options.json:
        body = {name: asdict(one) for name, one in found.items()}
        sys.stdout.write(
            json.dumps({"task": options.task, **asdict(setup), "rates": RATES, "prototypes_of": body}) + "\n"
        )
        return
    for name, one in found.items():
        sys.stdout.write(_text(options.task, name, setup, one, options.scores))


def _text(task: str, name: str, setup: Setup, one: Measured, every: bool) -> str:
    devices = f" of {one.devices} held-out devices" if one.devices else ""
    lines = [
        f"{task}, prototypes of {name}: {setup.ways} classes enrolled with {setup.shots} samples of each,"
        f" {setup.ways} unknown, {setup.tasks} held-out tasks{devices}",
        f"  accuracy of known queries, nothing rejected: {_said(one.scores['relative'].accuracy)}",
    ]
    for score in _NAMES if every else ("relative",):
        lines.append(f"  score: {_NAMES[score]}; AUROC {_said(one.scores[score].auroc)}")
        for place, at in enumerate(one.scores[score].rates):
            number = f" threshold {one.thresholds[place]} ({one.thresholds[place] / ACCEPT_ALL:.3f})," * (
                score == "relative"
            )
            lines.append(
                f"    calibrated to {at.wanted:.0%}:{number} false accepts {_said(at.false_accepts)},"
                f" false rejects {_said(at.false_rejects)}, accepted and right {_said(at.accepted_and_right)}"
            )
    return "\n".join(lines) + "\n"


def _said(interval: Interval) -> str:
    return f"{interval.mean:.3f} ± {interval.high - interval.mean:.3f}"


def _from(least: int) -> Callable[[str], int]:
    """A number of the command line, of this size at least."""

    def number(text: str) -> int:
        if int(text) < least:
            raise argparse.ArgumentTypeError(f"{text} is less than {least}")
        return int(text)

    return number


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m jaragua.experiments.rejection", description=__doc__)
    parser.add_argument("--task", default="keywords", help="a model of the zoo whose labels are each task's own")
    parser.add_argument("--start", type=Path, help="trained weights (safetensors), for example of `simulate --save`")
    parser.add_argument(
        "--unseen", type=Path, help="weights of `simulate --task validation:NAME`: thresholds of the validation devices"
    )
    parser.add_argument("--engine", choices=("w16", "w8"), default="w16", help="format of the weights of --start")
    parser.add_argument("--ways", type=_from(2), default=5, help="classes enrolled; as many more are unknown")
    parser.add_argument("--shots", type=_from(1), default=1, help="samples enrolled of each class")
    parser.add_argument("--queries", type=_from(1), default=2, help="of each class in each task")
    parser.add_argument("--tasks", type=_from(2), default=200, help="held-out tasks, and as many of training data")
    parser.add_argument("--scores", action="store_true", help="also scores that A12.7 was chosen among")
    parser.add_argument("--json", action="store_true", help="all figures as JSON")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
