"""A12.9, A12.10: the gradients of prototypes, and the steps that enrolled samples take by them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from named_networks import NETWORKS
from random_cases import random_blob, random_sample

from jaragua_compiler import CompileError, LearningRate, ReferenceEngine, initial_weights, plan
from jaragua_compiler.engine_protocol import PrototypeEngine, StepLimits
from jaragua_compiler.engines.native_prototypes import NativePrototypeEngine
from jaragua_compiler.planning.plan import Plan, with_prototypes
from jaragua_compiler.quantisation.blob import exponents, pack, quantise_inputs
from jaragua_compiler.quantisation.exponents import calibrate
from jaragua_compiler.reference.prototypes import GRADIENT_BITS, Prototypes
from long_form import first_of

CLASSIFIERS = {name: network for name, network in NETWORKS.items() if network.classifier}
EPISODES = 3
CLASSES = 3


def _with_gradients(name: str, classes: int | None = None) -> Plan:
    return with_prototypes(plan(CLASSIFIERS[name]), classes, gradients=True)


def _driven(engine: PrototypeEngine, found: Plan, seed: int) -> list[object]:
    """Everything an engine says and does in episodes: enrol, train on others, step on what is enrolled."""
    generator, said = np.random.default_rng(seed), []
    engine.load(random_blob(generator, found))
    engine.set_seed(seed)
    for episode in range(EPISODES):
        engine.set_temperature(LearningRate(int(generator.integers(16384, 32768)), int(generator.integers(15, 40))))
        engine.set_limits(StepLimits(0, 9000 if episode % 2 else 0))
        engine.forget_all()
        classes = min(CLASSES, found.prototypes)
        enrolled = [(random_sample(generator, found).x, label) for label in [*range(classes), 0]]
        for x, label in enrolled:
            engine.enrol(x, label)
        for step in range(2 * classes):
            x, _, rate = random_sample(generator, found)
            said.append(engine.train_prototypes(x, np.array([step % (classes + 1)], np.int16), rate))
        for x, label in enrolled:
            engine.train_enrolled(x, label, rate)
            said.append(engine.blob())
    return said


@pytest.mark.parametrize("name", first_of(CLASSIFIERS, 6))
def test_a12_9_a12_10_reference_and_native_agree(name: str, engine_cache: Path) -> None:
    found = _with_gradients(name)
    for seed in range(2):
        said = [_driven(engine, found, seed) for engine in _both(found, engine_cache)]
        assert said[0] == said[1], f"{name}, seed {seed}"


def test_a12_9_gradients_are_those_of_the_loss() -> None:
    """Central differences of the exact loss with respect to each prototype, in real numbers."""
    generator = np.random.default_rng(9)
    width, fx, temperature, label = 15, 12, 0.05, 1
    prototypes = Prototypes(3, 8, width)
    for one in range(3):
        prototypes.enrol(one, generator.integers(0, 1 << 15, 8))
    points, at = prototypes.means() / 2**fx, generator.integers(0, 1 << 15, 8)

    def loss(means: np.ndarray) -> float:
        logits = -temperature * ((at / 2**fx - means) ** 2).sum(axis=1)
        return float(np.log(np.exp(logits - logits[label]).sum()))

    exact = np.zeros_like(points)
    for place in np.ndindex(points.shape):
        step = np.zeros_like(points)
        step[place] = 1e-4
        exact[place] = (loss(points + step) - loss(points - step)) / 2e-4
    logits = -temperature * ((at / 2**fx - points) ** 2).sum(axis=1)
    probabilities = np.exp(logits) / np.exp(logits).sum()
    prototypes.add_to_gradients(np.round((probabilities - np.eye(3)[label]) * 2**15).astype(np.int64), at)
    for one in range(3):
        block = prototypes.enrolled_error(one, LearningRate.from_float(temperature), fx)
        assert np.allclose(block.values * 2.0**-block.exponent, exact[one], atol=2e-3 * np.abs(exact).max())


def test_a12_10_a_sample_has_its_share_of_the_gradient() -> None:
    one, three = Prototypes(2, 4, 12), Prototypes(2, 4, 12)
    for prototypes, count in ((one, 1), (three, 3)):
        for _ in range(count):
            prototypes.enrol(0, np.array([100, 200, 300, 400]))
        prototypes.enrol(1, np.array([400, 300, 200, 100]))
        prototypes.add_to_gradients(np.array([-9000, 9000]), np.array([0, 90, 700, 4000]))
    rate = LearningRate.from_float(0.5)
    whole, share = (prototypes.enrolled_error(0, rate, 8).values for prototypes in (one, three))
    assert np.abs(3 * share - whole).max() <= 4
    assert (one.enrolled_error(1, rate, 8).values == three.enrolled_error(1, rate, 8).values).all()


def test_a12_9_enrolment_and_forgetting_begin_the_gradient_anew() -> None:
    prototypes = Prototypes(3, 4, 12)
    for label in range(2):
        prototypes.enrol(label, np.full(4, 100 * label))
    error = np.array([-9000, 9000, 0])
    prototypes.add_to_gradients(error, np.full(4, 1000))
    assert prototypes.gradients[:2].all()
    assert not prototypes.gradients[2].any()
    prototypes.enrol(0, np.full(4, 5))
    prototypes.forget(1)
    assert not prototypes.gradients.any()


def test_a12_9_sums_stop_at_the_ends_of_int32(engine_cache: Path) -> None:
    prototypes = Prototypes(1, 1, 12)
    prototypes.enrol(0, np.array([-4096]))
    for _ in range(300):
        prototypes.add_to_gradients(np.array([32768]), np.array([4095]))
    assert prototypes.gradients[0, 0] == 2**GRADIENT_BITS - 1


def test_a12_10_steps_of_enrolled_samples_make_the_loss_smaller(engine_cache: Path) -> None:
    """With steps of enrolled samples alone: those of the other samples have a rate that rounds to 0."""
    found = _with_gradients("mlp", CLASSES)
    engine = NativePrototypeEngine(found, engine_cache)
    samples = np.random.default_rng(2).uniform(-1, 1, (30, 64)).astype(np.float32)
    samples[10:20, :20] += 0.5
    samples[20:, 20:40] += 0.5
    weights = initial_weights(found.network, 1)
    engine.load(pack(found, weights, calibrate(found, weights, samples)))
    engine.set_temperature(LearningRate.from_float(0.5))
    inputs = quantise_inputs(found, exponents(found, engine.blob()), samples)
    labelled = [(x, np.array([row // 10], np.int16)) for row, x in enumerate(inputs)]

    def loss() -> int:
        engine.forget_all()
        for x, target in labelled[::5]:
            engine.enrol(x, int(target[0]))
        return sum(engine.evaluate_prototypes(x, target).loss for x, target in labelled)

    before, nothing = loss(), LearningRate(16384, 46)
    for _ in range(10):
        loss()
        for x, target in labelled:
            engine.train_prototypes(x, target, nothing)
        for x, target in labelled[::5]:
            engine.train_enrolled(x, int(target[0]), LearningRate.from_float(0.03))
    assert loss() < 0.8 * before


def test_a12_10_what_is_refused(engine_cache: Path) -> None:
    x, rate = np.zeros(64, np.int16), LearningRate.from_float(0.1)
    with pytest.raises(CompileError, match="no gradients of prototypes"):
        with_prototypes(plan(NETWORKS["mlp"], accumulate=True), gradients=True)
    for engine in _both(with_prototypes(plan(NETWORKS["mlp"])), engine_cache):
        with pytest.raises(CompileError, match="keeps no gradients"):
            engine.train_enrolled(x, 0, rate)
    found = _with_gradients("mlp")
    for engine in _both(found, engine_cache):
        engine.load(random_blob(np.random.default_rng(1), found))
        engine.set_temperature(rate)
        first = engine.blob()
        for label in (0, 10):
            with pytest.raises(CompileError):
                engine.train_enrolled(x, label, rate)
        engine.enrol(x, 0)
        engine.train_enrolled(x, 0, rate)
        assert engine.blob() == first  # nothing was trained on, so the gradient is 0


def test_a12_9_gradients_cost_one_vector_a_class() -> None:
    with_them, without = _with_gradients("mlp", 7), with_prototypes(plan(NETWORKS["mlp"]), 7)
    assert with_them.prototype_bytes - without.prototype_bytes == 4 * 7 * without.prototype_head.inputs
    assert with_them.architecture == without.architecture
    assert replace(with_them, prototype_gradients=False) == without


def _both(found: Plan, cache: Path) -> tuple[PrototypeEngine, PrototypeEngine]:
    return ReferenceEngine(found), NativePrototypeEngine(found, cache)
