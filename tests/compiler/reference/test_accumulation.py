"""Gradient accumulation and clipping (A11): what the rules say, on the reference and on the native engine."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from image_networks import CNN, DEPTHWISE
from random_cases import MLP, SINE, with_sums

from jaragua_bench.steps.random_steps import random_steps
from jaragua_bench.steps.steps import Step, mismatches, run
from jaragua_compiler import CompileError, Dense, NativeEngine, Network, Plan, ReferenceEngine, plan
from jaragua_compiler.export import Choice
from jaragua_compiler.export.choice import planned
from jaragua_compiler.graph.initial_weights import initial_weights
from jaragua_compiler.quantisation.blob import unpack_integers
from jaragua_compiler.quantisation.freeze import freeze
from jaragua_compiler.reference.accumulation import mean_factor
from jaragua_compiler.reference.arithmetic import clipped

SAMPLES = 5


def _int8(network: Network) -> Network:
    """All of its weights in int8, the last layer's too."""
    layers = tuple(replace(layer, weights="w8") if hasattr(layer, "weights") else layer for layer in network.layers)
    return replace(network, weights="w8", layers=layers)


NETWORKS = {
    "sine": SINE,
    "mlp": MLP,
    "cnn": CNN,
    "mlp in int8": _int8(MLP),
    "cnn in int8": _int8(CNN),
    "depthwise in int8": _int8(DEPTHWISE),
    "an odd dense layer": Network("odd", 7, (Dense(5, "relu"), Dense(3))),
}


def _ordinary(compiled: Plan, seed: int, batch: int) -> list[Step]:
    """One blob, and the samples of one step."""
    first, *others = random_steps(compiled, seed, SAMPLES)
    return [replace(step, batch=batch) for step in (first, *others)]


@pytest.mark.parametrize("name", ["sine", "mlp in int8", "cnn in int8", "depthwise in int8", "an odd dense layer"])
def test_a11_any_number_of_samples_and_any_clip_give_the_same_bits(name: str, engine_cache: Path) -> None:
    compiled = plan(NETWORKS[name], accumulate=True)
    steps = with_sums(np.random.default_rng(4), random_steps(compiled, 4, 40))
    got = run(NativeEngine(compiled, engine_cache), steps)
    assert not mismatches(compiled, run(ReferenceEngine(compiled), steps), got)


def test_a11_1_only_rows_that_learn_have_sums(engine_cache: Path) -> None:
    """A10.7: seven rows of the first layer, and the last layer."""
    network = planned(MLP, Choice(train="1,0:7"))
    samples = np.random.default_rng(1).uniform(-1, 1, (20, 64))
    compiled = replace(freeze(network, initial_weights(MLP, 1), samples), accumulate=True)
    assert compiled.sums == 7 * (64 + 1) + 10 * (32 + 1)
    steps = with_sums(np.random.default_rng(3), random_steps(compiled, 3, 60))
    got = run(NativeEngine(compiled, engine_cache), steps)
    assert not mismatches(compiled, run(ReferenceEngine(compiled), steps), got)


@pytest.mark.parametrize("name", ["mlp", "cnn in int8", "depthwise in int8"])
def test_a11_1_one_sample_a_step_is_the_step_of_an_image_without_sums(name: str, engine_cache: Path) -> None:
    plain, summing = plan(NETWORKS[name]), plan(NETWORKS[name], accumulate=True)
    steps = random_steps(plain, 5, 40)
    assert plain.architecture == summing.architecture
    assert not mismatches(plain, run(ReferenceEngine(plain), steps), run(NativeEngine(summing, engine_cache), steps))


def test_a11_1_an_image_without_sums_refuses_more_than_one_sample(engine_cache: Path) -> None:
    native = NativeEngine(plan(MLP), engine_cache)
    for engine in (native, ReferenceEngine(plan(MLP))):
        engine.set_accumulation(1)
        with pytest.raises(CompileError, match="one sample a step, not 2"):
            engine.set_accumulation(2)
    assert [native._library.jrg_model_set_accumulation(samples) != 0 for samples in (0, 1, 2)] == [True, False, True]


