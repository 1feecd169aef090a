"""A program of the bench that cannot do its work says so, instead of leaving figures behind."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from jaragua_bench.emulated import board, emulator, toolchain
from jaragua_bench.emulated.toolchain import ToolError
from jaragua_bench.steps.random_steps import random_steps
from jaragua_bench.steps.steps import Step, run, write_input
from jaragua_compiler import Plan, ReferenceEngine

pytestmark = pytest.mark.board

UNALIGNED_PROGRAM = """
#include "bench_board.h"
int main(void)
{
    static const uint32_t words[2] = {1u, 2u};
    uint32_t value;
    __asm__ volatile("ldr %0, [%1, #0]" : "=l"(value) : "l"((uintptr_t)words + 1u));
    return value == 0x02000000u ? BENCH_EXIT_OK : 1;
}
"""


def test_a_blob_of_another_network_is_refused(mlp_plan: Plan) -> None:
    """A6.1: one changed byte of the architecture id."""
    step = random_steps(mlp_plan, 1, 1)[0]
    blob = bytearray(step.blob or b"")
    blob[8] ^= 1
    with pytest.raises(ToolError, match="code 4: the engine refused a blob"):
        board.run(mlp_plan, [dataclasses.replace(step, blob=bytes(blob))], counted=False)


def test_input_that_ends_early_is_an_error(mlp_plan: Plan) -> None:
    data = write_input(mlp_plan, random_steps(mlp_plan, 1, 2))
    with pytest.raises(ToolError, match="code 2: the program could not read its input"):
        emulator.run(board.build(mlp_plan), data[:-1], counted=False)


def test_counting_changes_no_result(mlp_plan: Plan) -> None:
    """The counted run and the uncounted one give the same bits, and only the first gives counts that mean something."""
    steps: list[Step] = random_steps(mlp_plan, 1, 5)
    counted = board.run(mlp_plan, steps, counted=True)
    blobs = [outcome.blob for outcome in run(ReferenceEngine(mlp_plan), steps)]
    assert [outcome.blob for _, outcome in counted] == blobs
    assert all(0 < counts.forward_instructions < counts.train_instructions for counts, _ in counted)


def test_the_stack_of_a_step_is_seen(mlp_plan: Plan) -> None:
    (counts, _), *_ = board.run(mlp_plan, random_steps(mlp_plan, 1, 1), counted=False)
    assert 0 < counts.forward_stack_bytes <= counts.train_stack_bytes < 1024


def test_a_cortex_m0_faults_where_a_cortex_m4_does_not(tmp_path: Path) -> None:
    """The portable kernels run on a core without the larger one's leniency: an unaligned load is a fault there."""
    main = tmp_path / "main.c"
    main.write_text(UNALIGNED_PROGRAM)
    bench, flags = toolchain.bench_folder(), toolchain.c_flags(toolchain.CORTEX_M0PLUS)
    elf = toolchain.build(toolchain.Program((bench / "bench_board.c", main), (bench,), flags))
    with pytest.raises(ToolError, match="code 99: the processor took a fault"):
        emulator.run(elf, b"", counted=False, core=toolchain.CORTEX_M0PLUS)
    with pytest.raises(FileNotFoundError):  # it ends well, and wrote nothing
        emulator.run(elf, b"", counted=False, core=toolchain.CORTEX_M4)
