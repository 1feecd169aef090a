"""What the operators that no model of the zoo has cost: two small networks on random samples, operator by operator.

    python -m jaragua_bench.examples [--weights w8]

The weights are random initial ones, so fewer rows have a zero gradient than on a task; every step is checked against
the reference.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace
from statistics import mean
from typing import get_args

from jaragua_bench.emulated import board
from jaragua_bench.emulated.toolchain import ToolError
from jaragua_bench.steps.random_steps import STEPS_PER_BLOB, random_steps
from jaragua_bench.steps.steps import mismatches, run
from jaragua_compiler.command_line import exit_code_of
from jaragua_compiler.errors import CompileError
from jaragua_compiler.graph import layers
from jaragua_compiler.graph.network import Network, WeightFormat
from jaragua_compiler.planning.plan import plan
from jaragua_compiler.reference.engine import ReferenceEngine

SEED = 5

#: As MobileNet is built: depthwise and 1 x 1 convolutions in turn.
MOBILE = Network(
    "mobile",
    (32, 32, 1),
    (
        layers.Conv2D(8, (3, 3), (2, 2), "same", "relu"),
        layers.DepthwiseConv2D((3, 3), (1, 1), "same", "relu6"),
        layers.Conv2D(16, (1, 1), activation="relu6"),
        layers.DepthwiseConv2D((3, 3), (2, 2), "same", "relu6"),
        layers.Conv2D(32, (1, 1), activation="relu6"),
        layers.GlobalAveragePool2D(),
        layers.Dense(5),
    ),
)

#: As ResNet is built: convolutions whose input is added to their output.
RESIDUAL = Network(
    "residual",
    (16, 16, 3),
    (
        layers.Conv2D(8, (3, 3), (1, 1), "same", "relu"),
        layers.MaxPool2D((2, 2)),
        layers.Conv2D(8, (3, 3), (1, 1), "same", "relu"),
        layers.Conv2D(8, (3, 3), (1, 1), "same"),
        layers.Add(1, "relu"),
        layers.AveragePool2D((2, 2)),
        layers.Conv2D(16, (3, 3), (1, 1), "same", "leaky_relu"),
        layers.GlobalAveragePool2D(),
        layers.Dense(8, "tanh"),
        layers.Dense(5),
    ),
)


def table(network: Network) -> str:
    """One line an operator: instructions forward, and backward with the update. Raises ToolError if a bit is wrong."""
    compiled = plan(network)
    steps = random_steps(compiled, SEED, STEPS_PER_BLOB)  # one ordinary set of weights
    counts, outcomes = zip(*board.run(compiled, steps, counted=True), strict=True)
    wrong = mismatches(compiled, run(ReferenceEngine(compiled), steps), list(outcomes))
    if wrong:
        raise ToolError(f"the emulated board computes other bits than the reference: {wrong[0]}.")
    lines = [f"{network.name}: {mean(count.train_instructions for count in counts):,.0f} instructions a step"]
    for row in board.run_marked(compiled, steps, counts):
        name = row.operator if row.layer is None else f"layer {row.layer}: {row.operator}"
        lines.append(f"  {name:<32} {row.forward_instructions:>9,} {row.backward_update_instructions:>9,}")
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; returns the process's exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--weights", choices=get_args(WeightFormat), default="w16", help="of all layers but the last")
    weights = parser.parse_args(arguments).weights
    return exit_code_of(lambda: _print_tables(weights), CompileError)


def _print_tables(weights: WeightFormat) -> None:
    for example in (MOBILE, RESIDUAL):
        print(table(replace(example, weights=weights)))


if __name__ == "__main__":
    sys.exit(main())
