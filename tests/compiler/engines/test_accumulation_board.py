"""Sums of steps and clipping (A11) on the emulated cores: the reference's bits with DSP instructions and without."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from image_networks import CNN, DEPTHWISE, random_graph_network
from random_cases import with_sums

from jaragua_bench.emulated import board, toolchain
from jaragua_bench.steps.random_steps import random_steps
from jaragua_bench.steps.steps import mismatches, run
from jaragua_compiler import Conv2D, Dense, Network, ReferenceEngine, plan

pytestmark = pytest.mark.board

WIDE = Network("net", 301, (Dense(67, "relu"), Dense(35), Dense(9, "relu"), Dense(2)))


def _int8(network: Network) -> Network:
    layers = [replace(layer, weights="w8") if isinstance(layer, Dense | Conv2D) else layer for layer in network.layers]
    return replace(network, layers=tuple(layers), weights="w8")


def _compare(network: Network, seed: int, core: str) -> None:
    compiled = plan(network, accumulate=True)
    steps = with_sums(np.random.default_rng(seed), random_steps(compiled, seed, 24))
    outcomes = [outcome for _, outcome in board.run(compiled, steps, core=core, counted=False)]
    found = mismatches(compiled, run(ReferenceEngine(compiled), steps), outcomes)
    assert not found, f"seed {seed}, network {network}: {found[0]}"


@pytest.mark.parametrize("network", [WIDE, _int8(WIDE), _int8(CNN)], ids=["wide", "wide w8", "cnn w8"])
def test_a11_several_samples_a_step_give_the_same_bits_on_a_cortex_m4(network: Network) -> None:
    _compare(network, 21, toolchain.CORTEX_M4)


@pytest.mark.parametrize("core", toolchain.ARM_CORES)
def test_a11_3_sums_of_int8_depthwise_weights_are_the_same_bits_on_both_cores(core: str) -> None:
    _compare(replace(DEPTHWISE, weights="w8"), 23, core)


def test_a11_a_random_network_gives_the_same_bits_on_both_cores() -> None:
    _compare(random_graph_network(np.random.default_rng(22)), 22, toolchain.CORTEX_M4)
    _compare(random_graph_network(np.random.default_rng(22)), 22, toolchain.CORTEX_M0PLUS)
