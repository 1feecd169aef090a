"""The DSP path on the emulated Cortex-M4 computes the reference's bits for odd, wide, deep and narrow networks too.

(1,000 steps of SINE and MLP on the board are the bench's test, random networks test_differential.py's.)
"""

from __future__ import annotations

import numpy as np
import pytest
from random_cases import random_blob, random_sample

from jaragua_bench.emulated import board
from jaragua_bench.steps.steps import Step, mismatches, run
from jaragua_compiler import Dense, Network, Plan, ReferenceEngine, plan

pytestmark = pytest.mark.board

SHAPES = {
    "wide and odd": Network("net", 301, (Dense(67, "relu"), Dense(35), Dense(9, "relu"), Dense(2))),
    "no multiple of four": Network("net", 5, (Dense(3, "relu"), Dense(33, "relu"), Dense(34, "relu"), Dense(7))),
    "as wide as 32 bits hold": Network("net", 256, (Dense(256, "relu"), Dense(3)), "mean_squared_error"),
    "one of everything": Network("net", 1, (Dense(1, "relu"), Dense(1)), "mean_squared_error"),
    "linear inside": Network("net", 10, (Dense(65), Dense(31), Dense(4)), "mean_squared_error"),
    "one layer": Network("net", 65, (Dense(5),)),
}


def _steps(compiled: Plan, seed: int, count: int) -> list[Step]:
    generator = np.random.default_rng(seed)
    steps = []
    for number in range(count):
        x, target, rate = random_sample(generator, compiled)
        steps.append(Step(x, target, rate, random_blob(generator, compiled) if number % 4 == 0 else None))
    return steps


def _compare(network: Network, seed: int, count: int) -> None:
    compiled = plan(network)
    steps = _steps(compiled, seed, count)
    outcomes = [outcome for _, outcome in board.run(compiled, steps, counted=False)]
    found = mismatches(compiled, run(ReferenceEngine(compiled), steps), outcomes)
    assert not found, f"seed {seed}, network {network}: {found[0]}"


@pytest.mark.parametrize("shape", SHAPES)
def test_a3_a5_a_network_of_any_shape_gives_the_same_bits_on_the_board(shape: str) -> None:
    _compare(SHAPES[shape], seed=31, count=40)
