"""Networks on images on the emulated cores: Cortex-M4 with its DSP instructions, Cortex-M0+ with portable kernels."""

from __future__ import annotations

from dataclasses import replace

import pytest
from image_networks import CNN, DEPTHWISE, EIGHTS, ONE_CHANNEL

from jaragua_bench.emulated import board, toolchain
from jaragua_bench.examples import MOBILE, RESIDUAL
from jaragua_bench.steps.random_steps import random_steps
from jaragua_bench.steps.steps import mismatches, run
from jaragua_compiler import Conv2D, Dense, Flatten, Network, ReferenceEngine, plan
from jaragua_compiler.graph.layers import WeightFormat
from long_form import paired

pytestmark = pytest.mark.board

SHAPES = {
    "the CNN of the bench": CNN,
    "one channel": ONE_CHANNEL,
    "channels in eights": EIGHTS,
    "depthwise": DEPTHWISE,
    "depthwise, int8 weights (A8.7)": replace(DEPTHWISE, weights="w8"),
    "more inputs than 32 bits hold": Network(
        "net", (5, 5, 40), (Conv2D(9, padding="same", activation="relu"), Conv2D(8), Flatten(), Dense(2))
    ),
    "odd channels": Network("net", (7, 6, 3), (Conv2D(5, (2, 3), activation="relu"), Conv2D(3), Flatten(), Dense(3))),
    "eight channels and an edge on every side": Network(
        "net",
        (5, 7, 8),
        (Conv2D(16, (3, 3), (1, 2), "same", "relu"), Conv2D(8, (5, 5), padding="same"), Flatten(), Dense(2)),
    ),
}


def _compare(network: Network, seed: int, core: str) -> None:
    compiled = plan(network)
    steps = random_steps(compiled, seed, 40)
    outcomes = [outcome for _, outcome in board.run(compiled, steps, core=core, counted=False)]
    found = mismatches(compiled, run(ReferenceEngine(compiled), steps), outcomes)
    assert not found, f"seed {seed}, network {network}: {found[0]}"


@pytest.mark.parametrize(("shape", "core"), paired(SHAPES, toolchain.ARM_CORES))
def test_a7_convolutions_of_any_shape_give_the_same_bits_on_the_board(shape: str, core: str) -> None:
    _compare(SHAPES[shape], 11, core)


EXAMPLES = {"mobile": MOBILE, "residual": RESIDUAL}


@pytest.mark.parametrize(("name", "weights"), paired(EXAMPLES, ["w16", "w8"]))
def test_a9_the_examples_of_the_bench_give_the_same_bits_on_the_board(name: str, weights: WeightFormat) -> None:
    _compare(replace(EXAMPLES[name], weights=weights), 5, toolchain.CORTEX_M4)
