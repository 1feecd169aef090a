"""Virtual devices in NumPy, for machines without a C compiler.

The integer devices run the compiler's reference engine, so they give the same bits as the C (arithmetic.md).
Those of float32 add in another order than the C, so they differ from it in the last bits. Both are a hundred times
slower than the C and more.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
from numpy.typing import NDArray

from jaragua.coordinator.weights.codec import ModelCodec
from jaragua.node.step_limits import step_limits
from jaragua.node.training.proximal_decay import NO_DECAY, decayed
from jaragua.simulation.clients.engine import Closing, Evaluation, Trained, VirtualFleet
from jaragua.simulation.clients.float_clients import FloatFleet
from jaragua.simulation.clients.integer_clients import plan_for
from jaragua.simulation.clients.samples import Batch, Lessons, asked_of, in_one_pass, one_lesson_each, require_classes
from jaragua.simulation.evaluation.figures import FIGURES, loss_unit, scores
from jaragua.strategies import WHOLE_SET, ClientWork, Vector
from jaragua.strategies.enrolment import prototype_layer
from jaragua.strategies.vectors import flat, layers_of
from jaragua_compiler import Dense, LearningRate, ReferenceEngine
from jaragua_compiler.engine_protocol import StepResult
from jaragua_compiler.engines.host_build import has_compiler
from jaragua_compiler.floating.engine import FloatEngine
from jaragua_compiler.graph.initial_weights import Weights
from jaragua_compiler.planning.plan import Plan
from jaragua_compiler.quantisation.blob import (
    Int16Array,
    exponents,
    quantise_inputs,
    quantise_targets,
)
from jaragua_models import Model

Sample: TypeAlias = tuple[Int16Array, Int16Array]
"""Inputs and targets of one sample in the engine's integers."""


def _devices(batch: Batch) -> Iterator[Batch]:
    """Each device's samples alone."""
    return (batch.part(one, one + 1) for one in range(len(batch)))


def _step_size(work: ClientWork, samples: int) -> int:
    """Samples of one step. samples: those of a pass."""
    return samples if work.batch == WHOLE_SET else min(work.batch, samples)


