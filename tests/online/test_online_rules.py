"""O1 to O7 on the reference, against the page's formulas, one number at a time.

`test_online_bits.py` compares the device's C with the reference, so what holds here holds for the board.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from copy import deepcopy

import numpy as np
import pytest
from elftools.elf.elffile import ELFFile

from jaragua_compiler import Dense, Network, plan
from jaragua_compiler.errors import CompileError
from jaragua_compiler.online import NativeLearner, ReferenceLearner, Settings
from jaragua_compiler.online.learner import Statistics
from jaragua_compiler.online.native import _build
from jaragua_compiler.online.reference import Detector, moved_statistics, opened_row, standardised
from jaragua_compiler.planning.plan import Plan
from jaragua_compiler.quantisation.blob import exponents, unpack_integers
from jaragua_compiler.quantisation.dither import Dither
from jaragua_compiler.quantisation.exponents import layer_scale
from jaragua_compiler.quantisation.rate import LearningRate
from jaragua_compiler.reference.arithmetic import Block, softmax_error
from jaragua_compiler.reference.dense import ReferenceDense

RATE = LearningRate.from_float(0.1)
EVEN = plan(Network("even", 6, (Dense(8, "relu"), Dense(5))))
ODD = plan(Network("odd", 7, (Dense(3), Dense(9))))
MakeBlob = Callable[[Plan, int], bytes]


def rshift(value: int, shift: int) -> int:
    """A1.1."""
    return value if shift == 0 else (value + 2 ** (shift - 1)) // 2**shift


def sats(value: int, bits: int) -> int:
    """A1.2."""
    return min(max(value, -(2**bits)), 2**bits - 1)


def sample(layout: Plan, generator: np.random.Generator, scale: int = 900) -> np.ndarray:
    return generator.integers(-scale, scale, layout.network.input_size).astype(np.int16)


def begun(layout: Plan, blob: bytes, **settings: object) -> ReferenceLearner:
    learner = ReferenceLearner(layout)
    learner.begin(blob, Settings(**({"known": 7, "threshold": 0} | settings)), RATE)  # type: ignore[arg-type]
    return learner


def head_of_blob(layout: Plan, blob: bytes) -> ReferenceDense:
    """The last layer by itself, with a dither of its own: seed 0, layer 0 (O4.3)."""
    head = layout.head
    assert head is not None
    matrix, bias = unpack_integers(layout, blob)[-1]
    dither = Dither()
    dither.restart(0)
    made = ReferenceDense(head, matrix, bias, layer_scale(layout, exponents(layout, blob), head), dither)
    made.dither_layer = 0
    return made


def features_of(learner: ReferenceLearner, x: np.ndarray) -> np.ndarray:
    return learner._engine.features(x)


def step_of(head: ReferenceDense, x: np.ndarray, label: int) -> None:
    """O4.3: one step of the head; the dither counts it, whether or not there is an error."""
    error = softmax_error(head.forward([x]), label).error
    if error.any():
        head.backward([x], Block(error, 15), RATE)
    head._dither.advance()


def test_o1_2_and_o4_3_a_sample_is_predicted_then_learned_then_replayed_and_dropped(start: MakeBlob, seed: int) -> None:
    """The head of a learner beside one that takes the page's steps: its dither counts replays and empty steps."""
    layout = EVEN
    generator, blob = np.random.default_rng(seed), start(EVEN, seed % 100)
    learner = begun(layout, blob, known=31, replays=2, horizon_log2=0)
    head, ring, width = head_of_blob(layout, blob), 0, layout.head.input_width  # type: ignore[union-attr]
    below = unpack_integers(layout, blob)[:-1]
    for _ in range(40):
        x, label = sample(layout, generator), int(generator.integers(5))
        features = features_of(learner, x)
        before = softmax_error(head.forward([features]), label)
        outcome = learner.learn(x, label)
        assert outcome is not None
        assert (outcome.correct, outcome.loss) == (before.correct, before.loss)  # O4.2: before the step
        step_of(head, features, label)
        for _ in range(2):
            ring = (ring + 1) % 5
            while not learner._has_prototype[ring]:
                ring = (ring + 1) % 5
            recalled = [min(rshift(int(p), 15 - width), 2**width - 1) for p in learner.prototypes()[ring]]
            step_of(head, np.array(recalled), ring)
        assert np.array_equal(learner._head.matrix, head.matrix)
        assert np.array_equal(learner._head.bias, head.bias)
    for (matrix, bias), (kept, kept_bias) in zip(unpack_integers(layout, learner.blob())[:-1], below, strict=True):
        assert np.array_equal(matrix, kept)  # O1.1
        assert np.array_equal(bias, kept_bias)


