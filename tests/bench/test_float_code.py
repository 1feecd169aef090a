"""The training path holds no floating point: seen from the linked ELF, for both cores."""

from __future__ import annotations

from pathlib import Path

import pytest

from jaragua_bench.emulated import board, toolchain
from jaragua_bench.emulated.float_code import float_code
from jaragua_compiler.planning.plan import Plan

FLOAT_PROGRAM = """
#include "bench_board.h"
int main(void)
{
    volatile int count = 3;
    volatile float half = 0.5f;
    return (int)((float)count * half);
}
"""


@pytest.mark.parametrize("core", toolchain.ARM_CORES)
def test_the_engine_has_no_float_instruction_and_no_soft_float_symbol(network_plan: Plan, core: str) -> None:
    assert float_code(board.build(network_plan, core)) == []


def build_float_program(folder: Path, flags: tuple[str, ...]) -> Path:
    main = folder / "main.c"
    main.write_text(FLOAT_PROGRAM)
    bench = toolchain.bench_folder()
    return toolchain.build(toolchain.Program((bench / "bench_board.c", main), (bench,), flags))


def test_a_soft_float_call_is_found(tmp_path: Path) -> None:
    found = float_code(build_float_program(tmp_path, toolchain.c_flags(toolchain.CORTEX_M4)))
    assert "soft-float symbol __aeabi_fmul" in found


def test_a_float_instruction_is_found(tmp_path: Path) -> None:
    flags = ("-mcpu=cortex-m4", "-mthumb", "-mfpu=fpv4-sp-d16", "-mfloat-abi=hard", "-O1")
    assert any(
        line.startswith("float instruction vmul.f32") for line in float_code(build_float_program(tmp_path, flags))
    )
