"""Promise 2 of the design (A1..A5 of docs/reference/arithmetic.md): every machine computes the same bits.

1,000 random training steps, half from ordinary weights and half over the whole ranges of the formats; after every step
all outputs, the result, all weights and all biases are compared.
"""

from __future__ import annotations

import dataclasses

import pytest

from jaragua_bench.emulated import board, toolchain
from jaragua_bench.steps.random_steps import random_steps
from jaragua_bench.steps.steps import Outcome, Step, mismatches, run
from jaragua_compiler import NativeEngine, ReferenceEngine
from jaragua_compiler.planning.plan import Plan

STEPS = 1000


@pytest.fixture(scope="module")
def steps(network_plan: Plan, run_seed: int) -> list[Step]:
    return random_steps(network_plan, run_seed, STEPS)


@pytest.fixture(autouse=True)
def seed_is_told(seed: int) -> None:
    """Where a test fails."""


@pytest.fixture(scope="module")
def reference(network_plan: Plan, steps: list[Step]) -> list[Outcome]:
    return run(ReferenceEngine(network_plan), steps)


def on_board(plan: Plan, steps: list[Step], core: str) -> list[Outcome]:
    return [outcome for _, outcome in board.run(plan, steps, core=core, counted=False)]


def flip_lowest_bit(blob: bytes, offset: int) -> bytes:
    return blob[:offset] + bytes([blob[offset] ^ 1]) + blob[offset + 1 :]


def test_native_engine_and_reference_agree(network_plan: Plan, steps: list[Step], reference: list[Outcome]) -> None:
    assert mismatches(network_plan, reference, run(NativeEngine(network_plan), steps)) == []


@pytest.mark.board
@pytest.mark.parametrize("core", toolchain.ARM_CORES)
def test_emulated_board_and_reference_agree(
    network_plan: Plan, steps: list[Step], reference: list[Outcome], core: str
) -> None:
    """With the kernels for the DSP instructions (Cortex-M4), and with the portable ones (Cortex-M0+)."""
    assert mismatches(network_plan, reference, on_board(network_plan, steps, core)) == []


@pytest.mark.board
@pytest.mark.parametrize("core", toolchain.ARM_CORES)
def test_sizes_that_fit_no_unrolled_loop_agree_too(awkward_plan: Plan, seed: int, core: str) -> None:
    steps = random_steps(awkward_plan, seed, 200)
    expected = run(ReferenceEngine(awkward_plan), steps)
    assert mismatches(awkward_plan, expected, on_board(awkward_plan, steps, core)) == []


@pytest.mark.board
def test_one_flipped_bit_of_a_weight_is_reported_with_its_step_and_place(mlp_plan: Plan, seed: int) -> None:
    """The comparison can fail: the board starts from weights that differ from the reference's in one bit."""
    steps = random_steps(mlp_plan, seed, 3)
    weight = mlp_plan.layers[1].weights_offset + 2 * (3 * mlp_plan.layers[1].row_elements + 5)
    spoilt = [dataclasses.replace(steps[0], blob=flip_lowest_bit(steps[0].blob or b"", weight)), *steps[1:]]
    found = mismatches(mlp_plan, run(ReferenceEngine(mlp_plan), steps), on_board(mlp_plan, spoilt, toolchain.CORTEX_M4))
    assert found[0].step == 0
    assert "step 0, layer 1 weight [3][5]" in "\n".join(map(str, found))


def test_a_difference_that_appears_late_is_reported_at_its_own_step(mlp_plan: Plan, seed: int) -> None:
    expected = run(ReferenceEngine(mlp_plan), random_steps(mlp_plan, seed, 30))
    blob = flip_lowest_bit(expected[17].blob, mlp_plan.layers[0].biases_offset + 4 * 9)
    got = [*expected[:17], dataclasses.replace(expected[17], blob=blob), *expected[18:]]
    assert [(found.step, found.place) for found in mismatches(mlp_plan, expected, got)] == [(17, "layer 0 bias [9]")]


def test_a_step_that_was_not_done_is_a_mismatch(mlp_plan: Plan, seed: int) -> None:
    expected = run(ReferenceEngine(mlp_plan), random_steps(mlp_plan, seed, 3))
    assert [found.place for found in mismatches(mlp_plan, expected, expected[:2])] == ["steps done"]


def test_random_steps_meet_dead_and_saturated_rows(
    network_plan: Plan, steps: list[Step], reference: list[Outcome]
) -> None:
    """The steps are worth comparing: the weights move, and outputs reach the ends of their range and the middle."""
    outputs = {int(value) for outcome in reference for value in outcome.outputs}
    assert {-(1 << 15), (1 << 15) - 1} <= outputs
    assert len(outputs) > STEPS / 4
    assert len({outcome.blob for outcome in reference}) > STEPS / 2