def test_o4_2_the_prediction_is_right_if_the_first_largest_logit_is_the_labels(start: MakeBlob) -> None:
    """With all logits equal, the first class is predicted; loss and error are those of A4 on the same logits."""
    layout = EVEN
    blob = start(layout, 1)
    for label in range(5):
        learner = begun(layout, blob, known=31, horizon_log2=0, replays=0)
        learner._head.matrix[:], learner._head.bias[:] = 0, 0
        outcome = learner.learn(np.zeros(6, np.int16), label)
        assert outcome is not None
        assert outcome.correct == (label == 0)
        assert outcome.loss == softmax_error(np.zeros(5, np.int64), label).loss


def test_o4_3_a_step_without_an_error_counts_for_the_dither(start: MakeBlob, seed: int) -> None:
    """A label at the top of the format teaches nothing (A4.2); the next sample's draws are those of step 1."""
    blob = start(EVEN, 2)
    learner, head = begun(EVEN, blob, known=31, horizon_log2=0, replays=0), head_of_blob(EVEN, blob)
    for one in (learner._head, head):
        one.bias = np.array([2**30 - 1, 0, 0, 0, 0])
        one.matrix = np.zeros_like(one.matrix)
    generator = np.random.default_rng(seed)
    for label in (0, 1):
        x = sample(EVEN, generator)
        while not features_of(learner, x).any():  # no feature, no update of a weight
            x = sample(EVEN, generator)
        step_of(head, features_of(learner, x), label)
        learner.learn(x, label)
        assert np.array_equal(learner._head.matrix, head.matrix)
        assert bool(learner._head.matrix.any()) == (label == 1)


def test_o4_3_a_closed_label_is_opened_before_the_head_steps(start: MakeBlob, seed: int) -> None:
    """Logits and error are those of the opened row: the step is that of a head whose row is opened by hand."""
    layout = EVEN
    blob = start(layout, 2)
    learner = begun(layout, blob, known=0b00111, horizon_log2=0, replays=0)
    head = deepcopy(learner._head)
    x = sample(layout, np.random.default_rng(seed))
    features = features_of(learner, x)
    head.matrix[3], head.bias[3] = opened_row(head.matrix, head.bias, [0, 1, 2], features, learner._shift)
    step_of(head, features, 3)
    outcome = learner.learn(x, 3)
    assert outcome is not None
    assert outcome.opened
    assert np.array_equal(learner._head.matrix, head.matrix)
    assert np.array_equal(learner._head.bias, head.bias)


