"""TinyReptile against batch Reptile on the board: what a device's work of one round costs, by the size of its task.

TinyReptile goes once through a stream and keeps one sample. Batch Reptile goes several times through a support set that
it keeps, and moves the weights by the mean of several samples' steps: its image has sums (A11.1). Which work of the two
learns equally well is a matter of simulations (docs/benchmarks.md).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from jaragua_compiler.bench import board
from jaragua_compiler.bench.steps import Counts, Step, mismatches, run
from jaragua_compiler.bench.toolchain import ToolError, require_tools
from jaragua_compiler.bench.workload import meta_train, packed, task_steps
from jaragua_compiler.errors import CompileError
from jaragua_compiler.native import NativeEngine
from jaragua_compiler.plan import Plan, plan
from jaragua_models import Model, get

TASK_SEED = 40
_ROUNDS_MOST = 100  # of meta-training the start: what matters is the part of dead rows


@dataclass(frozen=True)
class Work:
    """Batch Reptile's work of one round, and the shots (of each way) at which it is compared."""

    passes: int
    batch: int
    learning_rate: float
    shots: tuple[int, ...]


WORK: Mapping[str, Work] = {
    "digits": Work(8, 5, 0.4, (1, 2, 5, 10)),
    "sine": Work(2, 8, 0.04, (8, 16, 32, 64)),
    "keywords": Work(5, 5, 0.2, (1, 2, 3, 5)),
    "omniglot-cnn": Work(5, 5, 0.08, (1, 2, 5, 10)),
}


@dataclass(frozen=True)
class Cost:
    """Of one device in one round. RAM: weights, variables (sums included), stack, and the samples it holds."""

    instructions: int
    ram_bytes: int
    samples_bytes: int


@dataclass(frozen=True)
class Comparison:
    """One task size: `samples` in the support set."""

    task: str
    samples: int
    passes: int
    batch: int
    tiny_reptile: Cost
    batch_reptile: Cost


def compare(name: str) -> Iterator[Comparison]:
    """Both on the same tasks from the same start, counted on the emulated Cortex-M4.

    Raises CompileError for a task not in WORK, ToolError without the tools.
    """
    if name not in WORK:
        raise CompileError(f"there is no comparison for {name!r}.", f"There is one for: {', '.join(WORK)}.")
    require_tools()
    model = get(name)
    defaults = model.defaults
    short = dataclasses.replace(defaults, rounds=min(_ROUNDS_MOST, defaults.rounds), training_passes=1)
    model = dataclasses.replace(model, defaults=short)
    plain, summing = plan(model.network), plan(model.network, accumulate=True)
    blob = packed(model, plain, meta_train(model, plain))
    for shots in WORK[name].shots:
        yield _compared(model, plain, summing, blob, shots)


def _compared(model: Model, plain: Plan, summing: Plan, blob: bytes, shots: int) -> Comparison:
    work = WORK[model.name]
    support = model.tasks.held_out_task(TASK_SEED, model.defaults.ways, shots, model.defaults.ways).support
    stream = task_steps(plain, blob, support, model.defaults.learning_rate)
    stored = task_steps(summing, blob, support, work.learning_rate)
    batch = min(work.batch, len(stored))
    begun = [dataclasses.replace(step, batch=batch) for step in stored]
    again = [dataclasses.replace(step, blob=None) for step in begun]
    sample_bytes = 2 * (plain.network.input_size + plain.network.targets)
    return Comparison(
        task=model.name,
        samples=len(support),
        passes=work.passes,
        batch=batch,
        tiny_reptile=_cost(plain, stream, sample_bytes),
        batch_reptile=_cost(summing, [*begun, *again * (work.passes - 1)], sample_bytes * len(support)),
    )


def _cost(layout: Plan, steps: list[Step], samples_bytes: int) -> Cost:
    """Counted, after a look at whether the right thing was computed. A rest at the end is not applied: none has one."""
    records = board.run(layout, steps, counted=True)
    wrong = mismatches(layout, run(NativeEngine(layout), steps), [outcome for _, outcome in records])
    if wrong:
        raise ToolError(f"the emulated board computes other bits than this machine: {wrong[0]}.")
    counts: list[Counts] = [count for count, _ in records]
    variables = board.footprint(layout).ram_bytes
    stack = max(count.train_stack_bytes for count in counts)
    instructions = sum(count.train_instructions for count in counts)
    return Cost(instructions, layout.blob_bytes + variables + stack + samples_bytes, samples_bytes)
