"""Counts training steps of every build of the zoo on the emulated cores, and writes figures.json (S3.5).

python -m jaragua.semantics.models.measure [MODEL …]        # `make model-figures`
python -m jaragua.semantics.models.measure --missing         # those only that are new
python -m jaragua.semantics.models.measure --check [MODEL …] # `make test-model-figures`: count again and compare
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Final

from jaragua.semantics.models.builds import Build, BuildKey, Counted, Timing, build_plan, builds_of
from jaragua.semantics.models.description import multiply_accumulates
from jaragua.semantics.models.figures import PATH, Figures, read_figures, write_figures
from jaragua_bench.emulated import board, toolchain
from jaragua_bench.emulated.cycles import TIMED_AS, cycles_of
from jaragua_bench.emulated.toolchain import ToolError
from jaragua_bench.steps.steps import Step, write_input
from jaragua_bench.workload import SEED, meta_train, task_steps
from jaragua_compiler.errors import CompileError
from jaragua_compiler.graph.initial_weights import Weights
from jaragua_compiler.planning.plan import Plan, plan
from jaragua_compiler.quantisation.blob import pack
from jaragua_compiler.quantisation.exponents import calibrate
from jaragua_compiler.quantisation.freeze import freeze
from jaragua_models import Model, ModelError, get, names

ROUNDS: Final = 20  # of meta-training the start: no weights of a device are random
_MOST_SAMPLES: Final = 100  # of those that formats are made for
_MOST_STEPS: Final = 10  # of a large network
_MANY_OPERATIONS: Final = 1_000_000
_TRACED_STEPS: Final = 3  # whose cycles are added up
_MOST_TRACED: Final = 3_000_000  # instructions of a step: every one of them is a line of a log
_COUNTER_INSTRUCTIONS: Final = 2**32 * 5 // 8  # that the emulated board's counter tells apart
_EMULATED_RAM_BYTES: Final = 262_144 - 16_384  # without the stack of the bench's programs


def statement(model: Model) -> str:
    """What the counted steps are, in one sentence (S3.5)."""
    usual = model.defaults
    first = f"the first {_MOST_STEPS} steps of " if _is_large(model) else ""
    task = f"held-out task {SEED} of {model.name}, {usual.ways} ways, {usual.shots} shots"
    return f"{first}one pass over the support set of {task}; start: {ROUNDS} rounds of TinyReptile, seed {SEED}"


def start_of(model: Model) -> Weights:
    """The weights from which steps are counted: the same in every arithmetic."""
    usual = model.defaults
    short = replace(model, defaults=replace(usual, rounds=ROUNDS))
    return meta_train(short, plan(model.network))


def linked_plan(model: Model, key: BuildKey, start: Weights) -> tuple[Plan, bytes]:
    """A build with its frozen weights, and the blob it starts with."""
    samples = model.tasks.calibration().astype(float)
    samples = samples[:: max(1, len(samples) // _MOST_SAMPLES)]
    compiled = freeze(build_plan(model.network, key), start, samples)
    return compiled, pack(compiled, start, calibrate(compiled, start, samples))


def steps_of(model: Model, compiled: Plan, blob: bytes) -> list[Step]:
    """The steps of the statement."""
    usual = model.defaults
    task = model.tasks.held_out_task(SEED, usual.ways, usual.shots, usual.ways)
    steps = task_steps(compiled, blob, task.support, usual.learning_rate)
    return steps[:_MOST_STEPS] if _is_large(model) else steps


def _is_large(model: Model) -> bool:
    return sum(map(multiply_accumulates, plan(model.network).steps)) > _MANY_OPERATIONS


def compilers() -> str:
    """The compilers that builds were counted with."""
    return ", ".join(toolchain.compiler_version(core) for core in (toolchain.CORTEX_M4, toolchain.RV32))


def count(model: Model, build: Build, start: Weights) -> Counted | None:
    """Count the steps of one build; None if the emulated board has not the memory for it. Raises ToolError."""
    if build.training_ram_bytes - build.stack_bytes_at_most > _EMULATED_RAM_BYTES:
        return None
    compiled, blob = linked_plan(model, build.key, start)
    records = board.run(compiled, steps_of(model, compiled, blob), core=build.key.core, counted=True)
    counts = [one for one, _ in records]
    if sum(one.train_instructions + one.forward_instructions for one in counts) >= _COUNTER_INSTRUCTIONS:
        raise ToolError(f"{model.name}:{build.key}: more instructions than the counter of the emulated board holds")
    trained = [one.train_instructions for one in counts]
    mean = round(sum(trained) / len(trained))
    return Counted(
        instructions=mean,
        instructions_worst=max(trained),
        forward_instructions=round(sum(one.forward_instructions for one in counts) / len(counts)),
        stack_bytes=max(max(one.train_stack_bytes, one.forward_stack_bytes) for one in counts),
        steps=len(counts),
        timings=timings(model, build.key, compiled, blob) if mean <= _MOST_TRACED else (),
    )


def timings(model: Model, key: BuildKey, compiled: Plan, blob: bytes) -> tuple[Timing, ...]:
    """Cycles per instruction of the first steps, from the classes of their instructions (S6.1)."""
    steps = steps_of(model, compiled, blob)[: 1 if _is_large(model) else _TRACED_STEPS]
    core = key.core
    if core not in TIMED_AS:
        return ()
    found = cycles_of(board.build(compiled, core), write_input(compiled, steps), core, "jrg_model_train")
    return tuple(
        Timing(timed, round(one.low / one.instructions, 4), round(one.high / one.instructions, 4))
        for timed, one in sorted(found.items())
    )


def static_ram(model: Model, key: BuildKey, start: Weights) -> int:
    """Static RAM of the linked image, from its symbols (S3.3)."""
    return board.variables(linked_plan(model, key, start)[0], key.core)


def differences(model: Model, build: Build, start: Weights, stored: Counted | None) -> Iterator[str]:
    """Where a build's description is not what the linked and emulated image says: sentences, none if it is right."""
    name = f"{model.name}:{build.key}"
    linked = static_ram(model, build.key, start)
    if linked != build.static_ram_bytes:
        yield f"{name}: {build.static_ram_bytes} bytes of static RAM predicted, the linked image has {linked}"
    found = count(model, build, start)
    if found != stored:
        yield f"{name}: {stored} described, counted {found}"
    if found is not None and found.stack_bytes > build.stack_bytes_at_most:
        yield f"{name}: {found.stack_bytes} bytes of stack, at most {build.stack_bytes_at_most} predicted"