def page_statistics(mean: int, variance: int, v: int, count: int) -> tuple[int, int]:
    """O2.1 and O2.2 for one input. count: k."""
    gain = (2**24 + count // 2) // count
    delta = v * 2**15 - mean
    mean += rshift(delta * gain, 24)
    a, b = rshift(delta, 15), rshift(v * 2**15 - mean, 15)
    return mean, variance + rshift((a * b - variance) * gain, 24)


def test_o2_2_statistics_are_welfords_then_exponential(start: MakeBlob, seed: int) -> None:
    layout = ODD
    generator = np.random.default_rng(seed)
    learner = begun(layout, start(layout, 1), horizon_log2=4)
    wanted = [(0, 0)] * 7
    for count in range(60):
        x = sample(layout, generator, 32768)
        learner.learn(x, 1)
        k = min(count + 1, 2**4)
        wanted = [page_statistics(*pair, int(v), k) for pair, v in zip(wanted, x, strict=True)]
    found = learner.statistics()
    assert list(zip(found.mean.tolist(), found.variance.tolist(), strict=True)) == wanted


def test_o2_3_deviations_of_few_units_are_coarse_and_of_many_are_not(seed: int) -> None:
    """The standard deviation of 1,000 normal samples, as the statistics have it, against the exact one."""
    generator = np.random.default_rng(seed)
    normal = generator.normal(0, 1, 1000)

    def error(deviation: float) -> float:
        statistics = Statistics(np.zeros(1, np.int64), np.zeros(1, np.int64))
        x = np.rint(normal * deviation + 100).astype(np.int64)
        for count, value in enumerate(x, 1):
            statistics = moved_statistics(statistics, np.array([value]), count)
        return abs(float(statistics.variance[0]) ** 0.5 / (normal.std() * deviation) - 1)

    assert error(3000) < 0.01
    assert error(300) < 0.01
    assert error(0.6) > 0.1


def test_o2_3_with_o3_the_scale_of_inputs_does_not_matter(seed: int) -> None:
    """The same sound at a tenth of the size: nearly the same standardised numbers.

    A number, its mean before and after the shift are each rounded by half a unit at most; y is rounded, too; and a
    deviation of 300 units or more is exact to 1 % (the test above).
    """
    generator = np.random.default_rng(seed)
    rows = generator.normal(0, 1, (400, 3))
    found, scales = [], (400, 4000)
    for scale in scales:
        x = np.rint(rows * scale).astype(np.int64)
        statistics = Statistics(np.zeros(3, np.int64), np.zeros(3, np.int64))
        for count, row in enumerate(x, 1):
            statistics = moved_statistics(statistics, row, count)
        found.append(standardised(statistics, x[-1], 15, 11))
    rounded = sum(2**11 * 1.5 / scale + 0.5 for scale in scales)
    assert np.abs(found[0] - found[1]).max() <= rounded + 0.02 * np.abs(found[1]).max()


def test_o3_1_samples_of_the_warm_up_serve_the_statistics_alone(start: MakeBlob, seed: int) -> None:
    layout = EVEN
    blob = start(layout, 1)
    learner = begun(layout, blob, known=3, standardise=True, warm_up=4)
    fresh = learner.blob()
    generator = np.random.default_rng(seed)
    for count in range(1, 5):
        assert learner.learn(sample(layout, generator), 2) is None
        assert (learner.blob(), learner.report().samples, learner.report().known) == (fresh, 0, 3)
        assert learner._seen == count
        assert not learner.prototypes().any()
    assert learner.statistics().variance.any()
    assert learner.learn(sample(layout, generator), 1) is not None
    assert learner.report().samples == 1
    assert learner.blob() != fresh


def page_standardised(v: int, mean: int, s: int, bx: int, fx: int) -> int:
    """O3.2."""
    if s == 0:
        return 0
    z = (32 - s.bit_length()) // 2 * 2
    m = s * 2**z
    k, f = (m >> 25) - 32, (m >> 9) & 65535
    high, low = (round(2**15 * math.sqrt(32 / (32 + one))) for one in (k, k + 1))
    r = high - (((high - low) * f) >> 16)
    shift = min(max(30 - z // 2 - fx, 0), 31)
    return 0 if shift == 31 else sats(rshift((v - rshift(mean, 15)) * r, shift), bx)


@pytest.mark.parametrize(("bx", "fx"), [(15, 12), (9, 6), (7, -8), (15, 30)])
def test_o3_2_a_standardised_input_is_its_distance_in_deviations(bx: int, fx: int, seed: int) -> None:
    generator = np.random.default_rng(seed)
    for _ in range(40):
        x = generator.integers(-32768, 32768, 5)
        mean = generator.integers(-(2**30), 2**30, 5)
        variance = 2 ** generator.integers(0, 31, 5) + generator.integers(0, 2, 5) - 1
        found = standardised(Statistics(mean, variance), x, bx, fx)
        assert found.tolist() == [
            page_standardised(*(int(one) for one in row), bx, fx) for row in zip(x, mean, variance, strict=True)
        ]
    exact = (20000 - 5000) / math.sqrt(4_000_000)
    one = standardised(Statistics(np.array([5000 << 15]), np.array([4_000_000])), np.array([20000]), 15, 11)
    assert one[0] / 2**11 == pytest.approx(exact, rel=1 / 8000 + 2**-13)


def test_o5_1_prototypes_are_the_mean_of_their_class_then_of_the_newest(start: MakeBlob, seed: int) -> None:
    layout = EVEN
    learner = begun(layout, start(layout, 1), known=31, replays=0, horizon_log2=0)
    assert layout.head is not None
    width, generator = layout.head.input_width, np.random.default_rng(seed)
    wanted, counts = {label: [0] * layout.head.inputs for label in range(5)}, [0] * 5
    for _ in range(90):
        x, label = sample(layout, generator), int(generator.integers(2))
        features = features_of(learner, x)
        learner.learn(x, label)
        k = min(counts[label] + 1, 16)
        gain = (2**15 + k // 2) // k
        wanted[label] = [
            p + rshift((int(v) * 2 ** (15 - width) - p) * gain, 15)
            for p, v in zip(wanted[label], features, strict=True)
        ]
        counts[label] = k
    assert learner.prototypes().tolist() == list(wanted.values())


def test_o5_1_the_first_sample_of_a_class_is_its_prototype(start: MakeBlob, seed: int) -> None:
    layout = EVEN
    learner = begun(layout, start(layout, 1), known=31, replays=0, horizon_log2=0)
    assert layout.head is not None
    x = sample(layout, np.random.default_rng(seed))
    features = features_of(learner, x)
    learner.learn(x, 2)
    assert learner.prototypes()[2].tolist() == (features << (15 - layout.head.input_width)).tolist()
    assert not learner.prototypes()[[0, 1, 3, 4]].any()


def static_bytes(layout: Plan) -> dict[str, int]:
    """Every variable of the learner's C, which allocates nothing, and its size."""
    with _build(layout, None).open("rb") as file:
        symbols = ELFFile(file).get_section_by_name(".symtab").iter_symbols()
        return {one.name: one["st_size"] for one in symbols if one["st_info"]["type"] == "STT_OBJECT"}


def test_o5_3_a_class_costs_two_bytes_a_feature_and_no_sample_is_kept() -> None:
    """What the samples of a stream could be kept in does not exist: its memory grows with outputs alone."""
    networks = [Network("net", 6, (Dense(8, "relu"), Dense(outputs))) for outputs in (5, 9)]
    few, many = (static_bytes(plan(network)) for network in networks)
    assert (few["prototypes"], many["prototypes"]) == (5 * 2 * 8, 9 * 2 * 8)
    assert few["features"] == many["features"] == 2 * 8  # the sample at hand


def page_opened(
    matrix: np.ndarray, bias: np.ndarray, known: list[int], x: np.ndarray, shift: int
) -> tuple[list[int], int, int]:
    """O6.1 and O6.2: the new row and bias, and its logit before the imprint."""
    factor = (2**15 + len(known) // 2) // len(known)
    row = [rshift(factor * sum(int(matrix[one, i]) for one in known), 15) for i in range(len(x))]
    own = rshift(factor * sum(int(bias[one]) for one in known), 15)
    logit = sats(rshift(own + sum(w * int(v) for w, v in zip(row, x, strict=True)), shift), 15)
    largest = max(
        sats(rshift(int(bias[one]) + sum(int(w) * int(v) for w, v in zip(matrix[one], x, strict=True)), shift), 15)
        for one in known
    )
    gap, q = largest - logit, sum(int(v) ** 2 for v in x)
    if gap > 0 and q > 0:
        c = min(gap * 2 ** (shift + 8) // q, 2**46 - 1)
        row = [sats(w + sats(rshift(c * int(v), 8), 17), 15) for w, v in zip(row, x, strict=True)]
    return row, own, logit


@pytest.mark.parametrize("limit", [40, 3000, 32768])
@pytest.mark.parametrize("known", [[0], [1, 3], [0, 2, 4]])
def test_o6_1_and_o6_2_a_new_row_is_the_mean_of_the_known_and_an_imprint(
    known: list[int], limit: int, seed: int
) -> None:
    generator = np.random.default_rng(seed)
    for _ in range(20):
        matrix, bias = generator.integers(-limit, limit, (5, 9)), generator.integers(-(2**20), 2**20, 5)
        x = generator.integers(0, 512, 9) * generator.integers(0, 2)
        row, own = opened_row(matrix, bias, known, x, 11)
        wanted, wanted_bias, _ = page_opened(matrix, bias, known, x, 11)
        assert (row.tolist(), own) == (wanted, wanted_bias)


def largest_shortfall(x: np.ndarray, shift: int) -> float:
    """How far O6.2's new logit may stay below the largest, from its roundings, where nothing saturates.

    c is rounded down by less than 1, so the row loses less than x_i / 2^8; rshift of the row loses at most 1/2 of each
    weight; and three logits are rounded by at most 1/2 each: Z, z' and the new one.
    """
    q, total = sum(int(v) ** 2 for v in x), sum(abs(int(v)) for v in x)
    return float(q / 2 ** (8 + shift) + total / 2 ** (1 + shift) + 1.5)


def test_o6_2_the_samples_class_has_one_of_the_largest_logits_afterwards(seed: int) -> None:
    generator = np.random.default_rng(seed)
    for _ in range(30):
        matrix, bias = generator.integers(-3000, 3000, (5, 20)), generator.integers(-(2**18), 2**18, 5)
        x, known, shift = generator.integers(0, 512, 20), [0, 1, 2, 3], 10
        row, own = opened_row(matrix, bias, known, x, shift)
        largest = max(rshift(int(bias[one] + matrix[one] @ x), shift) for one in known)
        assert rshift(own + int(row @ x), shift) >= largest - largest_shortfall(x, shift)


def test_o6_3_a_label_without_an_output_is_refused_and_changes_nothing(layout: Plan, start: MakeBlob) -> None:
    """And every output that is not known at the beginning can become a class."""
    blob = start(layout, 4)
    outputs = layout.network.outputs
    for learner in (ReferenceLearner(layout), NativeLearner(layout)):
        learner.begin(blob, Settings(known=1, threshold=0), RATE)
        before = learner.blob()
        for label in (outputs, 255, -1):
            with pytest.raises(CompileError, match="has no output"):
                learner.learn(np.ones(layout.network.input_size, np.int16), label)
        assert (learner.blob(), learner.report().samples) == (before, 0)
        generator = np.random.default_rng(1)
        for label in range(1, outputs):
            outcome = learner.learn(sample(layout, generator), label)
            assert outcome is not None
            assert outcome.opened
        assert (learner.report().opened, learner.report().known) == (outputs - 1, 2**outputs - 1)


def page_detector(losses: list[int], slack: int, threshold: int) -> tuple[int, int, int, int | None]:
    """O7.1: t, M, U and the place of the first drift."""
    t = mean = excess = 0
    for place, loss in enumerate(losses):
        level = min(loss, 2**13)
        t = min(t + 1, 4096)
        gain = (2**24 + t // 2) // t
        mean += rshift((level * 2**12 - mean) * gain, 24)
        excess = max(0, excess + level - rshift(mean, 12) - slack)
        if t >= 30 and excess > threshold:
            return t, mean, excess, place
    return t, mean, excess, None


@pytest.mark.parametrize(("low", "high"), [(100, 300), (0, 2**31 - 1), (1500, 2500)])
@pytest.mark.parametrize("threshold", [1, 2000, 30720])
def test_o7_1_the_detector_is_page_and_hinkleys(low: int, high: int, threshold: int, seed: int) -> None:
    generator = np.random.default_rng(seed)
    losses = [int(one) for one in generator.integers(low, high, 6000)]
    losses[4500:] = [one * 3 + 900 for one in losses[4500:]]
    detector = Detector()
    place = next((place for place, loss in enumerate(losses) if detector.add(loss, 410, threshold)), None)
    assert (detector.samples, detector.mean, detector.excess, place) == page_detector(losses, 410, threshold)
    early = Detector()
    assert [early.add(loss, 410, 1) for loss in [0] * 25 + [8192] * 5] == [False] * 29 + [True]  # from t = 30 on
    off = Detector()
    assert not any(off.add(loss, 410, 0) for loss in losses)


def test_o7_2_samples_of_a_new_class_are_no_drift(start: MakeBlob, seed: int) -> None:
    """The sample that opens a class and the 30 after it; the 31st is the detector's."""
    layout = EVEN
    learner = begun(layout, start(layout, 3), known=0b00111, threshold=30720, replays=0, horizon_log2=0)
    generator = np.random.default_rng(seed)
    for count in range(31):
        outcome = learner.learn(sample(layout, generator), 4)
        assert outcome is not None
        assert (outcome.opened, outcome.drift) == (count == 0, False)
        assert learner._detector.samples == 0
    learner.learn(sample(layout, generator), 4)
    assert learner._detector.samples == 1
    learner.learn(sample(layout, generator), 0)
    assert learner._detector.samples == 2


def test_o7_3_after_a_drift_the_detector_the_counts_and_the_statistics_begin_anew(start: MakeBlob, seed: int) -> None:
    """The next sample of a class replaces its prototype; until then the old one is replayed."""
    layout = EVEN
    assert layout.head is not None
    learner = begun(layout, start(layout, 3), known=31, threshold=1, replays=1)
    generator = np.random.default_rng(seed)
    drift, old = False, learner.prototypes()
    for _ in range(400):
        x, label = sample(layout, generator, 32768), int(generator.integers(5))
        features, old = features_of(learner, x), learner.prototypes()
        outcome = learner.learn(x, label)
        assert outcome is not None
        drift = outcome.drift
        if drift:
            break
    assert drift
    assert (learner._detector.samples, learner.report().mean_loss, learner.report().excess) == (0, 0, 0)
    assert learner._seen == 16
    new = learner.prototypes()
    assert new[label].tolist() == (features << (15 - layout.head.input_width)).tolist()
    others = [one for one in range(5) if one != label]
    assert np.array_equal(new[others], old[others])
    assert all(learner._has_prototype[one] for one in others if old[one].any())
    assert [learner._counts[one] for one in others] == [0] * 4
