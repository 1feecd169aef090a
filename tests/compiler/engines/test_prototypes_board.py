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
from jaragua_compiler import LearningRate, ReferenceEngine, plan
from jaragua_compiler.planning.plan import with_prototypes
from long_form import paired

pytestmark = pytest.mark.board


@pytest.mark.parametrize(("name", "core"), paired(["mlp", "cnn", "cnn w8", "every kind"], [CORTEX_M4, CORTEX_M0PLUS]))
def test_a12_a_board_gives_the_same_bits(name: str, core: str) -> None:
    found = with_prototypes(plan(NETWORKS[name]))
    generator = np.random.default_rng(12)
    blob = random_blob(generator, found)
    rate = random_sample(generator, found).rate
    kinds = [Kind.ENROL] * 6 + [*Kind] * 8
    made = []
    for number, kind in enumerate(kinds):
        made.append(Call(kind, random_sample(generator, found).x, number % min(3, found.prototypes)))
    calls = Calls(blob, LearningRate(20000, 30), rate, 7, made)
    expected = run(ReferenceEngine(found), found, calls)
    assert any(answer.relative for answer in expected.answers)
    recognised = [answer for answer, kind in zip(expected.answers, kinds, strict=True) if kind is Kind.RECOGNISE]
    calls = replace(calls, rejection=sorted(answer.relative for answer in recognised)[4])  # A12.8: about half of them
    assert board.run_prototypes(found, calls, core=core, counted=False) == run(ReferenceEngine(found), found, calls)


def test_enrolment_is_cheaper_than_the_sgd_it_replaces() -> None:
    found = cost(jaragua_models.get("digits"), None, ways=5, shots=5, passes=16)
    assert found.samples == 25
    assert found.enrol < found.train_step
    assert found.adaptation > 20 * found.enrolment
