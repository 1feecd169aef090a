"""With the documented flags generated C takes no more instructions than with the pragma that it once had."""

from __future__ import annotations

from pathlib import Path

import pytest

from jaragua_bench.emulated import emulator, toolchain
from jaragua_bench.steps.random_steps import random_steps
from jaragua_bench.steps.steps import Step, read_output, write_input
from jaragua_compiler import Network, emit
from jaragua_compiler.codegen.emitter import SOURCE_NAME
from jaragua_compiler.engines.native import kernel_folder
from jaragua_compiler.graph import layers
from jaragua_compiler.planning.plan import Plan, plan

pytestmark = pytest.mark.board

PRAGMA = '#pragma GCC optimize("O2", "no-schedule-insns")\n'
STEPS = 12
LAYERS = (
    layers.Conv2D(8, stride=(2, 2), padding="same", activation="relu"),
    layers.DepthwiseConv2D(padding="same", activation="relu"),
    layers.Conv2D(16, padding="same", activation="tanh"),
    layers.Flatten(),
    layers.Dense(5),
)
NETWORKS = {
    "dense": Network("dense", 64, (layers.Dense(32, "relu"), layers.Dense(10))),
    "images": Network("images", (12, 12, 1), LAYERS),
    "int8": Network("int8", (12, 12, 1), LAYERS, weights="w8"),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_the_documented_flags_take_no_more_instructions_than_the_pragma(name: str, tmp_path: Path) -> None:
    planned = plan(NETWORKS[name])
    steps = random_steps(planned, 1, STEPS)
    documented = instructions(planned, steps, tmp_path / "documented", "")
    assert documented <= instructions(planned, steps, tmp_path / "pragma", PRAGMA)


def instructions(planned: Plan, steps: list[Step], folder: Path, first_line: str) -> int:
    """Instructions of all training steps, of generated C behind a line of one's own."""
    emit(planned, folder)
    source = folder / SOURCE_NAME
    source.write_text(first_line + source.read_text())
    bench = toolchain.bench_folder()
    files = (bench / "bench_board.c", bench / "bench_engine.c", source)
    flags = toolchain.c_flags(toolchain.CORTEX_M4)
    elf = toolchain.build(toolchain.Program(files, (bench, folder, kernel_folder()), flags))
    records = read_output(planned, emulator.run(elf, write_input(planned, steps), counted=True))
    return sum(counts.train_instructions for counts, _ in records)
