"""The NumPy reference of docs/reference/online.md: one function a rule."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from jaragua_compiler.errors import CompileError
from jaragua_compiler.online.learner import Outcome, Report, Settings, Statistics, head_of
from jaragua_compiler.planning.plan import LOGIT_EXPONENT, PROBABILITY_EXPONENT, Plan
from jaragua_compiler.quantisation.blob import Int16Array, IntArray, exponents
from jaragua_compiler.quantisation.exponents import tensor_exponents
from jaragua_compiler.quantisation.rate import LearningRate
from jaragua_compiler.reference.arithmetic import Block, magnitude, rshift, sats, softmax_error
from jaragua_compiler.reference.dense import ReferenceDense
from jaragua_compiler.reference.engine import ReferenceEngine, checked_vector

CLOSED_BIAS = -(1 << 30)  # O4.1
FULL_WIDTH = 15
ROOT_TABLE = np.array([round(2**15 * float(np.sqrt(32 / (32 + k)))) for k in range(97)])  # O3.2: R
PROTOTYPE_SAMPLES = 16  # O5.1
RECENT_SAMPLES = 64  # O8
YOUNG_SAMPLES = 30  # O7.2
MOST_LOSS = 1 << 13  # O7.1
LONGEST_MEAN = 4096
LEAST_SAMPLES = 30
SEEN_AFTER_DRIFT = 16  # O7.3


def gain(count: int) -> int:
    """O2.1, Q24."""
    return ((1 << 24) + count // 2) // count


def small_gain(count: int) -> int:
    """O5.1, Q15."""
    return (32768 + count // 2) // count


def moved_statistics(statistics: Statistics, x: IntArray, count: int) -> Statistics:
    """O2.2."""
    before = (x << 15) - statistics.mean
    mean = statistics.mean + rshift(before * gain(count), 24)
    square = rshift(before, 15) * rshift((x << 15) - mean, 15)
    return Statistics(mean, statistics.variance + rshift((square - statistics.variance) * gain(count), 24))


def standardised(statistics: Statistics, x: IntArray, width: int, exponent: int) -> IntArray:
    """O3.2."""
    pairs = zip(x.tolist(), statistics.mean.tolist(), statistics.variance.tolist(), strict=True)
    return np.array([_standardised(value, mean, variance, width, exponent) for value, mean, variance in pairs])


def _standardised(x: int, mean: int, variance: int, width: int, exponent: int) -> int:
    if variance == 0:
        return 0
    zeros = (32 - variance.bit_length()) & ~1
    scaled = variance << zeros
    index, fraction = (scaled >> 25) - 32, (scaled >> 9) & 65535
    high, low = int(ROOT_TABLE[index]), int(ROOT_TABLE[index + 1])
    root = high - (((high - low) * fraction) >> 16)
    shift = min(max(30 - zeros // 2 - exponent, 0), 31)
    deviation = x - _rshift(mean, 15)
    return 0 if shift == 31 else _sats(_rshift(deviation * root, shift), width)


def opened_row(matrix: IntArray, bias: IntArray, known: list[int], x: IntArray, shift: int) -> tuple[IntArray, int]:
    """O6: the weights and the bias of a new row. x: features of its first sample; shift: S."""
    share = small_gain(len(known))
    row = rshift(share * matrix[known].sum(axis=0), 15)
    own_bias = _rshift(share * int(bias[known].sum()), 15)
    largest = int(sats(rshift(bias[known] + matrix[known] @ x, shift), 15).max())
    gap = largest - _sats(_rshift(own_bias + int(row @ x), shift), 15)
    squares = int(x @ x)
    if gap <= 0 or squares == 0:
        return row, own_bias
    imprint = min((gap << (shift + 8)) // squares, (1 << 46) - 1)
    return sats(row + sats(rshift(imprint * x, 8), 17), 15), own_bias


class Detector:
    """O7.1."""

    def __init__(self) -> None:
        self.samples = 0
        self.mean = 0
        self.excess = 0

    def add(self, loss: int, slack: int, threshold: int) -> bool:
        """Take one loss; is there drift?"""
        if threshold == 0:
            return False
        clipped = min(loss, MOST_LOSS)
        self.samples = min(self.samples + 1, LONGEST_MEAN)
        self.mean += _rshift(((clipped << 12) - self.mean) * gain(self.samples), 24)
        self.excess = max(0, self.excess + clipped - _rshift(self.mean, 12) - slack)
        return self.samples >= LEAST_SAMPLES and self.excess > threshold


class ReferenceLearner:
    """A Learner in NumPy."""

    def __init__(self, plan: Plan) -> None:
        """Raises CompileError if this network cannot learn online (O1.1)."""
        self.plan = plan
        self._layer = head_of(plan)
        self._engine = ReferenceEngine(plan)
        self._report = Report()

    def begin(self, blob: bytes, settings: Settings, rate: LearningRate) -> None:
        """Begin anew on a copy of these weights. Raises CompileError."""
        settings.check(self._layer.outputs)
        rate.check()
        self._engine.load(blob)
        self._engine.set_seed(0)
        self._head.dither_layer = 0
        self._settings, self._rate = settings, rate
        found = exponents(self.plan, blob)
        self._input_exponent = tensor_exponents(self.plan, found)[0]
        self._shift = found.weights[self._layer.index] + found.inputs[self._layer.index] - LOGIT_EXPONENT
        inputs, outputs = self.plan.network.input_size, self._layer.outputs
        self._seen = 0
        self._statistics = Statistics(np.zeros(inputs, dtype=np.int64), np.zeros(inputs, dtype=np.int64))
        self._prototypes = np.zeros((outputs, self._layer.inputs), dtype=np.int64)
        self._counts, self._ages = [0] * outputs, [YOUNG_SAMPLES] * outputs
        self._has_prototype = [False] * outputs
        self._detector = Detector()
        self._ring = 0
        self._report = Report(known=settings.known & ((1 << outputs) - 1))
        self._close_rows()

    def resume(self, settings: Settings, rate: LearningRate) -> None:
        """Go on with other settings (all but `known`) and another rate. Raises CompileError."""
        settings.check(self._layer.outputs)
        rate.check()
        self._settings, self._rate = settings, rate

    def learn(self, x: npt.ArrayLike, label: int) -> Outcome | None:
        """Predict, then learn from one sample, int16 [inputs]; None while the statistics warm up (O3.1)."""
        if not 0 <= label < self._layer.outputs:
            raise CompileError(f"the label {label} has no output.", f"Labels are 0..{self._layer.outputs - 1}.")
        values = self._prepared(checked_vector(x, self.plan.network.input_size, "inputs").astype(np.int64))
        if values is None:
            return None
        features = self._engine.features(values.astype(np.int16))
        evaluated = softmax_error(self._head.forward([features]), label)
        self._count(evaluated.correct)
        opened, drift = not self._is_known(label), False
        if opened:
            self._open(label, features)
        else:
            drift = self._watch(label, evaluated.loss)
        self._step(features, label)
        self._remember(features, label)
        for _ in range(self._settings.replays):
            self._replay()
        return Outcome(evaluated.correct, opened, drift, evaluated.loss)

    def blob(self) -> bytes:
        """The weights as they are now."""
        return self._engine.blob()

    def report(self) -> Report:
        """Where the learner stands (O8)."""
        return replace(self._report, mean_loss=self._detector.mean, excess=self._detector.excess)

    def statistics(self) -> Statistics:
        """O2."""
        return self._statistics

    def prototypes(self) -> Int16Array:
        """O5.1."""
        return self._prototypes.astype(np.int16)

    @property
    def _head(self) -> ReferenceDense:
        head = self._engine.layers[-1]
        assert isinstance(head, ReferenceDense)
        return head

    def _is_known(self, label: int) -> bool:
        return bool(self._report.known >> label & 1)

    def _known(self) -> list[int]:
        return [label for label in range(self._layer.outputs) if self._is_known(label)]

    def _close_rows(self) -> None:
        """O4.1."""
        closed = [label for label in range(self._layer.outputs) if not self._is_known(label)]
        self._head.matrix[closed] = 0
        self._head.bias[closed] = CLOSED_BIAS

    def _prepared(self, x: IntArray) -> IntArray | None:
        """O2 and O3."""
        if self._settings.horizon_log2 == 0:
            return x
        self._seen = min(self._seen + 1, 1 << self._settings.horizon_log2)
        self._statistics = moved_statistics(self._statistics, x, self._seen)
        if not self._settings.standardise:
            return x
        if self._seen <= self._settings.warm_up:
            return None
        return standardised(self._statistics, x, self.plan.input_width, self._input_exponent)

    def _step(self, x: IntArray, label: int) -> None:
        """O4.3."""
        error = softmax_error(self._head.forward([x]), label).error
        if magnitude(error):
            self._head.backward([x], Block(error, PROBABILITY_EXPONENT), self._rate)
        self._engine.end_step()

    def _remember(self, x: IntArray, label: int) -> None:
        """O5.1."""
        self._counts[label] = min(self._counts[label] + 1, PROTOTYPE_SAMPLES)
        self._has_prototype[label] = True
        distance = (x << (FULL_WIDTH - self._layer.input_width)) - self._prototypes[label]
        self._prototypes[label] += rshift(distance * small_gain(self._counts[label]), 15)

    def _replay(self) -> None:
        """O5.2."""
        self._ring = (self._ring + 1) % self._layer.outputs
        while not self._has_prototype[self._ring]:
            self._ring = (self._ring + 1) % self._layer.outputs
        width = self._layer.input_width
        recalled = rshift(self._prototypes[self._ring], FULL_WIDTH - width)
        self._step(np.minimum(recalled, (1 << width) - 1), self._ring)

    def _open(self, label: int, x: IntArray) -> None:
        """O6."""
        head = self._head
        head.matrix[label], head.bias[label] = opened_row(head.matrix, head.bias, self._known(), x, self._shift)
        self._ages[label] = 0
        self._report = replace(
            self._report,
            known=self._report.known | 1 << label,
            opened=self._report.opened + 1,
            opened_at=self._report.samples,
            opened_label=label,
        )

    def _watch(self, label: int, loss: int) -> bool:
        """O7."""
        if self._ages[label] < YOUNG_SAMPLES:
            self._ages[label] += 1
            return False
        if not self._detector.add(loss, self._settings.slack, self._settings.threshold):
            return False
        self._detector = Detector()
        self._counts = [0] * len(self._counts)
        self._seen = min(self._seen, SEEN_AFTER_DRIFT)
        self._report = replace(self._report, drifts=self._report.drifts + 1, drift_at=self._report.samples)
        return True

    def _count(self, correct: bool) -> None:
        """O8."""
        report = self._report
        distance = (32768 if correct else 0) - report.recent
        recent = report.recent + _rshift(distance * small_gain(min(report.samples + 1, RECENT_SAMPLES)), 15)
        self._report = replace(report, samples=report.samples + 1, correct=report.correct + correct, recent=recent)


def _rshift(value: int, shift: int) -> int:
    """A1.1 of one number."""
    return (value + (1 << shift >> 1)) >> shift


def _sats(value: int, bits: int) -> int:
    """A1.2 of one number."""
    return min(max(value, -(1 << bits)), (1 << bits) - 1)
