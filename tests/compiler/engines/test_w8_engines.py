"""A8: networks with int8 weights give the same bits on the reference, the native engine and the emulated boards."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from image_networks import DEPTHWISE
from random_cases import random_blob, random_sample

from jaragua_bench.emulated import board, toolchain
from jaragua_bench.steps.random_steps import random_steps
from jaragua_bench.steps.steps import Step, mismatches, run
from jaragua_compiler import NativeEngine, Network, Plan, ReferenceEngine, plan
from jaragua_compiler.graph import layers
from long_form import paired

NETWORKS = {
    "MLP": Network("mlp", 64, (layers.Dense(32, "relu"), layers.Dense(10, weights="w8")), weights="w8"),
    "SINE": Network(
        "sine",
        1,
        (layers.Dense(32, "relu"), layers.Dense(32, "relu"), layers.Dense(1, weights="w8")),
        "mean_squared_error",
        weights="w8",
    ),
    "odd": Network(
        "odd",
        7,
        (layers.Dense(5, "relu"), layers.Dense(3), layers.Dense(9, "relu"), layers.Dense(3, weights="w8")),
        weights="w8",
    ),
    "wide": Network("wide", 1301, (layers.Dense(67, "relu"), layers.Dense(2)), "mean_squared_error", weights="w8"),
    "mixed": Network(
        "mixed", 9, (layers.Dense(6, "relu", weights="w8"), layers.Dense(9, "relu"), layers.Dense(3, weights="w8"))
    ),
    "conv": Network(
        "conv",
        (9, 9, 1),
        (
            layers.Conv2D(8, (3, 3), (2, 2), "same", "relu"),
            layers.Conv2D(6, (3, 3), (2, 2), "same", "relu"),
            layers.Flatten(),
            layers.Dense(5),
        ),
        weights="w8",
    ),
    "odd conv": Network(
        "odd-conv",
        (7, 6, 3),
        (
            layers.Conv2D(5, (3, 2), (1, 2), "same", "relu"),
            layers.Conv2D(4, (3, 3), (2, 2), "valid"),
            layers.Flatten(),
            layers.Dense(5),
        ),
        weights="w8",
    ),
    "depthwise": replace(DEPTHWISE, weights="w8"),
    "depthwise of both formats": Network(
        "depthwise-mixed",
        (7, 6, 3),
        (
            layers.DepthwiseConv2D((3, 2), (1, 2), "same", "relu"),
            layers.DepthwiseConv2D((2, 3), (2, 1), "same", "relu", weights="w8"),
            layers.Flatten(),
            layers.Dense(3),
        ),
    ),
    "conv of both formats": Network(
        "conv-mixed",
        (6, 6, 2),
        (
            layers.Conv2D(4, (3, 3), (1, 1), "same", "relu"),
            layers.Conv2D(8, (2, 2), (2, 2), "valid", "relu", weights="w8"),
            layers.Flatten(),
            layers.Dense(3),
        ),
    ),
}


STEPS = 60  # ordinary ones, and as many wild ones; the seed is another in each run


def _wild_steps(compiled: Plan, seed: int, count: int) -> list[Step]:
    generator = np.random.default_rng(seed)
    steps = []
    for number in range(count):
        x, target, rate = random_sample(generator, compiled)
        blob = random_blob(generator, compiled) if number % 5 == 0 else None
        steps.append(Step(x, target, rate, blob, seed=int(generator.integers(2**32))))
    return steps


def _steps(compiled: Plan, seed: int, count: int) -> list[Step]:
    return [*random_steps(compiled, seed, count), *_wild_steps(compiled, seed, count)]


@pytest.mark.parametrize("name", NETWORKS)
def test_a8_native_engine_and_reference_agree(name: str, engine_cache: Path, seed: int) -> None:
    compiled = plan(NETWORKS[name])
    steps = _steps(compiled, seed, STEPS)
    native = run(NativeEngine(compiled, engine_cache), steps)
    assert mismatches(compiled, run(ReferenceEngine(compiled), steps), native) == []


@pytest.mark.board
@pytest.mark.parametrize(("name", "core"), paired(NETWORKS, toolchain.ARM_CORES))
def test_a8_emulated_board_and_reference_agree(name: str, core: str, seed: int) -> None:
    compiled = plan(NETWORKS[name])
    steps = _steps(compiled, seed, STEPS)
    got = [outcome for _, outcome in board.run(compiled, steps, core=core, counted=False)]
    assert mismatches(compiled, run(ReferenceEngine(compiled), steps), got) == []


def test_a8_5_the_seed_decides_the_dither(engine_cache: Path, seed: int) -> None:
    compiled = plan(NETWORKS["MLP"])
    steps = random_steps(compiled, seed, 20)
    outcomes = []
    for dither in (1, 2, 1):
        again = [Step(step.x, step.target, step.rate, step.blob, seed=dither) for step in steps]
        outcomes.append(run(NativeEngine(compiled, engine_cache), again)[-1].blob)
    assert outcomes[0] == outcomes[2] != outcomes[1]
