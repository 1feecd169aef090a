"""A12: prototypes in the NumPy reference and in the native C, over networks of every kind."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from named_networks import NETWORKS
from random_cases import random_blob, random_sample

from jaragua_compiler import CompileError, LearningRate, Network, ReferenceEngine, freeze, initial_weights, plan
from jaragua_compiler.engine_protocol import ACCEPT_ALL, NO_RUNNER_UP, PrototypeEngine, StepLimits
from jaragua_compiler.engines.native_prototypes import NativePrototypeEngine
from jaragua_compiler.planning.plan import Plan, with_prototypes
from jaragua_compiler.quantisation.blob import exponents, pack, quantise_inputs
from jaragua_compiler.quantisation.exponents import calibrate
from jaragua_compiler.reference.prototypes import Prototypes, relative_distance
from long_form import paired

CLASSIFIERS = {name: network for name, network in NETWORKS.items() if network.classifier}
STEPS = 12


def _driven(engine: PrototypeEngine, network_plan: Plan, seed: int) -> list[object]:
    """Everything an engine says and does in a random sequence of calls."""
    generator, said = np.random.default_rng(seed), []
    engine.load(random_blob(generator, network_plan))
    engine.set_seed(seed)
    classes = network_plan.prototypes
    for step in range(STEPS):
        x, _, rate = random_sample(generator, network_plan)
        label = int(generator.integers(classes))
        for enrolled in {0, label}:
            engine.enrol(x + np.int16(enrolled), enrolled)
        engine.set_temperature(LearningRate(int(generator.integers(16384, 32768)), int(generator.integers(15, 47))))
        engine.set_limits(StepLimits(0, 0 if step % 3 else 9000))
        target = np.array([int(generator.integers(-1, classes + 1))], np.int16)
        queried = random_sample(generator, network_plan).x
        engine.set_rejection(int(generator.integers(ACCEPT_ALL + 1)))
        said += [engine.recognise(queried), engine.evaluate_prototypes(queried, target)]
        said += [engine.train_prototypes(queried, target, rate), engine.blob()]
        said += [engine.prototype(0).tobytes(), [engine.enrolled(one) for one in range(classes)]]
        if step % 5 == 4:
            engine.forget(label) if label else engine.forget_all()
    return said


@pytest.mark.parametrize(("name", "steps"), paired(CLASSIFIERS, ["of one sample", "of three"]))
def test_a12_reference_and_native_agree(name: str, steps: str, engine_cache: Path) -> None:
    accumulate = steps == "of three"
    found = with_prototypes(plan(CLASSIFIERS[name], accumulate=accumulate))
    engines = ReferenceEngine(found), NativePrototypeEngine(found, engine_cache)
    if accumulate:
        for engine in engines:
            engine.set_accumulation(3)
    for seed in range(3):
        reference, native = (_driven(engine, found, seed) for engine in engines)
        assert reference == native, f"{name}, seed {seed}"


@pytest.mark.parametrize("classes", [1, 3, 40])
def test_a12_there_may_be_other_classes_than_outputs(classes: int, engine_cache: Path) -> None:
    found = with_prototypes(plan(CLASSIFIERS["mlp"]), classes)
    assert _driven(ReferenceEngine(found), found, 7) == _driven(NativePrototypeEngine(found, engine_cache), found, 7)


def test_a12_1_the_mean_does_not_depend_on_the_order() -> None:
    generator = np.random.default_rng(4)
    rows = generator.integers(0, 1 << 12, (50, 16))
    forward, backward = Prototypes(2, 16, 12), Prototypes(2, 16, 12)
    for row, other in zip(rows, rows[::-1], strict=True):
        forward.enrol(1, row)
        backward.enrol(1, other)
    assert np.array_equal(forward.prototype(1), backward.prototype(1))
    exact = rows.mean(axis=0) * 8
    assert np.abs(forward.prototype(1) - exact).max() <= 0.51


@pytest.mark.parametrize("count", [1, 2, 3, 5, 7, 13, 16])
def test_a12_2_a_prototype_is_the_rounded_mean_of_its_samples(count: int, engine_cache: Path, seed: int) -> None:
    """Written out for one number at a time, at the exponent fx + 15 - bx."""
    found = with_prototypes(plan(NETWORKS["one layer"]))
    generator, width = np.random.default_rng(seed), found.prototype_head.input_width
    rows = generator.integers(-(2**width), 2**width, (count, 64)).astype(np.int16)
    factor = (2**30 + count // 2) // count
    shift = 15 + width
    sums = [int(one) for one in rows.astype(np.int64).sum(axis=0)]
    wanted = [min(max((one * factor + 2 ** (shift - 1)) >> shift, -(2**15)), 2**15 - 1) for one in sums]
    for engine in (ReferenceEngine(found), NativePrototypeEngine(found, engine_cache)):
        engine.load(random_blob(np.random.default_rng(1), found))
        for row in rows:
            engine.enrol(row, 2)
        assert engine.prototype(2).tolist() == wanted


def test_a12_1_a_class_is_full_at_65535_samples(engine_cache: Path) -> None:
    found = with_prototypes(plan(NETWORKS["one layer"]))
    engine = NativePrototypeEngine(found, engine_cache)
    engine.load(random_blob(np.random.default_rng(1), found))
    x = np.full(64, -32768, np.int16)  # clamped to the input's range: the largest sum there is
    for _ in range(65535):
        engine.enrol(x, 0)
    with pytest.raises(CompileError, match="refuses"):
        engine.enrol(x, 0)
    assert set(engine.prototype(0).tolist()) <= {-32768, -32767}  # F has 15 bits for so large a count


def test_a12_3_the_nearest_prototype_is_recognised(engine_cache: Path) -> None:
    found = with_prototypes(plan(NETWORKS["one layer"]), 4)
    engine = NativePrototypeEngine(found, engine_cache)
    engine.load(random_blob(np.random.default_rng(1), found))
    near, far = np.full(64, 100, np.int16), np.full(64, -100, np.int16)
    engine.enrol(far, 1)
    assert engine.recognise(near).runner_up == NO_RUNNER_UP
    engine.enrol(near, 3)
    match = engine.recognise(near)
    assert (match.label, match.distance) == (3, 0)
    scale = 15 - found.prototype_head.input_width
    assert match.runner_up == 64 * (200 << scale) ** 2


def test_a12_4_logits_are_the_temperature_times_the_distance() -> None:
    generator = np.random.default_rng(8)
    width, fx, temperature = 12, 6, LearningRate.from_float(0.02)
    prototypes = Prototypes(5, 32, width)
    for label in range(4):
        prototypes.enrol(label, generator.integers(0, 1 << 9, 32))
    x = generator.integers(0, 1 << 9, 32)
    points = prototypes.sums[:4] / 2**fx
    distances = ((x / 2**fx - points) ** 2).sum(axis=1)
    wanted = np.minimum(0.02 * (distances - distances.min()) * 2**11, 32767)
    logits = prototypes.logits(x, temperature, fx)
    assert np.abs(-logits[:4] - wanted).max() <= 2
    assert logits[4] == -(1 << 15)


def test_a12_5_the_error_is_the_gradient_of_the_loss() -> None:
    """Central differences of the exact loss, in real numbers."""
    generator = np.random.default_rng(9)
    width, fx, temperature = 15, 12, 0.05
    prototypes = Prototypes(3, 8, width)
    for label in range(3):
        prototypes.enrol(label, generator.integers(0, 1 << 15, 8))
    x = generator.integers(0, 1 << 15, 8)
    points, at = prototypes.means() / 2**fx, x / 2**fx

    def loss(features: np.ndarray) -> float:
        logits = -temperature * ((features - points) ** 2).sum(axis=1)
        return float(np.log(np.exp(logits - logits[1]).sum()))

    steps = np.eye(8) * 1e-4
    exact = np.array([(loss(at + step) - loss(at - step)) / 2e-4 for step in steps])
    logits = -temperature * ((at - points) ** 2).sum(axis=1)
    probabilities = np.exp(logits) / np.exp(logits).sum()
    error = np.round((probabilities - [0, 1, 0]) * 2**15).astype(np.int64)
    block = prototypes.input_error(error, LearningRate.from_float(temperature), fx)
    assert np.allclose(block.values * 2.0**-block.exponent, exact, atol=2e-3 * np.abs(exact).max())


def _trainable(engine: NativePrototypeEngine, samples: np.ndarray) -> None:
    """Loads initial weights, calibrated on these samples [n, inputs]."""
    found = engine.plan
    weights = initial_weights(found.network, 1)
    engine.load(pack(found, weights, calibrate(found, weights, samples)))
    engine.set_temperature(LearningRate.from_float(0.5))


def test_a12_6_steps_make_the_loss_smaller_and_leave_the_last_layer(engine_cache: Path) -> None:
    found = with_prototypes(plan(NETWORKS["mlp"]))
    engine = NativePrototypeEngine(found, engine_cache)
    samples = np.random.default_rng(2).uniform(-1, 1, (30, 64)).astype(np.float32)
    samples[10:20, :20] += 0.5
    samples[20:, 20:40] += 0.5
    _trainable(engine, samples)
    first, head = engine.blob(), found.layers[-1]
    inputs = quantise_inputs(found, exponents(found, first), samples)
    labelled = [(x, np.array([row // 10], np.int16)) for row, x in enumerate(inputs)]
    for x, target in labelled[::5]:
        engine.enrol(x, int(target[0]))

    def loss() -> int:
        return sum(engine.evaluate_prototypes(x, target).loss for x, target in labelled)

    before = loss()
    for _ in range(5):
        for x, target in labelled:
            engine.train_prototypes(x, target, LearningRate.from_float(0.03))
    assert loss() < 0.7 * before
    assert engine.blob()[head.weights_offset :] == first[head.weights_offset :]


def test_a12_6_below_frozen_layers_there_is_nothing_to_learn(engine_cache: Path) -> None:
    hidden, last = NETWORKS["mlp"].layers
    network = replace(NETWORKS["mlp"], layers=(replace(hidden, trainable=False), last))
    samples = np.random.default_rng(5).uniform(-1, 1, (16, 64))
    found = with_prototypes(freeze(plan(network), initial_weights(network, 1), samples))
    assert _driven(ReferenceEngine(found), found, 3) == _driven(NativePrototypeEngine(found, engine_cache), found, 3)


def test_a12_6_a_label_without_a_prototype_teaches_nothing(engine_cache: Path) -> None:
    found = with_prototypes(plan(NETWORKS["mlp"]))
    engine = NativePrototypeEngine(found, engine_cache)
    generator = np.random.default_rng(3)
    _trainable(engine, generator.uniform(-1, 1, (20, 64)))
    engine.enrol(random_sample(generator, found).x, 0)
    first, x = engine.blob(), random_sample(generator, found).x
    for label in (5, -1, 10):
        result = engine.train_prototypes(x, np.array([label], np.int16), LearningRate.from_float(0.5))
        assert (result.correct, result.loss) == (False, 0x7FFFFFFF)
    assert engine.blob() == first


def test_a12_what_is_refused(engine_cache: Path) -> None:
    with pytest.raises(CompileError, match="no features"):
        with_prototypes(plan(NETWORKS["sine"]))
    with pytest.raises(CompileError, match="300 classes"):
        with_prototypes(plan(NETWORKS["mlp"]), 300)
    with pytest.raises(CompileError, match="no prototypes"):
        ReferenceEngine(plan(NETWORKS["mlp"])).set_temperature(LearningRate.from_float(0.5))
    found = with_prototypes(plan(NETWORKS["mlp"]))
    for engine in (ReferenceEngine(found), NativePrototypeEngine(found, engine_cache)):
        engine.load(random_blob(np.random.default_rng(1), found))
        x = np.zeros(64, np.int16)
        with pytest.raises(CompileError):
            engine.recognise(x)
        with pytest.raises(CompileError, match="room for class 10"):
            engine.enrol(x, 10)
        with pytest.raises(CompileError):
            engine.prototype(0)
        engine.enrol(x, 0)
        with pytest.raises(CompileError):
            engine.evaluate_prototypes(x, np.zeros(1, np.int16))  # there is no temperature


def test_a12_7_the_distance_is_relative_to_the_mean_of_the_others() -> None:
    generator = np.random.default_rng(11)
    prototypes = Prototypes(4, 32, 12)
    assert relative_distance(0, 0, 0) == 0
    for label, rows in enumerate(generator.integers(0, 1 << 11, (4, 32))):
        prototypes.enrol(label, rows)
        match = prototypes.match(prototypes.sums[0] + generator.integers(0, 99, 32))
        assert label or (match.relative, match.accepted) == (0, True)
    x = generator.integers(0, 1 << 11, 32)
    distances = ((x[None, :] - prototypes.sums) ** 2).sum(axis=1)
    wanted = 2**15 * distances.min() / np.sort(distances)[1:].mean()
    assert abs(prototypes.match(x).relative - wanted) <= 1
    doubled = Prototypes(4, 32, 12)
    doubled.sums, doubled.counts = 2 * prototypes.sums, prototypes.counts
    assert abs(doubled.match(2 * x).relative - wanted) <= 1  # the scale of the features is nothing to it


def test_a12_7_holds_at_the_ends_of_the_range(engine_cache: Path) -> None:
    assert relative_distance(0, 0, 1) == 1 << 15
    assert relative_distance((1 << 56) - 1, 254 * ((1 << 56) - 1), 254) == 1 << 15
    found = with_prototypes(plan(NETWORKS["one layer"]), 3)
    x = np.full(64, 100, np.int16)
    for engine in (ReferenceEngine(found), NativePrototypeEngine(found, engine_cache)):
        engine.load(random_blob(np.random.default_rng(1), found))
        engine.set_rejection(0)
        engine.enrol(x, 0)
        assert engine.recognise(-x)[3:] == (0, True)  # one class: nothing says how far is far
        engine.enrol(x, 1)
        assert engine.recognise(x)[3:] == (1 << 15, False)  # two classes at the same place


def test_a12_8_a_threshold_rejects_what_is_further_away(engine_cache: Path) -> None:
    found = with_prototypes(plan(NETWORKS["one layer"]), 4)
    generator = np.random.default_rng(6)
    for engine in (ReferenceEngine(found), NativePrototypeEngine(found, engine_cache)):
        engine.load(random_blob(generator, found))
        for label in range(4):
            engine.enrol(random_sample(generator, found).x, label)
        queried = random_sample(generator, found).x
        relative = engine.recognise(queried).relative
        assert 0 < relative < ACCEPT_ALL
        accepted = []
        for threshold in (ACCEPT_ALL, relative, relative - 1, 0):
            engine.set_rejection(threshold)
            accepted.append(engine.recognise(queried).accepted)
        assert accepted == [True, True, False, False]
        for wrong in (-1, ACCEPT_ALL + 1):
            with pytest.raises(CompileError, match="no threshold"):
                engine.set_rejection(wrong)


def test_a12_weights_fit_images_with_and_without_prototypes() -> None:
    network: Network = NETWORKS["mlp"]
    assert with_prototypes(plan(network)).architecture == plan(network).architecture
