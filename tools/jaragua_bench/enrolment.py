"""What a new device costs on the emulated Cortex-M4: enrolment of its support set, and the SGD it takes the place of.

    python -m jaragua_bench.enrolment --model omniglot --start omniglot.safetensors

Enrolment is one forward pass and one addition for each feature and sample (A12.1). SGD takes `--passes` passes of
training steps over the same samples. All instructions are counted over the support set of one held-out task, and the
board's bits are compared with those of this machine. Accuracy is compared by `jaragua simulate` (docs/results).
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from jaragua_bench.emulated import board
from jaragua_bench.emulated.toolchain import ToolError, require_tools
from jaragua_bench.steps.prototype_calls import Call, Calls, Kind, run
from jaragua_compiler.command_line import exit_code_of
from jaragua_compiler.engines.native_prototypes import NativePrototypeEngine
from jaragua_compiler.errors import CompileError
from jaragua_compiler.export.inputs.weights_file import read_weights
from jaragua_compiler.graph.initial_weights import initial_weights
from jaragua_compiler.planning.plan import plan, with_prototypes
from jaragua_compiler.quantisation.blob import exponents, pack, quantise_inputs
from jaragua_compiler.quantisation.calibration import calibration_rows
from jaragua_compiler.quantisation.exponents import calibrate
from jaragua_compiler.quantisation.rate import LearningRate
from jaragua_models import Model, ModelError, get

_TEMPERATURE = LearningRate.from_float(0.02)
_SEED = 1


@dataclass(frozen=True)
class Cost:
    """Instructions on the Cortex-M4. The whole of it is for one new device with `samples` support samples."""

    samples: int
    enrol: int
    recognise: int
    train_step: int
    passes: int

    @property
    def enrolment(self) -> int:
        """Of all samples."""
        return self.samples * self.enrol

    @property
    def adaptation(self) -> int:
        """Of the passes of training steps over all samples."""
        return self.samples * self.passes * self.train_step


def cost(model: Model, start: Path | None, ways: int, shots: int, passes: int) -> Cost:
    """Count one held-out task. start: trained weights; None: the zoo's random ones.

    Raises: CompileError, ModelError; ToolError if the board's bits are not this machine's.
    """
    require_tools()
    network = model.network
    layout = with_prototypes(plan(network), max(ways, network.outputs))
    weights = initial_weights(network, _SEED) if start is None else read_weights(start, network)
    blob = pack(layout, weights, calibrate(layout, weights, calibration_rows(model.tasks.calibration())))
    task = model.tasks.held_out_task(_SEED, ways, shots, ways)
    rows = quantise_inputs(layout, exponents(layout, blob), task.support.x)
    kinds = Kind.ENROL, Kind.RECOGNISE, Kind.TRAIN
    made = [Call(kind, x, int(y)) for kind in kinds for x, y in zip(rows, task.support.y, strict=True)]
    calls = Calls(blob, _TEMPERATURE, LearningRate.from_float(model.defaults.learning_rate), _SEED, made)
    outcome = board.run_prototypes(layout, calls, counted=True)
    if outcome != run(NativePrototypeEngine(layout), layout, calls):
        raise ToolError("the emulated board computes other bits than this machine.")
    counted = np.array([answer.instructions for answer in outcome.answers]).reshape(len(kinds), -1).mean(axis=1)
    enrol, recognise, train = (round(float(mean)) for mean in counted)
    return Cost(len(rows), enrol, recognise, train, passes)


def main(arguments: Sequence[str] | None = None) -> int:
    """Print one table; returns the process's exit code."""
    parser = argparse.ArgumentParser(description="What enrolment costs beside the SGD it takes the place of.")
    parser.add_argument("--model", required=True, help="a model of the zoo")
    parser.add_argument("--start", type=Path, help="trained weights (safetensors); random ones without it")
    parser.add_argument("--ways", type=int, help="classes of the task; the model's without it")
    parser.add_argument("--shots", type=int, help="support samples of each class; the model's without it")
    parser.add_argument("--passes", type=int, help="of the SGD; the model's without it")
    options = parser.parse_args(arguments)
    return exit_code_of(lambda: _print(options), CompileError, ModelError)


def _print(options: argparse.Namespace) -> None:
    model = get(options.model)
    usual = model.defaults
    found = cost(
        model,
        options.start,
        options.ways or usual.ways,
        options.shots or usual.shots,
        options.passes or usual.passes,
    )
    print(f"{model.name}: {found.samples} support samples, instructions on the emulated Cortex-M4")
    print(f"  enrol one sample          {found.enrol:>14,}")
    print(f"  recognise one sample      {found.recognise:>14,}")
    print(f"  one training step         {found.train_step:>14,}")
    print(f"  enrol the support set     {found.enrolment:>14,}")
    print(f"  SGD, {found.passes:>3} passes          {found.adaptation:>14,}")
    print(f"  SGD / enrolment           {found.adaptation / found.enrolment:>14.1f}")


if __name__ == "__main__":
    sys.exit(main())
