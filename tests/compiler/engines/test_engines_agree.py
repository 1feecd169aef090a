"""The NumPy reference and the native C compute the same bits (A1 to A5)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from random_cases import MLP, SINE, random_blob, random_network, random_sample

from jaragua_compiler import NativeEngine, Network, Plan, ReferenceEngine, plan
from jaragua_compiler.quantisation.blob import exponents, pack_integers, unpack_integers


class _Pair:
    """Both engines, driven together and compared in everything they give."""

    def __init__(self, network_plan: Plan, cache: Path) -> None:
        self.plan = network_plan
        self.reference = ReferenceEngine(network_plan)
        self.native = NativeEngine(network_plan, cache)

    def load(self, blob: bytes) -> None:
        for engine in (self.reference, self.native):
            engine.load(blob)

    def step(self, generator: np.random.Generator) -> None:
        x, target, rate = random_sample(generator, self.plan)
        assert np.array_equal(self.reference.forward(x), self.native.forward(x))
        assert self.reference.evaluate(x, target) == self.native.evaluate(x, target)
        assert self.reference.train_step(x, target, rate) == self.native.train_step(x, target, rate)
        assert self.reference.blob() == self.native.blob()


def _steps(pair: _Pair, seed: int, steps: int, steps_per_blob: int) -> None:
    generator = np.random.default_rng(seed)
    for step in range(steps):
        if step % steps_per_blob == 0:
            pair.load(random_blob(generator, pair.plan))
        try:
            pair.step(generator)
        except AssertionError as error:
            raise AssertionError(f"seed {seed}, step {step}, network {pair.plan.network}") from error


@pytest.mark.parametrize("network", [SINE, MLP], ids=lambda network: network.name)
def test_a5_8_a_thousand_random_steps_give_the_same_bits(network: Network, engine_cache: Path) -> None:
    _steps(_Pair(plan(network), engine_cache), seed=20, steps=1000, steps_per_blob=25)


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 2**32 - 1), most=st.sampled_from([3, 40, 300]))
def test_a3_a5_random_networks_give_the_same_bits(seed: int, most: int, engine_cache: Path) -> None:
    network = random_network(np.random.default_rng(seed), most)
    _steps(_Pair(plan(network), engine_cache), seed=seed, steps=24, steps_per_blob=3)


@pytest.mark.parametrize("weight", [-32768, 32767])
@pytest.mark.parametrize("bias", [-(2**30), 2**30 - 1])
@pytest.mark.parametrize("value", [-32768, 32767])
def test_a3_4_accumulators_hold_the_largest_sums(weight: int, bias: int, value: int, engine_cache: Path) -> None:
    network = Network("widest", 256, MLP.layers)
    pair = _Pair(plan(network), engine_cache)
    generator = np.random.default_rng(1)
    found = exponents(pair.plan, random_blob(generator, pair.plan))
    extreme = [(np.full(matrix, weight), np.full(shape, bias)) for matrix, shape in pair.plan.shapes]
    pair.load(pack_integers(pair.plan, extreme, found))
    x = np.full(256, value, dtype=np.int16)
    assert np.array_equal(pair.reference.forward(x), pair.native.forward(x))
    pair.step(generator)


def test_a6_row_padding_stays_zero_through_training(engine_cache: Path) -> None:
    pair = _Pair(plan(Network("odd", 7, (*SINE.layers[:1], *MLP.layers[1:]))), engine_cache)
    _steps(pair, seed=3, steps=30, steps_per_blob=10)
    unpack_integers(pair.plan, pair.native.blob())
