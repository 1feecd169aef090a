"""Random networks of every layer kind (A3 to A11): the NumPy reference and the native C compute the same bits.

Every second network has sums, and steps of several samples (A11), and about every second one frozen layers (A10). The
ordinary run draws 200 networks, JARAGUA_RANDOM_NETWORKS=5000 in the environment that many; JARAGUA_TEST_SEED repeats
a run.
"""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from image_networks import random_graph_network
from random_cases import random_frozen, with_sums

from jaragua_compiler import CompileError, Network, Plan, ReferenceEngine, plan
from jaragua_compiler.bench.random_steps import random_steps
from jaragua_compiler.bench.steps import mismatches, run
from jaragua_compiler.layers import Add, Conv2D, Dense, DepthwiseConv2D, GlobalAveragePool2D, MaxPool2D
from jaragua_compiler.native import NativeEngine, build_library

NETWORKS = int(os.environ.get("JARAGUA_RANDOM_NETWORKS", "200"))
BATCHES = 20
STEPS = 24
SEED = int(os.environ.get("JARAGUA_TEST_SEED", "1"))


def _random_plan(seed: int) -> Plan:
    """A random network; of every second one any layers are frozen."""
    generator = np.random.default_rng(seed)
    network = random_graph_network(generator)
    compiled = random_frozen(generator, network) if generator.random() < 0.5 else plan(network)
    return replace(compiled, accumulate=_accumulates(seed))


def _compare(compiled: Plan, seed: int, cache: Path) -> None:
    steps = random_steps(compiled, seed, STEPS)
    if compiled.accumulate:
        steps = with_sums(np.random.default_rng(seed), steps)
    found = mismatches(compiled, run(ReferenceEngine(compiled), steps), run(NativeEngine(compiled, cache), steps))
    assert not found, f"JARAGUA_TEST_SEED={SEED}, network {seed}: {compiled.network}: {found[0]}"


def _accumulates(seed: int) -> bool:
    return seed // BATCHES % 2 == 1


@pytest.mark.parametrize("batch", range(BATCHES))
def test_a3_to_a11_random_networks_give_the_same_bits(batch: int, engine_cache: Path) -> None:
    seeds = [1_000_000 * SEED + number for number in range(batch, NETWORKS, BATCHES)]
    plans = [_random_plan(seed) for seed in seeds]
    # The C compiler takes most of the time: all cores build the batch's engines before they are compared.
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        list(pool.map(lambda compiled: build_library(compiled, engine_cache), plans))
    for compiled, seed in zip(plans, seeds, strict=True):
        _compare(compiled, seed, engine_cache)


def test_the_random_networks_have_every_layer_kind_and_branches() -> None:
    plans = [_random_plan(1_000_000 * SEED + number) for number in range(NETWORKS)]
    layers = [layer for compiled in plans for layer in compiled.network.layers]
    kinds = {type(layer).__name__ for layer in layers}
    activations = {getattr(layer, "activation", "linear") for layer in layers}
    assert {"Conv2D", "DepthwiseConv2D", "MaxPool2D", "AveragePool2D", "GlobalAveragePool2D", "Add", "Dense"} <= kinds
    assert {"linear", "relu", "relu6", "leaky_relu", "tanh"} <= activations
    frozen = [layer for compiled in plans for layer in compiled.layers if not layer.trains]
    assert {(type(layer).__name__, layer.has_backward) for layer in frozen} >= {
        ("DepthwisePlan", True),
        ("DepthwisePlan", False),
        ("ConvPlan", True),
        ("ConvPlan", False),
        ("DensePlan", True),
        ("DensePlan", False),
    }


BRANCHES = {
    "a dense layer is added to what it reads": Network(
        "net", 5, (Dense(7, "relu"), Dense(7), Add(0, "relu"), Dense(2))
    ),
    "the input is read three times": Network(
        "net", 5, (Dense(5, "relu"), Dense(5, source=-1), Add(0, "relu"), Add(-1), Dense(2))
    ),
    "a residual block behind a pool": Network(
        "net",
        (8, 8, 3),
        (
            Conv2D(8),
            MaxPool2D(),
            Conv2D(8, padding="same"),
            Add(1, "relu6"),
            GlobalAveragePool2D(),
            Dense(3, "tanh"),
            Dense(2),
        ),
    ),
    "logits straight from a pool": Network(
        "net", (6, 6, 2), (DepthwiseConv2D((3, 3)), Conv2D(3), GlobalAveragePool2D())
    ),
}


@pytest.mark.parametrize("name", BRANCHES)
def test_a9_7_a_tensor_with_several_readers_gets_all_their_errors(name: str, engine_cache: Path) -> None:
    _compare(plan(BRANCHES[name]), 7, engine_cache)


def test_a6_1_two_layers_that_read_one_tensor_must_agree_on_its_exponent(engine_cache: Path) -> None:
    compiled = plan(BRANCHES["the input is read three times"])
    blob = bytearray(random_steps(compiled, 1, 1)[0].blob or b"")
    blob[compiled.slot_offset(1)] ^= 1
    with pytest.raises(CompileError, match="read one tensor under different exponents"):
        ReferenceEngine(compiled).load(bytes(blob))
    assert NativeEngine(compiled, engine_cache).check(bytes(blob)) != 0