@pytest.mark.parametrize("samples", [0, 65536])
def test_a11_1_a_step_has_1_to_65535_samples(samples: int, engine_cache: Path) -> None:
    native = NativeEngine(plan(MLP, accumulate=True), engine_cache)
    for engine in (native, ReferenceEngine(native.plan)):
        with pytest.raises(CompileError, match="not possible"):
            engine.set_accumulation(samples)
    assert native._library.jrg_model_set_accumulation(samples) != 0


@pytest.mark.parametrize("name", ["mlp", "cnn", "mlp in int8"])
def test_a11_1_the_order_of_a_steps_samples_does_not_matter(name: str, engine_cache: Path) -> None:
    compiled = plan(NETWORKS[name], accumulate=True)
    first, *others = _ordinary(compiled, 6, SAMPLES)
    last_first = [replace(others[-1], blob=first.blob, seed=first.seed), *others[:-1], replace(first, blob=None)]
    native = NativeEngine(compiled, engine_cache)
    assert run(native, [first, *others])[-1].blob == run(native, last_first)[-1].blob


def test_a11_1_weights_stay_until_the_last_sample_of_a_step(engine_cache: Path) -> None:
    compiled = plan(MLP, accumulate=True)
    steps = _ordinary(compiled, 7, SAMPLES)
    blobs = [outcome.blob for outcome in run(NativeEngine(compiled, engine_cache), steps)]
    assert blobs[:-1] == [steps[0].blob] * (SAMPLES - 1)
    assert blobs[-1] != steps[0].blob


def test_a11_1_new_weights_begin_with_empty_sums(engine_cache: Path) -> None:
    compiled = plan(MLP, accumulate=True)
    steps = _ordinary(compiled, 8, SAMPLES)
    native = NativeEngine(compiled, engine_cache)
    whole = run(native, steps)[-1].blob
    run(native, steps[:3])
    assert run(native, steps)[-1].blob == whole


def test_a11_5_the_weights_move_by_the_mean_of_the_samples_steps(engine_cache: Path) -> None:
    compiled = plan(MLP, accumulate=True)
    first, *others = _ordinary(compiled, 9, SAMPLES)
    native = NativeEngine(compiled, engine_cache)
    alone = [run(native, [replace(step, blob=first.blob, batch=1)])[0].blob for step in (first, *others)]
    start, moved = (
        unpack_integers(compiled, blob) for blob in (first.blob or b"", run(native, [first, *others])[-1].blob)
    )
    for layer, (weights, _) in enumerate(start):
        steps = np.array([unpack_integers(compiled, blob)[layer][0] - weights for blob in alone])
        # A lone step is rounded by less than one unit (A5.6), and by less than half for its row's factor (A5.4); so is
        # the mean.
        differences = moved[layer][0] - weights - steps.mean(axis=0)
        assert np.abs(differences).max() < 2 * 1.5
        assert np.abs(differences).mean() < 0.6


def test_a11_5_a_rest_is_the_mean_of_the_samples_there_are(engine_cache: Path) -> None:
    compiled = plan(MLP, accumulate=True)
    steps = _ordinary(compiled, 10, SAMPLES)
    native = NativeEngine(compiled, engine_cache)
    rest = [replace(step, batch=9) for step in steps]
    rest[-1] = replace(rest[-1], flush=True)
    assert run(native, rest)[-1].blob == run(native, steps)[-1].blob
    native.apply()
    assert native.blob() == run(native, steps)[-1].blob


def test_a11_5_the_factor_of_a_power_of_two_is_exact() -> None:
    assert [mean_factor(count) for count in (1, 2, 4, 32768)] == [1 << 30, 1 << 29, 1 << 28, 1 << 15]
    assert mean_factor(3) == round(2**30 / 3)