class ReferenceFleet(Closing):
    """Devices of one network in the boards' integers: the same bits as IntegerFleet."""

    def __init__(self, model: Model, codec: ModelCodec, samples: int | None = None, classes: int | None = None) -> None:
        """samples: asked for of a task; FedProx's proximal decay depends on it. classes: there is room for (A12)."""
        super().__init__()
        self._model, self._codec, self._samples = model, codec, samples
        self._classes = classes
        self._engines: dict[tuple[bool, bool, bool], ReferenceEngine] = {}
        """By whether a step takes several samples (A11.1), and there are prototypes (A12) and gradients (A12.9)."""

    def start(self, vector: Vector) -> bytes:
        """The blob, with exponents estimated anew (A2.6)."""
        return self._codec.pack(vector)

    def numbers(self, start: bytes) -> Vector:
        """The numbers of the blob."""
        return self._codec.unpacked(start)

    def train(self, start: bytes, work: ClientWork, batch: Batch) -> Trained:
        """Every device of the batch does the work, from the same blob."""
        work, batch = in_one_pass(work, batch)
        begun, figures = self.numbers(start), np.zeros(len(batch), FIGURES)
        learned = np.empty((len(batch), len(begun)))
        proximal_decay = work.proximal_decay(asked_of(batch, self._samples))
        for row, one in enumerate(_devices(batch)):
            learned[row] = self.numbers(self._learn(start, work, proximal_decay, one, figures[row]).blob()) - begun
        samples = batch.trained * work.passes
        return Trained(learned, float(figures["loss"].sum()) * loss_unit(self._codec.plan, start) / samples)

    def adapt(self, start: bytes, work: ClientWork, support: Batch, query: Batch) -> Evaluation:
        """Before and after adaptation, each device on its own query samples."""
        work, support = in_one_pass(work, support)
        before, after, unused = (np.zeros(len(support), FIGURES) for _ in range(3))
        answers: list[int] = []
        proximal_decay = work.proximal_decay(asked_of(support, self._samples))
        for row, (learnt, asked) in enumerate(zip(_devices(support), _devices(query), strict=True)):
            engine = self._engine(work, 1)
            engine.load(start)
            samples = list(self._quantised(engine.plan, start, asked))
            _count(engine.evaluate, samples, before[row])
            adapted = self._learn(start, work, proximal_decay, learnt, unused[row])
            _count(adapted.evaluate_prototypes if work.prototypes else adapted.evaluate, samples, after[row])
            answers += [_answer(adapted, work, x) for x, _ in samples]
        unit = loss_unit(self._codec.plan, start)
        one, other = (scores(self._model, unit, figures, query.counts) for figures in (before, after))
        return Evaluation(one, other, np.array(answers, np.int64))

    def _learn(
        self, start: bytes, work: ClientWork, proximal_decay: int, one: Batch, figures: np.void
    ) -> ReferenceEngine:
        """The engine after one device's work: what integer_clients.c does (jrg_integer_learn)."""
        lessons = one.lessons or one_lesson_each(one)
        step, seed = _step_size(work, max(int(lessons.trained[0]), 1)), int(one.seeds[0])
        engine = self._engine(work, step)
        samples = list(self._quantised(engine.plan, start, one))
        engine.load(start)
        engine.set_accumulation(step)
        found = exponents(self._codec.plan, start)
        engine.set_limits(step_limits(self._codec.plan, found, work))
        engine.set_seed(seed & 0xFFFFFFFF)
        jobs = 0
        for lesson in _lessons(samples, lessons) * (work.passes if one.trained else 0):
            jobs += self._episode(engine, work, lesson, seed + jobs, figures)
            if proximal_decay != NO_DECAY:
                engine.load(decayed(self._codec.plan, start, engine.blob(), proximal_decay))
            if proximal_decay != NO_DECAY or work.prototypes or one.trained % step:
                engine.set_seed((seed + jobs) & 0xFFFFFFFF)  # on a board the next pass is a job of its own
        _enrol(engine, work, samples[: int(lessons.enrolled[0]) or None])
        return engine

    def _episode(
        self,
        engine: ReferenceEngine,
        work: ClientWork,
        lesson: tuple[list[Sample], list[Sample]],
        seed: int,
        figures: np.void,
    ) -> int:
        """One episode: its enrolled and its trained samples. seed: of its first job. Returns the jobs of a board."""
        enrolled, trained = lesson
        _enrol(engine, work, enrolled or trained)
        self._pass(engine, work, trained, figures)
        if not work.episode_queries:
            return 1
        engine.set_seed((seed + 1) & 0xFFFFFFFF)
        for x, target in enrolled:
            engine.train_enrolled(x, int(target[0]), LearningRate.from_float(work.learning_rate))
        return 2

    def _engine(self, work: ClientWork, step: int) -> ReferenceEngine:
        kind = step > 1, work.prototypes, bool(work.episode_queries)
        if kind not in self._engines:
            found = plan_for(self._codec.plan, work, self._classes)
            self._engines[kind] = ReferenceEngine(replace(found, accumulate=step > 1))
        return self._engines[kind]

    @staticmethod
    def _pass(engine: ReferenceEngine, work: ClientWork, samples: list[Sample], figures: np.void) -> None:
        rate = LearningRate.from_float(work.learning_rate)
        step = engine.train_prototypes if work.prototypes else engine.train_step
        _count(lambda x, target: step(x, target, rate), samples, figures)
        engine.apply()

    def _quantised(self, plan: Plan, start: bytes, one: Batch) -> Iterator[Sample]:
        found = exponents(plan, start)
        return zip(quantise_inputs(plan, found, one.x), quantise_targets(plan, found, one.y), strict=True)


def _count(call: Callable[[Int16Array, Int16Array], StepResult], samples: list[Sample], figures: np.void) -> None:
    """Adds what a call says of each sample."""
    for x, target in samples:
        result = call(x, target)
        figures["correct"] += result.correct
        figures["loss"] += result.loss


def _places(lessons: Lessons) -> list[tuple[range, range]]:
    """The places of the enrolled and of the trained samples of each episode of one device."""
    found, first = [], 0
    for enrolled, trained in zip(lessons.enrolled.tolist(), lessons.trained.tolist(), strict=True):
        middle = first + enrolled
        found.append((range(first, middle), range(middle, middle + trained)))
        first = middle + trained
    return found


