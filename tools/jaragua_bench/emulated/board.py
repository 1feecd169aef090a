"""The engine as the board runs it: emit a network's C, link it with the bench, run steps on the emulated Cortex-M4."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from jaragua_bench.emulated import emulator, toolchain
from jaragua_bench.emulated.footprint import Sizes, sizes
from jaragua_bench.emulated.footprint import variables as footprint_variables
from jaragua_bench.emulated.sections import OperatorCount, marked, operator_counts
from jaragua_bench.steps import prototype_calls
from jaragua_bench.steps.steps import Counts, Outcome, Step, read_output, write_input
from jaragua_compiler.codegen.emitter import SOURCE_NAME, emit
from jaragua_compiler.engines.native import kernel_folder
from jaragua_compiler.planning.plan import Plan

# The calls a node makes (docs/design/architecture.md); rooted by hand so that the footprint holds all of the engine.
_INTERFACE = (
    "jrg_model",
    "jrg_model_check",
    "jrg_model_bind",
    "jrg_model_set_rate",
    "jrg_model_set_seed",
    "jrg_model_set_accumulation",
    "jrg_model_set_clip",
    "jrg_model_set_loss_threshold",
    "jrg_model_apply",
    "jrg_model_input",
    "jrg_model_forward",
    "jrg_model_evaluate",
    "jrg_model_train",
    "jrg_model_loss_exponent",
)


def build(plan: Plan, core: str = toolchain.CORTEX_M4) -> Path:
    """Build the program that runs steps, with the product's flags for `core`; returns its ELF."""
    return _build(plan, core, "bench_engine.c")


def run(
    plan: Plan, steps: Sequence[Step], *, core: str = toolchain.CORTEX_M4, counted: bool
) -> list[tuple[Counts, Outcome]]:
    """Do the steps on the emulated board; `counted` says whether the instructions in Counts mean anything."""
    data = emulator.run(build(plan, core), write_input(plan, steps), counted=counted, core=core)
    return read_output(plan, data)


def run_prototypes(
    plan: Plan, calls: prototype_calls.Calls, *, core: str = toolchain.CORTEX_M4, counted: bool
) -> prototype_calls.Outcome:
    """Make the calls on the emulated board. plan: with prototypes (A12)."""
    elf = _build(plan, core, "bench_prototypes.c")
    data = emulator.run(elf, prototype_calls.write_input(plan, calls), counted=counted, core=core)
    return prototype_calls.read_output(plan, calls, data)


def run_marked(plan: Plan, steps: Sequence[Step], counts: Sequence[Counts]) -> tuple[OperatorCount, ...]:
    """Instructions of each operator in `steps`, which `run` counted as a whole (`counts`)."""
    elf = _build(plan, toolchain.CORTEX_M4, "bench_engine.c", marks=True)
    return operator_counts(plan, emulator.run(elf, write_input(plan, steps), counted=True), counts)


# And of an image with prototypes.
_PROTOTYPES = (
    "jrg_model_enrol",
    "jrg_model_forget",
    "jrg_model_forget_all",
    "jrg_model_enrolled",
    "jrg_model_prototype",
    "jrg_model_recognise",
    "jrg_model_set_rejection",
    "jrg_model_set_temperature",
    "jrg_model_evaluate_prototypes",
    "jrg_model_train_prototypes",
)


def footprint(plan: Plan, core: str = toolchain.CORTEX_M4) -> Sizes:
    """Flash and static RAM of the engine alone: a program that holds all of it, less one that holds none."""
    full = _build(plan, core, "bench_empty.c", rooted=_INTERFACE + (_PROTOTYPES if plan.prototypes else ()))
    empty = _build(plan, core, "bench_empty.c")
    return sizes(full) - sizes(empty)


def variables(plan: Plan, core: str = toolchain.CORTEX_M4) -> int:
    """Static RAM of the engine alone, from the symbols of the linked image: what the plan must say to the byte."""
    return footprint_variables(_build(plan, core, "bench_empty.c", rooted=_INTERFACE), "jrg_model_")


def _build(plan: Plan, core: str, main: str, *, rooted: tuple[str, ...] = (), marks: bool = False) -> Path:
    bench = toolchain.bench_folder()
    with TemporaryDirectory(prefix="jaragua-bench-") as name:
        folder = Path(name)
        emit(plan, folder)
        flags = [*toolchain.c_flags(core), *(f"-Wl,--undefined={symbol}" for symbol in rooted)]
        sources = [bench / "bench_board.c", bench / main, *sorted(folder.glob("*.c"))]
        if marks:
            model = folder / SOURCE_NAME
            model.write_text(marked(model.read_text(encoding="utf-8")), encoding="utf-8")
            flags.append("-DBENCH_MARKS")
            sources.append(bench / "bench_marks.c")
        return toolchain.build(toolchain.Program(tuple(sources), (bench, folder, kernel_folder()), tuple(flags)))