def main(arguments: Sequence[str] | None = None) -> int:
    """Count, and write or compare; returns the process's exit code."""
    parser = argparse.ArgumentParser(description="Training steps of the zoo's builds on the emulated cores.")
    parser.add_argument("models", nargs="*", help="models of the zoo; default: all")
    parser.add_argument("--check", action="store_true", help="compare with the figures there are")
    parser.add_argument("--missing", action="store_true", help="count builds only that have no figures")
    options = parser.parse_args(arguments)
    toolchain.require_tools(toolchain.CORES)
    found = read_figures()
    wrong: list[str] = []
    for name in options.models or names():
        model = get(name)
        builds = [one for one in builds_of(model.network) if not (options.missing and found.counted(name, one.key))]
        start = start_of(model) if builds else []
        for build in builds:
            if options.check:
                different = list(differences(model, build, start, found.counted(name, build.key)))
                wrong += different
                print(f"{name}:{build.key}", "wrong" if different else "right", flush=True)
            else:
                found = found.with_count(name, build.key, count(model, build, start), statement(model))
                print(f"{name}:{build.key}", found.counted(name, build.key), flush=True)
                write_figures(Figures(compilers(), found.counts, found.samples), PATH)
    print("\n".join(wrong) or "all right", file=sys.stderr if wrong else sys.stdout)
    return 1 if wrong else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (ToolError, CompileError, ModelError) as error:  # a model's data may be missing, too
        sys.exit(str(error))
