"""TinyReptile against batch Reptile on the board: what a device's work of one round costs, by the size of its task.

TinyReptile takes a step a sample, batch Reptile one of the mean of several samples' steps: its image has sums (A11.1).
Whoever goes through the support set more than once keeps it; a single pass, as of a stream, keeps one sample.
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
    """What a device does in one round: passes over its support set, and samples a step."""

    passes: int
    batch: int
    learning_rate: float


@dataclass(frozen=True)
class Case:
    """Works to compare with TinyReptile's (a sample a step), on support sets of so many shots (of each way)."""

    shots: int
    stream: Work
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
    tiny_passes: int
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
        stream = _cost(plain, case.stream, task_steps(plain, blob, support, case.stream.learning_rate))
        for work in case.works:
            batch = _cost(summing, work, task_steps(summing, blob, support, work.learning_rate))
            used = min(work.batch, len(support))
            yield Comparison(name, len(support), case.stream.passes, work.passes, used, stream, batch)


def _case(shots: int, stream: dict[str, Any], works: list[dict[str, Any]]) -> Case:
    return Case(shots, Work(**stream), tuple(Work(**work) for work in works))


def _all_steps(work: Work, once: list[Step]) -> list[Step]:
    """All passes over the samples; what a step's size leaves over is a step of its own (A11.5)."""
    first_pass = [replace(step, batch=min(work.batch, len(once))) for step in once]
    if work.batch > 1:
        first_pass[-1] = replace(first_pass[-1], flush=True)
    again = [replace(step, blob=None) for step in first_pass]
    return [*first_pass, *again * (work.passes - 1)]


def _cost(layout: Plan, work: Work, once: list[Step]) -> Cost:
    """Counted, after a look at whether the right thing was computed. `once`: the support set as a step a sample."""
    steps = _all_steps(work, once)
    records = board.run(layout, steps, counted=True)
    wrong = mismatches(layout, run(NativeEngine(layout), steps), [outcome for _, outcome in records])
    if wrong:
        raise ToolError(f"the emulated board computes other bits than this machine: {wrong[0]}.")
    counts: list[Counts] = [count for count, _ in records]
    variables = board.footprint(layout).ram_bytes
    stack = max(count.train_stack_bytes for count in counts)
    instructions = sum(count.train_instructions for count in counts)
    sample_bytes = 2 * (layout.network.input_size + layout.network.targets)
    samples_bytes = sample_bytes * (len(once) if work.passes > 1 else 1)
    return Cost(instructions, layout.blob_bytes + variables + stack + samples_bytes, samples_bytes)
