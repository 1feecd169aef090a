"""TinyReptile against batch Reptile on the board: what a device's work of one round costs, by the size of its task.

TinyReptile goes once through a stream and keeps one sample. Batch Reptile goes through a support set (which it keeps,
if it does so more than once), and moves the weights by the mean of several samples' steps: its image has sums (A11.1).
Which work of the two learns equally well is what `make reptile-search` finds by simulations (docs/benchmarks.md).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from importlib.resources import files
from typing import Any

from jaragua_compiler.bench import board
from jaragua_compiler.bench.steps import Counts, Step, mismatches, run
from jaragua_compiler.bench.toolchain import ToolError, require_tools
from jaragua_compiler.bench.workload import meta_train, packed, task_steps
from jaragua_compiler.native import NativeEngine
from jaragua_compiler.plan import Plan, plan
from jaragua_models import get

TASK_SEED = 40
CASES_NAME = "batch_cases.json"  # in this package, written by `make reptile-search`
_ROUNDS_MOST = 100  # of meta-training the start: what matters is the part of dead rows


@dataclass(frozen=True)
class Work:
    """What batch Reptile does in one round."""

    passes: int
    batch: int
    learning_rate: float


@dataclass(frozen=True)
class Case:
    """Works to compare with TinyReptile at `stream_rate`, on support sets of so many shots (of each way)."""

    shots: int
    stream_rate: float
    works: tuple[Work, ...]


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


def cases() -> dict[str, list[Case]]:
    """What was found, by tasks: the cheapest batch Reptile first, then single passes that keep nothing."""
    found = json.loads(files("jaragua_compiler.bench").joinpath(CASES_NAME).read_text(encoding="utf-8"))
    return {task: [_case(**case) for case in of_task] for task, of_task in found.items()}


def cases_text(found: Mapping[str, Sequence[Case]]) -> str:
    """The file that `cases` reads."""
    return json.dumps({task: [asdict(case) for case in of_task] for task, of_task in found.items()}, indent=1) + "\n"


def compare(name: str, wanted: Sequence[Case]) -> Iterator[Comparison]:
    """Both on the same tasks from the same start, counted on the emulated Cortex-M4: each case's works in their order.

    Raises ToolError without the tools.
    """
    require_tools()
    model = get(name)
    defaults = model.defaults
    short = replace(defaults, rounds=min(_ROUNDS_MOST, defaults.rounds), training_passes=1)
    plain, summing = plan(model.network), plan(model.network, accumulate=True)
    blob = packed(model, plain, meta_train(replace(model, defaults=short), plain))
    for case in wanted:
        support = model.tasks.held_out_task(TASK_SEED, defaults.ways, case.shots, defaults.ways).support
        sample_bytes = 2 * (plain.network.input_size + plain.network.targets)
        stream = _cost(plain, task_steps(plain, blob, support, case.stream_rate), sample_bytes)
        for work in case.works:
            steps = _batch_steps(work, task_steps(summing, blob, support, work.learning_rate))
            kept = len(support) if work.passes > 1 else 1
            batch = _cost(summing, steps, sample_bytes * kept)
            yield Comparison(name, len(support), work.passes, min(work.batch, len(support)), stream, batch)


def _case(shots: int, stream_rate: float, works: list[dict[str, Any]]) -> Case:
    return Case(shots, stream_rate, tuple(Work(**work) for work in works))


def _batch_steps(work: Work, once: list[Step]) -> list[Step]:
    """All passes over the samples; what a step's size leaves over is a step of its own (A11.5)."""
    first_pass = [replace(step, batch=min(work.batch, len(once))) for step in once]
    first_pass[-1] = replace(first_pass[-1], flush=True)
    again = [replace(step, blob=None) for step in first_pass]
    return [*first_pass, *again * (work.passes - 1)]


def _cost(layout: Plan, steps: list[Step], samples_bytes: int) -> Cost:
    """Counted, after a look at whether the right thing was computed."""
    records = board.run(layout, steps, counted=True)
    wrong = mismatches(layout, run(NativeEngine(layout), steps), [outcome for _, outcome in records])
    if wrong:
        raise ToolError(f"the emulated board computes other bits than this machine: {wrong[0]}.")
    counts: list[Counts] = [count for count, _ in records]
    variables = board.footprint(layout).ram_bytes
    stack = max(count.train_stack_bytes for count in counts)
    instructions = sum(count.train_instructions for count in counts)
    return Cost(instructions, layout.blob_bytes + variables + stack + samples_bytes, samples_bytes)