def _of_prototypes(engine: FloatEngine, temperature: float, x: npt.ArrayLike, label: int) -> NDArray[np.float64]:
    """A12.9: the gradient of the loss of one sample with respect to the prototypes, [outputs, features].

    W = 2 T p and b = -T |p|² are the engine's last layer (`prototype_layer`), so dL/dp = 2 T e x - W e.
    """
    tensors = engine.trace(np.asarray(x)[None]).tensors
    features = tensors[engine.network.operands(len(engine.network.layers) - 1)[0]][0].astype(np.float64)
    outputs = tensors[-1][0].astype(np.float64)
    powers = np.exp(outputs - outputs.max())
    error = powers / powers.sum()
    error[label] -= 1
    found: NDArray[np.float64] = error[:, None] * (2 * temperature * features - engine.weights[-1][0])
    return found


def _lessons(samples: list[Sample], lessons: Lessons) -> list[tuple[list[Sample], list[Sample]]]:
    """The enrolled and the trained samples of each episode of one device."""
    return [
        (samples[enrolled.start : enrolled.stop], samples[trained.start : trained.stop])
        for enrolled, trained in _places(lessons)
    ]


def _enrol(engine: ReferenceEngine, work: ClientWork, samples: list[Sample]) -> None:
    """Prototypes of these samples, if the work has any (A12.1)."""
    if work.prototypes:
        engine.set_temperature(LearningRate.from_float(work.temperature))
        engine.forget_all()
        for x, target in samples:
            engine.enrol(x, int(target[0]))


def _answer(engine: ReferenceEngine, work: ClientWork, x: Int16Array) -> int:
    return engine.recognise(x).label if work.prototypes else int(engine.forward(x).argmax())


