"""A12 on the emulated cores: the same bits as the NumPy reference, and what enrolment costs beside SGD."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from named_networks import NETWORKS
from random_cases import random_blob, random_sample

import jaragua_models
from jaragua_bench.emulated import board
from jaragua_bench.emulated.toolchain import CORTEX_M0PLUS, CORTEX_M4
from jaragua_bench.enrolment import cost
from jaragua_bench.steps.prototype_calls import Call, Calls, Kind, run
from jaragua_compiler import LearningRate, ReferenceEngine, initial_weights, plan
from jaragua_compiler.planning.plan import with_prototypes
from jaragua_compiler.quantisation.blob import pack
from jaragua_compiler.quantisation.exponents import calibrate
from long_form import paired

pytestmark = pytest.mark.board


@pytest.mark.parametrize(("name", "core"), paired(["mlp", "cnn", "cnn w8", "every kind"], [CORTEX_M4, CORTEX_M0PLUS]))
def test_a12_a_board_gives_the_same_bits(name: str, core: str) -> None:
    found = with_prototypes(plan(NETWORKS[name]))
    generator = np.random.default_rng(12)
    blob = random_blob(generator, found)
    rate = random_sample(generator, found).rate
    kinds = [Kind.ENROL] * 6 + [kind for kind in Kind if kind is not Kind.TRAIN_ENROLLED] * 8
    made = []
    for number, kind in enumerate(kinds):
        made.append(Call(kind, random_sample(generator, found).x, number % min(3, found.prototypes)))
    calls = Calls(blob, LearningRate(20000, 30), rate, 7, made)
    expected = run(ReferenceEngine(found), found, calls)
    assert any(answer.relative for answer in expected.answers)
    recognised = [answer for answer, kind in zip(expected.answers, kinds, strict=True) if kind is Kind.RECOGNISE]
    calls = replace(calls, rejection=sorted(answer.relative for answer in recognised)[4])  # A12.8: about half of them
    assert board.run_prototypes(found, calls, core=core, counted=False) == run(ReferenceEngine(found), found, calls)


@pytest.mark.parametrize(("name", "core"), paired(["cnn w8", "mlp", "cnn"], [CORTEX_M4, CORTEX_M0PLUS]))
def test_a12_10_a_board_steps_on_enrolled_samples_with_the_same_bits(name: str, core: str) -> None:
    found = with_prototypes(plan(NETWORKS[name]), 3, gradients=True)
    generator = np.random.default_rng(13)
    weights = initial_weights(found.network, 1)
    drawings = generator.uniform(-1, 1, (30, found.network.input_size)).astype(np.float32)
    blob = pack(found, weights, calibrate(found, weights, drawings))
    enrolled = [random_sample(generator, found).x for _ in range(3)]
    made = [Call(Kind.ENROL, x, label) for label, x in enumerate(enrolled)]
    for label in (0, 1, 2, 1):
        made.append(Call(Kind.TRAIN_PROTOTYPES, random_sample(generator, found).x, label))
    made += [Call(Kind.TRAIN_ENROLLED, x, label) for label, x in enumerate(enrolled)]
    calls = Calls(blob, LearningRate.from_float(0.5), LearningRate.from_float(0.1), 7, made)
    expected = run(ReferenceEngine(found), found, calls)
    without = run(ReferenceEngine(found), found, replace(calls, calls=made[:-3]))
    assert expected.blob != without.blob
    assert board.run_prototypes(found, calls, core=core, counted=False) == expected


def test_enrolment_is_cheaper_than_the_sgd_it_replaces() -> None:
    found = cost(jaragua_models.get("digits"), None, ways=5, shots=5, passes=16)
    assert found.samples == 25
    assert found.enrol < found.train_step
    assert found.adaptation > 20 * found.enrolment
