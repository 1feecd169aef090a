"""The figures of one model: what a training step costs in instructions, RAM and flash, beside the float32 baseline."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from jaragua_bench.emulated import board
from jaragua_bench.emulated.sections import OperatorCount
from jaragua_bench.emulated.toolchain import ToolError, require_tools
from jaragua_bench.rows import ROWS, row_model, row_named
from jaragua_bench.steps import float32, zero_gradient_rows
from jaragua_bench.steps.steps import Counts, Outcome, mismatches, run
from jaragua_bench.workload import QUICK, Workload, prepare
from jaragua_compiler.engines.host_build import NATIVE
from jaragua_compiler.engines.native import NativeEngine
from jaragua_compiler.export.inputs.weights_file import read_interface, read_weights
from jaragua_compiler.planning.plan import Plan, plan
from jaragua_compiler.quantisation.rate import LearningRate
from jaragua_models import Model
from jaragua_models.base import Features, Targets

#: Names of the rows, in the order in which they are printed.
MODELS: Sequence[str] = tuple(ROWS)


@dataclass(frozen=True)
class Result:
    """One row of the bench. Instructions are means over `samples` training steps, except where the name says else.

    `task` is the zoo's task the samples come from, or "synthetic". `zero_gradient_rows` is the fraction of all rows
    with a zero gradient (0..1); RAM is weights, activations, scratch and stack. The fields of float32 are None if it
    does not fit the board. The instructions of `operators` add up to `instructions`.
    """

    model: str
    weights: str
    task: str
    instructions: int
    instructions_min: int
    instructions_max: int
    forward_instructions: int
    backward_update_instructions: int
    zero_gradient_rows: float
    instructions_no_zero_gradient_rows: int
    float32_instructions: int | None
    float32_forward_instructions: int | None
    float32_flags: str | None
    float32_ram_bytes: int | None
    ram_bytes: int
    ram_weights_bytes: int
    ram_static_bytes: int
    ram_stack_bytes: int
    flash_bytes: int
    samples: int
    operators: tuple[OperatorCount, ...]


def measure(name: str, start: Path | None = None) -> Result:
    """Build, run and count one model of MODELS, or the task of a TOML file.

    start: trained weights (safetensors); without them a start is meta-trained. Raises: CompileError for another name
    or weights that do not fit, ToolError without the tools, ModelError for one's own data.
    """
    require_tools()
    model, task = row_model(name, None if start is None else read_interface(start))
    layout = plan(model.network)
    row = row_named(name)
    weights = None if start is None else read_weights(start, model.network)
    workload = prepare(model, layout, row.tasks, weights)
    counts = _counted(layout, workload)
    without_zero_gradient_rows = _counts_without_zero_gradient_rows(model, layout, workload)
    baseline = _float32(model, workload) if row.float32 else None
    size = board.footprint(layout)
    stack = max(max(count.forward_stack_bytes, count.train_stack_bytes) for count in counts)
    train = [count.train_instructions for count in counts]
    forward = _mean([count.forward_instructions for count in counts])
    return Result(
        model=model.name if name not in ROWS else name,
        weights=model.network.weights,
        task=task,
        instructions=_mean(train),
        instructions_min=min(train),
        instructions_max=max(train),
        forward_instructions=forward,
        backward_update_instructions=_mean(train) - forward,
        zero_gradient_rows=_zero_gradient_part(layout, workload),
        instructions_no_zero_gradient_rows=_mean([count.train_instructions for count in without_zero_gradient_rows]),
        float32_instructions=round(baseline.instructions) if baseline else None,
        float32_forward_instructions=round(baseline.forward_instructions) if baseline else None,
        float32_flags=baseline.compiler_flags if baseline else None,
        float32_ram_bytes=baseline.ram_bytes if baseline else None,
        ram_bytes=layout.blob_bytes + size.ram_bytes + stack,
        ram_weights_bytes=layout.blob_bytes,
        ram_static_bytes=size.ram_bytes,
        ram_stack_bytes=stack,
        flash_bytes=size.flash_bytes,
        samples=len(train),
        operators=board.run_marked(layout, workload.steps, counts),
    )


def _counted(layout: Plan, workload: Workload) -> list[Counts]:
    """Count every step, and make sure that what was counted computed the right thing."""
    counts, outcomes = _split(board.run(layout, workload.steps, counted=True))
    wrong = mismatches(layout, run(NativeEngine(layout, flags=QUICK, march=NATIVE), workload.steps), outcomes)
    if wrong:
        raise ToolError(f"the emulated board computes other bits than this machine: {wrong[0]}.")
    return counts


def _counts_without_zero_gradient_rows(model: Model, layout: Plan, workload: Workload) -> list[Counts]:
    x, y = _stacked(workload)
    rate = LearningRate.from_float(model.defaults.learning_rate)
    return _split(board.run(layout, zero_gradient_rows.fully_active_steps(layout, x, y, rate), counted=True))[0]


def _float32(model: Model, workload: Workload) -> float32.Float32Figures:
    x, y = _stacked(workload)
    targets = y.reshape(len(x), -1).astype(np.float32)
    return float32.measure(model.network, workload.weights, x, targets, model.defaults.learning_rate)


def _stacked(workload: Workload) -> tuple[Features, Targets]:
    """All samples of the tasks one after the other: x [n, inputs], and y as in Samples."""
    x = np.concatenate([samples.x for samples in workload.samples])
    return x, np.concatenate([samples.y for samples in workload.samples])


def _zero_gradient_part(layout: Plan, workload: Workload) -> float:
    counts = zero_gradient_rows.zero_gradient_row_counts(layout, workload.steps)
    return round(sum(counts) / (len(counts) * zero_gradient_rows.rows(layout)), 4)


def _split(records: Sequence[tuple[Counts, Outcome]]) -> tuple[list[Counts], list[Outcome]]:
    return [counts for counts, _ in records], [outcome for _, outcome in records]


def _mean(values: Sequence[int]) -> int:
    return round(sum(values) / len(values))
