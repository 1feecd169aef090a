"""O1 to O8: the device's C gives the bits of the NumPy reference, whatever the network, the settings and the stream."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jaragua_compiler import Dense, Network, plan
from jaragua_compiler.errors import CompileError
from jaragua_compiler.online import NativeLearner, ReferenceLearner, Settings
from jaragua_compiler.planning.plan import Plan
from jaragua_compiler.quantisation.rate import LearningRate

STEPS = 40
_cache: dict[bytes, tuple[ReferenceLearner, NativeLearner]] = {}


def _learners(layout: Plan) -> tuple[ReferenceLearner, NativeLearner]:
    if layout.architecture not in _cache:
        _cache[layout.architecture] = ReferenceLearner(layout), NativeLearner(layout)
    return _cache[layout.architecture]


def _same(reference: ReferenceLearner, native: NativeLearner) -> None:
    assert reference.report() == native.report()
    assert reference.blob() == native.blob()
    assert np.array_equal(reference.prototypes(), native.prototypes())
    for ours, theirs in zip(reference.statistics(), native.statistics(), strict=True):
        assert np.array_equal(ours, theirs)


@settings(max_examples=4)
@given(
    seed=st.integers(0, 2**32 - 1),
    standardise=st.booleans(),
    horizon_log2=st.integers(4, 14),
    replays=st.integers(0, 12),
    threshold=st.sampled_from([0, 3000, 30720]),
    scale=st.sampled_from([1, 40, 3000, 32768]),
    rate=st.floats(0.001, 0.9),
)
def test_c_and_reference_agree(
    layout: Plan,
    start: Callable[[Plan, int], bytes],
    seed: int,
    standardise: bool,
    horizon_log2: int,
    replays: int,
    threshold: int,
    scale: int,
    rate: float,
) -> None:
    random = np.random.default_rng(seed)
    outputs = layout.network.outputs
    chosen = Settings(
        known=int(random.integers(1, 1 << outputs)),
        standardise=standardise,
        warm_up=5,
        horizon_log2=horizon_log2,
        replays=replays,
        threshold=threshold,
    )
    both = _learners(layout)
    for learner in both:
        learner.begin(start(layout, seed), chosen, LearningRate.from_float(rate))
    for _ in range(STEPS):
        x = random.integers(-scale, scale, layout.network.input_size).astype(np.int16)
        label = int(random.integers(outputs))
        first, second = (learner.learn(x, label) for learner in both)
        assert first == second
    _same(*both)


def test_going_on_keeps_what_was_learned(layout: Plan, start: Callable[[Plan, int], bytes], seed: int) -> None:
    """O8: other settings do not begin anew."""
    random = np.random.default_rng(seed)
    both = _learners(layout)
    x = random.integers(-500, 500, (60, layout.network.input_size)).astype(np.int16)
    for learner in both:
        learner.begin(start(layout, 1), Settings(known=3), LearningRate.from_float(0.1))
        for row in x[:30]:
            learner.learn(row, 2)
        learner.resume(Settings(known=1, replays=2, standardise=True), LearningRate.from_float(0.01))
        for row in x[30:]:
            learner.learn(row, 1)
        assert learner.report().known == 7
    _same(*both)


@pytest.mark.parametrize("replays", [0, 1])
def test_closed_outputs_take_part_in_nothing(layout: Plan, start: Callable[[Plan, int], bytes], replays: int) -> None:
    """O4.1: a network with closed outputs learns what one without them would."""
    (_, learner) = _learners(layout)
    learner.begin(start(layout, 3), Settings(known=3, replays=replays), LearningRate.from_float(0.2))
    before = learner.blob()
    assert learner.learn(np.zeros(layout.network.input_size, dtype=np.int16), 0) is not None
    head = layout.head
    assert head is not None
    closed = slice(head.weights_offset + 4 * head.row_elements, head.weights_offset + head.weights_bytes)
    biases = slice(head.biases_offset + 8, head.end_offset)
    assert not any(before[closed])
    assert not any(learner.blob()[closed])
    assert learner.blob()[biases] == before[biases]


def test_a_regression_cannot_learn_online() -> None:
    """O1.1."""
    layout = plan(Network("line", 1, (Dense(1, "linear"),), loss="mean_squared_error"))
    with pytest.raises(CompileError, match="cannot learn online"):
        ReferenceLearner(layout)


@pytest.mark.parametrize(
    "bad",
    [
        Settings(known=0),
        Settings(known=1, replays=65),
        Settings(known=1, horizon_log2=3),
        Settings(known=1, horizon_log2=0, standardise=True),
    ],
)
def test_settings_outside_their_range_are_refused(
    layout: Plan, start: Callable[[Plan, int], bytes], bad: Settings
) -> None:
    """O2.1, O4.1, O5.2."""
    for learner in _learners(layout):
        with pytest.raises(CompileError, match="range"):
            learner.begin(start(layout, 0), bad, LearningRate.from_float(0.1))
