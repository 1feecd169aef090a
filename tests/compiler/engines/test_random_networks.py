"""Random networks of every layer kind (A3 to A11): the NumPy reference and the native C compute the same bits.

Dense networks, convolutions and graphs, with int16 and int8 weights, frozen layers (A10), and steps of several samples
(A11): differential.py draws them, and compares them on the emulated boards too. The ordinary run draws 20 networks,
JARAGUA_RANDOM_NETWORKS=5000 in the environment that many; JARAGUA_TEST_SEED repeats a run. CI runs 200 on all machines
(`make random-networks`).
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from differential import NATIVE, STEPS, UNOPTIMISED, compare_all, learns_int8_depthwise, random_case

from jaragua_bench.steps.random_steps import random_steps
from jaragua_bench.steps.steps import mismatches, run
from jaragua_compiler import CompileError, Network, ReferenceEngine, plan
from jaragua_compiler.engines.native import NativeEngine
from jaragua_compiler.graph import layers as kinds
from jaragua_compiler.operators.registry import KINDS

NETWORKS = int(os.environ.get("JARAGUA_RANDOM_NETWORKS", "20"))
BATCHES = 20
SEED = int(os.environ.get("JARAGUA_TEST_SEED", "1"))


def _seeds(batch: int) -> list[int]:
    return [1_000_000 * SEED + number for number in range(batch, NETWORKS, BATCHES)]


@pytest.mark.parametrize("batch", range(BATCHES))
def test_a3_to_a11_random_networks_give_the_same_bits(batch: int, engine_cache: Path) -> None:
    machine = NATIVE if batch % 4 == 0 else UNOPTIMISED
    found = [sentence for one in compare_all(_seeds(batch), (machine,), engine_cache) for sentence in one.differences]
    assert not found, f"JARAGUA_TEST_SEED={SEED}: {found}"


def test_the_random_networks_have_every_layer_kind_and_branches() -> None:
    """Of 200, however many are compared: fewer need not have all of it."""
    plans = [random_case(1_000_000 * SEED + number).compiled for number in range(200)]
    layers = [layer for compiled in plans for layer in compiled.network.layers]
    kinds = {type(layer).__name__ for layer in layers}
    activations = {getattr(layer, "activation", "linear") for layer in layers}
    assert {"Conv2D", "DepthwiseConv2D", "MaxPool2D", "AveragePool2D", "GlobalAveragePool2D", "Add", "Dense"} <= kinds
    assert set(KINDS) <= activations
    frozen = [layer for compiled in plans for layer in compiled.layers if not layer.trains]
    assert {(type(layer).__name__, layer.has_backward) for layer in frozen} >= {
        ("DepthwisePlan", True),
        ("DepthwisePlan", False),
        ("ConvPlan", True),
        ("ConvPlan", False),
        ("DensePlan", True),
        ("DensePlan", False),
    }
    assert {compiled.accumulate for compiled in plans if learns_int8_depthwise(compiled)} == {False, True}


BRANCHES = {
    "a dense layer is added to what it reads": Network(
        "net", 5, (kinds.Dense(7, "relu"), kinds.Dense(7), kinds.Add(0, "relu"), kinds.Dense(2))
    ),
    "the input is read three times": Network(
        "net",
        5,
        (kinds.Dense(5, "relu"), kinds.Dense(5, source=-1), kinds.Add(0, "relu"), kinds.Add(-1), kinds.Dense(2)),
    ),
    "a residual block behind a pool": Network(
        "net",
        (8, 8, 3),
        (
            kinds.Conv2D(8),
            kinds.MaxPool2D(),
            kinds.Conv2D(8, padding="same"),
            kinds.Add(1, "relu6"),
            kinds.GlobalAveragePool2D(),
            kinds.Dense(3, "tanh"),
            kinds.Dense(2),
        ),
    ),
    "logits straight from a pool": Network(
        "net", (6, 6, 2), (kinds.DepthwiseConv2D((3, 3)), kinds.Conv2D(3), kinds.GlobalAveragePool2D())
    ),
}


@pytest.mark.parametrize("name", BRANCHES)
def test_a9_7_a_tensor_with_several_readers_gets_all_their_errors(name: str, engine_cache: Path) -> None:
    compiled = plan(BRANCHES[name])
    steps = random_steps(compiled, 7, STEPS)
    expected, got = run(ReferenceEngine(compiled), steps), run(NativeEngine(compiled, engine_cache), steps)
    assert mismatches(compiled, expected, got) == []


def test_a6_1_two_layers_that_read_one_tensor_must_agree_on_its_exponent(engine_cache: Path) -> None:
    compiled = plan(BRANCHES["the input is read three times"])
    blob = bytearray(random_steps(compiled, 1, 1)[0].blob or b"")
    blob[compiled.slot_offset(1)] ^= 1
    with pytest.raises(CompileError, match="read one tensor under different exponents"):
        ReferenceEngine(compiled).load(bytes(blob))
    assert NativeEngine(compiled, engine_cache).check(bytes(blob)) != 0
