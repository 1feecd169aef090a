"""TinyReptile against batch Reptile on the board: what a device's work of one round costs, by the size of its task.

TinyReptile takes a step a sample, batch Reptile one of the mean of several samples' steps: its image has sums (A11.1).
Whoever goes through the support set more than once keeps it, or as much of it as the work's replay buffer has room for;
a single pass, as of a stream, keeps one sample. The inputs of the sample at hand are in the engine's own buffer.
Which work of the two learns equally well is what `make reptile-search` finds by simulations (benchmarks.md).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from importlib.resources import files
from typing import Any

from jaragua_bench.emulated import board
from jaragua_bench.emulated.toolchain import ToolError, require_tools
from jaragua_bench.steps.steps import Counts, Outcome, Step, mismatches, run
from jaragua_bench.workload import meta_train, packed, task_steps
from jaragua_compiler.engines.native import NativeEngine
from jaragua_compiler.engines.replay_order import replay_order
from jaragua_compiler.planning.plan import Plan, plan
from jaragua_compiler.quantisation.blob import exponents, quantise_loss_threshold
from jaragua_models import Model, Samples, get

TASK_SEED = 40
TASKS = 20  # held-out tasks whose mean is counted
CASES_NAME = "batch_cases.json"  # in this package, written by `make reptile-search`


@dataclass(frozen=True)
class Work:
    """What a device does in one round: passes over its support set, and samples a step.

    loss_threshold: A11.8; 0 disables. replay_buffer_size: samples it holds (`replay_order`); 0:
    all.
    """

    passes: int
    batch: int
    learning_rate: float
    loss_threshold: float = 0.0
    replay_buffer_size: int = 0

    def held(self, samples: int) -> int:
        """How many of a support set's samples the device holds."""
        return 1 if self.passes == 1 else min(self.replay_buffer_size or samples, samples)


@dataclass(frozen=True)
class Case:
    """Works to compare with TinyReptile's (a sample a step), on support sets of so many shots (of each way).

    rounds: of meta-training in which devices do TinyReptile's work. What they make of it is the start of all works:
    which rows have a zero gradient, and what is known already, depends on it.
    """

    shots: int
    stream: Work
    works: tuple[Work, ...]
    rounds: int


@dataclass(frozen=True)
class Cost:
    """Of one device in one round. RAM: weights, variables (sums included), stack, and the samples it holds.

    instructions: mean of TASKS tasks. passed_over: the share of all visits to a sample that taught nothing (A11.8).
    """

    instructions: int
    ram_bytes: int
    samples_bytes: int
    passed_over: float = 0.0


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
    found = json.loads(files("jaragua_bench").joinpath(CASES_NAME).read_text(encoding="utf-8"))
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
    plain, summing = plan(model.network), plan(model.network, accumulate=True)
    for case in wanted:
        blob = _start(model, plain, case)
        tasks = [
            model.tasks.held_out_task(TASK_SEED + number, defaults.ways, case.shots, defaults.ways).support
            for number in range(TASKS)
        ]
        stream, samples = _cost(plain, blob, case.stream, tasks), len(tasks[0])
        for work in case.works:
            batch, used = _cost(summing, blob, work, tasks), min(work.batch, samples)
            yield Comparison(name, samples, case.stream.passes, work.passes, used, stream, batch)


def _case(shots: int, stream: dict[str, Any], works: list[dict[str, Any]], rounds: int) -> Case:
    return Case(shots, Work(**stream), tuple(Work(**work) for work in works), rounds)


def _start(model: Model, layout: Plan, case: Case) -> bytes:
    trained = replace(model, defaults=replace(model.defaults, rounds=case.rounds))
    weights = meta_train(trained, layout, lambda blob, support: _all_steps(layout, blob, case.stream, support))
    return packed(model, layout, weights)


def _all_steps(layout: Plan, blob: bytes, work: Work, support: Samples) -> list[Step]:
    """All visits to the samples of a task; what a step's size leaves over at the end of a pass is a step (A11.5)."""
    samples = len(support)
    least = quantise_loss_threshold(layout, exponents(layout, blob), work.loss_threshold)
    batch = min(work.batch, samples)
    once = [
        replace(step, blob=None, batch=batch, loss_threshold=least)
        for step in task_steps(layout, blob, support, work.learning_rate)
    ]
    if work.batch > 1:
        once[-1] = replace(once[-1], flush=True)
    first, *others = (once[index] for index in replay_order(samples, work.passes, work.replay_buffer_size))
    return [replace(first, blob=blob), *others]


def _cost(layout: Plan, blob: bytes, work: Work, tasks: Sequence[Samples]) -> Cost:
    """Counted, after a look at whether the right thing was computed. `tasks`: support sets of one size."""
    steps = [step for support in tasks for step in _all_steps(layout, blob, work, support)]
    records = board.run(layout, steps, counted=True)
    outcomes = [outcome for _, outcome in records]
    wrong = mismatches(layout, run(NativeEngine(layout), steps), outcomes)
    if wrong:
        raise ToolError(f"the emulated board computes other bits than this machine: {wrong[0]}.")
    counts: list[Counts] = [count for count, _ in records]
    variables = board.footprint(layout).ram_bytes
    stack = max(count.train_stack_bytes for count in counts)
    instructions = round(sum(count.train_instructions for count in counts) / len(tasks))
    samples_bytes = _samples_bytes(layout, work.held(len(tasks[0])))
    ram_bytes = layout.blob_bytes + variables + stack + samples_bytes
    return Cost(instructions, ram_bytes, samples_bytes, _passed_over(steps, outcomes))


def _samples_bytes(layout: Plan, held: int) -> int:
    """Bytes of kept samples, inputs and targets in int16, less the inputs in the engine's own buffer."""
    return 2 * (layout.network.input_size * (held - 1) + layout.network.targets * held)


def _passed_over(steps: Sequence[Step], outcomes: Sequence[Outcome]) -> float:
    pairs = zip(steps, outcomes, strict=True)
    return sum(outcome.result.loss < step.loss_threshold for step, outcome in pairs) / len(steps)
