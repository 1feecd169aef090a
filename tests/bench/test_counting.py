"""The counter counts instructions exactly, and the baseline is the known one."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest

from jaragua_bench.emulated import emulator, toolchain
from jaragua_bench.steps import float32
from jaragua_compiler import initial_weights
from jaragua_compiler.planning.plan import Plan

pytestmark = pytest.mark.board

LOOP_PROGRAM = """
#include "bench_board.h"
int main(void)
{
    uint32_t counts[2];
    uint32_t rounds = 1000;
    bench_board_open();
    const uint32_t before = bench_board_ticks();
    __asm__ volatile("1: nop\\n nop\\n nop\\n subs %0, #1\\n bne 1b" : "+r"(rounds) : : "cc");
    const uint32_t between = bench_board_ticks();
    const uint32_t after = bench_board_ticks();
    counts[0] = bench_board_instructions(before, between);
    counts[1] = bench_board_instructions(between, after);
    bench_board_write(counts, sizeof counts);
    return BENCH_EXIT_OK;
}
"""

#: Instructions a step of the plain loops the engine was to be compared with from the start, at their best.
KNOWN_FLOAT32 = {"mean_squared_error": 15057, "softmax_cross_entropy": 23637}


def test_a_loop_of_known_length_is_counted_exactly_and_nothing_counts_as_nothing(tmp_path: Path) -> None:
    main = tmp_path / "main.c"
    main.write_text(LOOP_PROGRAM)
    bench = toolchain.bench_folder()
    flags = toolchain.c_flags(toolchain.CORTEX_M4)
    elf = toolchain.build(toolchain.Program((bench / "bench_board.c", main), (bench,), flags))
    loop, nothing = struct.unpack("<II", emulator.run(elf, b"", counted=True))
    assert nothing == 0
    assert loop == pytest.approx(5000, abs=2)


def test_the_float32_baseline_is_within_two_percent_of_the_known_one(network_plan: Plan) -> None:
    network = network_plan.network
    random = np.random.default_rng(1)
    x = random.uniform(-1, 1, (10, network.input_size)).astype(np.float32)
    targets = np.ones((10, 1), dtype=np.float32)
    figures = float32.measure(network, initial_weights(network, 1), x, targets, 0.01)
    assert figures.instructions == pytest.approx(KNOWN_FLOAT32[network.loss], rel=0.02)


def test_the_float32_baseline_learns(network_plan: Plan) -> None:
    """What is counted is a real training step: on one repeated sample the loss falls."""
    network = network_plan.network
    x = np.full((20, network.input_size), 0.5, dtype=np.float32)
    targets = np.ones((20, 1), dtype=np.float32)
    losses = float32.measure(network, initial_weights(network, 1), x, targets, 0.05).losses
    assert losses[-1] < 0.5 * losses[0]