def test_a11_6_the_dithers_count_of_steps_goes_on_with_every_step_of_several_samples(engine_cache: Path) -> None:
    compiled = plan(_int8(MLP), accumulate=True)
    steps = _ordinary(compiled, 11, 2)[:4]
    native = NativeEngine(compiled, engine_cache)
    second = run(native, steps)[1].blob
    after_one = run(native, [*steps[:2], replace(steps[0], blob=None), steps[1]])[-1].blob
    anew = run(native, [replace(steps[0], blob=second), steps[1]])[-1].blob
    assert after_one != anew


def test_a11_7_a_clipped_error_keeps_its_direction_and_has_the_limit_as_its_largest() -> None:
    error = np.array([-20000, 5000, 15000, 0], dtype=np.int64)
    assert clipped(error, 0).tolist() == clipped(error, 20000).tolist() == error.tolist()
    assert clipped(error, 10000).tolist() == [-10000, 2500, 7500, 0]


def test_a11_7_clipping_scales_the_step_and_leaves_the_loss(engine_cache: Path) -> None:
    compiled = plan(SINE)
    step = _ordinary(compiled, 12, 1)[0]
    native = NativeEngine(compiled, engine_cache)
    free, held = (run(native, [replace(step, clip=clip)])[0] for clip in (0, 1))
    weights = [unpack_integers(compiled, blob)[-1][0] for blob in (step.blob or b"", free.blob, held.blob)]
    assert free.result == held.result
    assert np.abs(weights[2] - weights[0]).max() < np.abs(weights[1] - weights[0]).max()


def _evaluated(native: NativeEngine, blob: bytes, step: Step) -> int:
    native.load(blob)
    return native.evaluate(step.x, step.target).loss


@pytest.mark.parametrize("batch", [1, 4])
def test_a11_8_a_sample_below_the_loss_threshold_counts_and_moves_nothing(engine_cache: Path, batch: int) -> None:
    compiled = plan(_int8(MLP), accumulate=True)
    steps = [replace(step, batch=batch) for step in _ordinary(compiled, 13, 4)[:4]]
    native = NativeEngine(compiled, engine_cache)
    free = run(native, steps)
    assert free[0].result.loss > 0
    assert free[-1].blob != steps[0].blob
    # The weights stay as they are, so every sample meets those of the blob, and each loss is that of `evaluate`.
    losses = [_evaluated(native, steps[0].blob or b"", step) for step in steps]
    passed_over = run(native, [replace(step, loss_threshold=max(losses) + 1) for step in steps])
    assert [outcome.result.loss for outcome in passed_over] == losses
    assert {outcome.blob for outcome in passed_over} == {steps[0].blob}
    # A loss that is the least is no longer below it.
    exactly = run(native, [replace(step, loss_threshold=free[0].result.loss) for step in steps[:1]])
    assert (exactly[0].result, exactly[0].blob) == (free[0].result, free[0].blob)


def test_a11_8_the_dithers_count_of_steps_goes_on_with_a_sample_passed_over(engine_cache: Path) -> None:
    compiled = plan(_int8(MLP))
    steps = _ordinary(compiled, 14, 1)[:2]
    native = NativeEngine(compiled, engine_cache)
    after_one = run(native, [replace(steps[0], loss_threshold=0xFFFFFFFF), steps[1]])[-1].blob
    alone = run(native, [replace(steps[1], blob=steps[0].blob, seed=steps[0].seed)])[-1].blob
    expected = run(ReferenceEngine(compiled), [replace(steps[0], loss_threshold=0xFFFFFFFF), steps[1]])[-1].blob
    assert after_one == expected != alone


def test_a11_1_sums_are_counted_in_the_ram() -> None:
    plain, summing = plan(MLP), plan(MLP, accumulate=True)
    assert summing.arena_bytes - plain.arena_bytes == 4 * (64 * 32 + 32 + 32 * 10 + 10)
    assert summing.blob_bytes == plain.blob_bytes
