"""Convolutions (A7): the NumPy reference against plain loops, and against the native C over random geometries."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from image_networks import CNN, DEPTHWISE, ONE_CHANNEL, random_conv_network
from random_cases import random_blob, random_sample

from jaragua_compiler import CompileError, Conv2D, Dense, Flatten, NativeEngine, Network, ReferenceEngine, plan
from jaragua_compiler.bench.random_steps import random_steps
from jaragua_compiler.bench.steps import mismatches, run
from jaragua_compiler.blob import exponents, unpack_integers
from jaragua_compiler.exponents import layer_scale
from jaragua_compiler.plan import Plan


def _compare(compiled: Plan, seed: int, steps: int, cache: Path) -> None:
    drawn = random_steps(compiled, seed, steps)
    found = mismatches(compiled, run(ReferenceEngine(compiled), drawn), run(NativeEngine(compiled, cache), drawn))
    assert not found, f"seed {seed}, network {compiled.network}: {found[0]}"


def test_a7_1_an_output_is_the_weighted_sum_of_the_patch_under_it() -> None:
    network = Network("net", (5, 4, 2), (Conv2D(2, (3, 2), (2, 1), "same"), Flatten(), Dense(2)))
    compiled = plan(network)
    generator = np.random.default_rng(3)
    blob = random_blob(generator, compiled)
    engine = ReferenceEngine(compiled)
    engine.load(blob)
    x = generator.integers(-500, 500, 40).astype(np.int64)
    weights, biases = unpack_integers(compiled, blob)[0]
    layer = compiled.layers[0]
    scale = layer_scale(compiled, exponents(compiled, blob), layer)
    image = np.zeros((7, 5, 2), dtype=np.int64)  # padding: one row before and one after, one column after
    image[1:6, :4] = x.reshape(5, 4, 2)
    expected = np.zeros((3, 4, 2), dtype=np.int64)
    for row in range(3):
        for column in range(4):
            patch = image[2 * row : 2 * row + 3, column : column + 2]
            sums = biases + (weights * patch).sum(axis=(1, 2, 3))
            expected[row, column] = (sums + (1 << (scale.forward_shift - 1))) >> scale.forward_shift
    limit = 1 << layer.output_width
    got = engine.layers[0].forward([x])
    assert np.array_equal(got, np.clip(expected, -limit, limit - 1).reshape(-1))


def test_a7_3_widths_leave_room_for_the_sums_of_all_three_passes() -> None:
    for layer in plan(CNN).layers[:2]:
        assert layer.inputs * 2 ** (15 + layer.input_width) <= 2**30
        assert layer.positions * 2 ** (layer.input_width + layer.error_width) <= 2**30  # type: ignore[attr-defined]
    assert plan(CNN).layers[1].error_width == 15 - 6  # 2·2 positions · 16 channels


def test_a7_3_an_error_that_does_not_fit_32_bits_is_refused() -> None:
    network = Network("net", (8, 8, 4), (Conv2D(4), Conv2D(64, (3, 3)), Flatten(), Dense(2)))
    with pytest.raises(CompileError, match="a sum of 576 products"):
        plan(network)


def test_a7_a_thousand_random_steps_of_the_cnn_give_the_same_bits(engine_cache: Path) -> None:
    _compare(plan(CNN), seed=20, steps=1000, cache=engine_cache)


def test_a7_the_kernels_for_one_channel_give_the_same_bits(engine_cache: Path) -> None:
    _compare(plan(ONE_CHANNEL), seed=21, steps=200, cache=engine_cache)


def test_a9_8_depthwise_kernels_of_any_size_give_the_same_bits(engine_cache: Path) -> None:
    _compare(plan(DEPTHWISE), seed=22, steps=100, cache=engine_cache)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], print_blob=True)
@given(seed=st.integers(0, 2**32 - 1))
def test_a7_random_convolutions_give_the_same_bits(seed: int, engine_cache: Path) -> None:
    generator = np.random.default_rng(seed)
    compiled = plan(random_conv_network(generator))
    _compare(compiled, seed, 24, engine_cache)


def test_a3_0_samples_outside_the_input_width_are_clamped(engine_cache: Path) -> None:
    compiled = plan(CNN)
    generator = np.random.default_rng(5)
    engines = ReferenceEngine(compiled), NativeEngine(compiled, engine_cache)
    blob = random_blob(generator, compiled)
    for engine in engines:
        engine.load(blob)
    x = random_sample(generator, compiled).x
    assert np.array_equal(engines[0].forward(x), engines[1].forward(x))
