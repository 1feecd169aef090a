"""What a choice of layers that train costs: RAM, flash and instructions of a training step on the emulated Cortex-M4.

    python -m jaragua_bench.frozen --model omniglot --rounds 60 --train all --train last --train 3,5

The start is meta-trained with all layers; the steps learn the support sets of held-out tasks, and their bits are
compared with those of the native engine.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from jaragua_bench.emulated import board
from jaragua_bench.emulated.toolchain import ToolError, require_tools
from jaragua_bench.steps.steps import mismatches, run
from jaragua_bench.workload import SEED, meta_train, task_steps
from jaragua_compiler.command_line import exit_code_of
from jaragua_compiler.engines.native import NativeEngine
from jaragua_compiler.errors import CompileError
from jaragua_compiler.export.choice import Choice, planned
from jaragua_compiler.export.memory import figures
from jaragua_compiler.graph.initial_weights import Weights
from jaragua_compiler.planning.boards import find_board
from jaragua_compiler.planning.plan import plan
from jaragua_compiler.quantisation.blob import pack
from jaragua_compiler.quantisation.exponents import calibrate
from jaragua_compiler.quantisation.freeze import freeze
from jaragua_models import Model, ModelError, get

BOARD = "qemu_m4"
_MOST_SAMPLES = 100  # of those that ranges are estimated from


@dataclass(frozen=True)
class Cost:
    """Bytes as `jaragua compile` counts them; means of instructions over the steps."""

    train: str
    ram_bytes: int
    flash_bytes: int
    train_instructions: int
    forward_instructions: int


def cost(model: Model, weights: Weights, train: str, tasks: int) -> Cost:
    """Measure one choice. Raises ToolError if the board's bits are not those of this machine."""
    samples = model.tasks.calibration().astype(float)
    samples = samples[:: max(1, len(samples) // _MOST_SAMPLES)]
    compiled = freeze(planned(model.network, Choice(train=train)), weights, samples)
    blob = pack(compiled, weights, calibrate(compiled, weights, samples))
    usual = model.defaults
    drawn = [model.tasks.held_out_task(SEED + n, usual.ways, usual.shots, usual.ways) for n in range(tasks)]
    steps = [step for task in drawn for step in task_steps(compiled, blob, task.support, usual.learning_rate)]
    records = board.run(compiled, steps, counted=True)
    wrong = mismatches(compiled, run(NativeEngine(compiled), steps), [outcome for _, outcome in records])
    if wrong:
        raise ToolError(f"the emulated board computes other bits than this machine: {wrong[0]}.")
    takes = figures(compiled, find_board(BOARD).core)
    trained, forward = zip(*((one.train_instructions, one.forward_instructions) for one, _ in records), strict=True)
    return Cost(train, takes.ram_bytes, takes.flash_bytes, round(np.mean(trained)), round(np.mean(forward)))


def main(arguments: Sequence[str] | None = None) -> int:
    """Print one line for each choice; returns the process's exit code."""
    parser = argparse.ArgumentParser(description="What a choice of layers that train costs.")
    parser.add_argument("--model", required=True, help="a model of the zoo")
    parser.add_argument("--train", action="append", required=True, help="as jaragua compile takes it, but auto")
    parser.add_argument("--rounds", type=int, default=60, help="of meta-training for the start")
    parser.add_argument("--tasks", type=int, default=2, help="held-out tasks whose samples are learned")
    options = parser.parse_args(arguments)
    return exit_code_of(lambda: _print_costs(options), CompileError, ModelError)


def _print_costs(options: argparse.Namespace) -> None:
    require_tools()
    model = get(options.model)
    model = replace(model, defaults=replace(model.defaults, rounds=options.rounds))
    weights = meta_train(model, plan(model.network))
    print(f"{'trains':<10} {'RAM':>8} {'flash':>8} {'step':>10} {'forward':>10}")
    for train in options.train:
        found = cost(model, weights, train, options.tasks)
        numbers = f"{found.ram_bytes:>8,} {found.flash_bytes:>8,}"
        print(f"{train:<10} {numbers} {found.train_instructions:>10,} {found.forward_instructions:>10,}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