class NumpyFloatFleet(Closing):
    """Devices of one network in float32: what FloatFleet does in C."""

    def __init__(self, model: Model, samples: int | None = None) -> None:
        """samples: asked for of a task; FedProx's proximal decay depends on it."""
        super().__init__()
        self._model, self._network, self._samples = model, model.network, samples
        self._shapes = [model.network.weight_shapes(index) for index in model.network.weighted]

    def start(self, vector: Vector) -> bytes:
        """All weights in float32, little endian."""
        return vector.astype("<f4").tobytes()

    def numbers(self, start: bytes) -> Vector:
        """The weights in float32."""
        return np.frombuffer(start, "<f4").astype(np.float64)

    def train(self, start: bytes, work: ClientWork, batch: Batch) -> Trained:
        """Every device of the batch does the work, from the same weights."""
        require_classes(batch, self._network)
        work, batch = in_one_pass(work, batch)
        begun, kept, loss = self.numbers(start), work.kept_after_a_pass(asked_of(batch, self._samples)), 0.0
        learned = np.empty((len(batch), len(begun)))
        for row, one in enumerate(_devices(batch)):
            weights, lost = self._learn(begun, work, kept, one)
            learned[row], loss = self._without_prototypes(weights, begun, work) - begun, loss + lost
        return Trained(learned, loss / (batch.trained * work.passes))

    def adapt(self, start: bytes, work: ClientWork, support: Batch, query: Batch) -> Evaluation:
        """Before and after adaptation, each device on its own query samples."""
        work, support = in_one_pass(work, support)
        begun, kept = self.numbers(start), work.kept_after_a_pass(asked_of(support, self._samples))
        found, answers = np.empty((2, len(support))), np.zeros(0, np.int64)
        for row, (learnt, asked) in enumerate(zip(_devices(support), _devices(query), strict=True)):
            found[0, row] = self._score(begun, asked)
            adapted = self._learn(begun, work, kept, learnt)[0]
            found[1, row] = self._score(adapted, asked)
            answers = np.append(answers, self._engine(adapted).forward(asked.x).argmax(axis=1))
        return Evaluation(found[0], found[1], answers)

    def _learn(self, begun: Vector, work: ClientWork, kept: float, one: Batch) -> tuple[Vector, float]:
        """Weights in float64 after one device's work, and the sum of the losses it saw."""
        engine, loss, lessons = self._engine(begun), 0.0, one.lessons or one_lesson_each(one)
        for lesson in _places(lessons) * work.passes:
            engine = self._enrolled(engine, work, one, lesson[0] or lesson[1])
            engine, lost = self._episode(engine, work, one, lesson)
            loss += lost
            if kept < 1.0:
                engine = self._engine(begun + kept * (flat(engine.weights) - begun))
        last = range(int(lessons.enrolled[0]) or len(one.x))
        return flat(self._enrolled(engine, work, one, last).weights), loss

    def _episode(
        self, engine: FloatEngine, work: ClientWork, one: Batch, lesson: tuple[range, range]
    ) -> tuple[FloatEngine, float]:
        """The engine after one episode, and the sum of the losses. lesson: the enrolled and the trained samples."""
        enrolled, trained = lesson
        step, loss = _step_size(work, max(len(trained), 1)), 0.0
        gradients = np.zeros((self._network.outputs, self._shapes[-1][0][1]))
        for first in range(trained.start, trained.stop, step):
            if work.episode_queries:
                gradients += _of_prototypes(engine, work.temperature, one.x[first], int(one.y[first]))
            places = range(first, min(first + step, trained.stop))
            engine, lost = self._one_step(engine, work, one, places)
            loss += lost
        labels = one.y[enrolled.start : enrolled.stop].astype(np.int64)
        for place, label in zip(enrolled if work.episode_queries else (), labels, strict=False):
            share = gradients[label] / np.count_nonzero(labels == label)
            engine.features_step(one.x[place], share, work.learning_rate)
        return engine, loss

    def _enrolled(self, engine: FloatEngine, work: ClientWork, one: Batch, places: range) -> FloatEngine:
        """The engine with prototypes of these samples in its last layer, which does not learn, if the work has any."""
        if not work.prototypes:
            return engine
        last = self._network.layers[-1]
        samples = one.x[places.start : places.stop]
        features = engine.trace(samples).tensors[self._network.operands(len(self._network.layers) - 1)[0]]
        labels = one.y[places.start : places.stop].astype(np.int64)
        layer = prototype_layer(features, labels, work.temperature, self._network.outputs)
        assert isinstance(last, Dense)
        held = replace(self._network, layers=(*self._network.layers[:-1], replace(last, trainable=False)))
        return FloatEngine(held, [*engine.weights[:-1], layer])

    def _without_prototypes(self, weights: Vector, begun: Vector, work: ClientWork) -> Vector:
        """With the last layer as it was: what a device learned with prototypes is all but it."""
        if not work.prototypes:
            return weights
        head = sum(math.prod(shape) for shape in self._shapes[-1])
        return np.concatenate([weights[:-head], begun[-head:]])

    def _one_step(self, engine: FloatEngine, work: ClientWork, one: Batch, places: range) -> tuple[FloatEngine, float]:
        """The engine after one step on these samples, and the sum of their losses."""
        if len(places) == 1:
            sample = places.start
            return engine, engine.train_step(one.x[sample], one.y[sample], work.learning_rate, work.loss_threshold).loss
        total, loss = np.zeros(len(flat(engine.weights))), 0.0
        for sample in places:
            found = engine.train_step(one.x[sample], one.y[sample], 0.0, work.loss_threshold)
            loss += found.loss
            if not found.loss < work.loss_threshold:
                total += flat(engine.step)
        weights = flat(engine.weights) - work.learning_rate / len(places) * total
        return FloatEngine(engine.network, self._layers(weights)), loss

    def _score(self, weights: Vector, one: Batch) -> float:
        """The model's metric on one device's samples."""
        outputs = self._engine(weights).forward(one.x)
        if self._model.metric == "accuracy":
            return float(np.mean(outputs.argmax(axis=1) == one.y))
        return float(np.mean((outputs - one.y.reshape(outputs.shape)) ** 2))

    def _engine(self, weights: Vector) -> FloatEngine:
        return FloatEngine(self._network, self._layers(weights))

    def _layers(self, weights: Vector) -> Weights:
        return list(layers_of(weights, self._shapes))


def float_fleet(model: Model, workers: int, cache: Path, samples: int | None = None) -> VirtualFleet:
    """Devices in float32: in C, or without a compiler in NumPy. Raises: ToolchainError if the compiler fails."""
    return FloatFleet(model, workers, cache, samples) if has_compiler() else NumpyFloatFleet(model, samples)
