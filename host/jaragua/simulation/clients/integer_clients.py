"""Virtual devices that compute in the boards' integers: the generated C itself (docs/reference/arithmetic.md)."""

from __future__ import annotations

import ctypes
import functools
import math
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from jaragua.coordinator.weights.codec import ModelCodec
from jaragua.errors import ModelError
from jaragua.node.step_limits import step_limits
from jaragua.simulation.clients.batched_dense import BatchedDense, BatchedUpdates, Integers, Task, lanes_can, lanes_fit
from jaragua.simulation.clients.batched_packing import BatchedPacking
from jaragua.simulation.clients.engine import Closing, Evaluation, Trained
from jaragua.simulation.clients.layout import regions, units
from jaragua.simulation.clients.samples import Batch, asked_of, in_one_pass, one_lesson_each
from jaragua.simulation.clients.workers import Workers
from jaragua.simulation.evaluation.figures import FIGURES, Figures, loss_unit, scores
from jaragua.simulation.native import library
from jaragua.strategies import ClientWork, Vector
from jaragua_compiler.codegen.emitter import emitted_files
from jaragua_compiler.engine_protocol import StepLimits
from jaragua_compiler.engines.c_structure import members
from jaragua_compiler.engines.native import kernel_folder
from jaragua_compiler.planning.plan import Plan, with_prototypes
from jaragua_compiler.quantisation.blob import exponents, quantise_inputs, quantise_targets
from jaragua_compiler.quantisation.exponents import Exponents, tensor_exponents
from jaragua_compiler.quantisation.rate import LearningRate
from jaragua_models import Model

_SOURCE: Final = "integer_clients.c"
#: Training steps times bytes of weights below which a second thread costs more than it brings; of devices in step.
_WORTH_A_THREAD: Final = 2_000_000
_WORTH_A_THREAD_IN_STEP: Final = 20_000_000

#: Magnitude bits of the outputs (A2.5), and the largest of all finite numbers.
_WIDEST: Final = 15
_FINITE: Final = sys.float_info.max


Answers = NDArray[np.int32]


class _Limits(ctypes.Structure):
    _fields_ = tuple((name, ctypes.c_uint32) for name in StepLimits._fields)


class _Work(ctypes.Structure):
    _fields_ = members(
        "void *regions, *units; uint32_t regions_count, passes, batch; int32_t proximal_decay; "
        "uint16_t rate_mantissa; uint8_t rate_exponent; "
        "uint8_t prototypes, gradients, temperature_exponent; uint16_t temperature_mantissa; _Limits limits",
        _Limits=_Limits,
    )


class _Samples(ctypes.Structure):
    _fields_ = members("uint32_t clients; void *counts, *seeds, *episodes, *enrolled, *trained, *inputs, *targets")


@dataclass(frozen=True)
class _Quantised:
    """A batch in the device's integers, in arrays that C can read."""

    inputs: NDArray[np.int16]
    targets: NDArray[np.int16]
    counts: NDArray[np.uint32]
    seeds: NDArray[np.uint32]
    episodes: NDArray[np.uint32]
    enrolled: NDArray[np.uint32]
    trained: NDArray[np.uint32]

    def structure(self) -> _Samples:
        """Points into this object's arrays."""
        arrays = (self.counts, self.seeds, self.episodes, self.enrolled, self.trained, self.inputs, self.targets)
        return _Samples(len(self.counts), *(array.ctypes.data for array in arrays))


@dataclass(frozen=True)
class _Scale:
    """What the numbers of a blob stand for; units: one for each row of each region (layout.py)."""

    start: bytes
    exponents: Exponents
    units: NDArray[np.float64]


class IntegerFleet(Closing):
    """Devices of one network. Same start, work and samples give the same bits as a board (tests/simulation)."""

    def __init__(
        self,
        model: Model,
        codec: ModelCodec,
        workers: int,
        cache: Path,
        samples: int | None = None,
        classes: int | None = None,
    ) -> None:
        """samples: of a task as asked for, for FedProx's proximal decay. classes: there is room for, with prototypes.

        Raises: ToolchainError without the C.
        """
        super().__init__()
        self._model = model
        self._codec = codec
        self._samples = samples
        self._classes = classes
        self._plan = codec.plan
        self._regions = regions(self._plan)
        self._parameters = len(codec.initial(0))
        self._count, self._cache = workers, cache
        self._workers: dict[tuple[bool, bool, bool], Workers] = {}
        """By whether their image has sums (A11.1), prototypes (A12) and gradients (A12.9): only what the work needs."""
        self._workers_for(ClientWork(learning_rate=0.5))
        self._lanes = BatchedDense(self._plan, cache) if lanes_fit(self._plan) else None
        self._pack = BatchedPacking(codec, cache).pack if lanes_fit(self._plan) else codec.pack
        self._last = _Scale(b"", Exponents((), (), 0), np.zeros(0))

    def start(self, vector: Vector) -> bytes:
        """The blob, with exponents estimated anew (A2.6)."""
        return self._pack(vector)

    def numbers(self, start: bytes) -> Vector:
        """The numbers of the blob."""
        return self._codec.unpacked(start)

    def train(self, start: bytes, work: ClientWork, batch: Batch) -> Trained:
        """Every device of the batch does the work, from the same blob."""
        work, batch = in_one_pass(work, batch)
        samples = batch.trained * work.passes
        learned: Vector | BatchedUpdates
        if self._lanes and lanes_can(work, batch.counts):
            learned, figures = self._in_step(self._lanes, start, work, batch)
        else:
            learned, figures = self._one_by_one(start, work, batch)
        return Trained(learned, float(figures["loss"].sum()) * loss_unit(self._plan, start) / samples)

    def adapt(self, start: bytes, work: ClientWork, support: Batch, query: Batch) -> Evaluation:
        """Before and after adaptation, each device on its own query samples."""
        work, support = in_one_pass(work, support)
        wanted = self._work(start, work, support)

        def one(copy: ctypes.CDLL, share: tuple[Batch, Batch]) -> tuple[Figures, Figures, Answers]:
            learnt, asked = (self._quantised(start, work, part) for part in share)
            return self._adapt_part(copy, start, wanted, learnt, asked)

        count = self._threads_for(support, wanted.passes)
        results = self._workers_for(work).run(one, list(zip(support.shares(count), query.shares(count), strict=True)))
        before, after = (np.concatenate([result[side] for result in results]) for side in (0, 1))
        unit = loss_unit(self._plan, start)
        return Evaluation(
            scores(self._model, unit, before, query.counts),
            scores(self._model, unit, after, query.counts),
            np.concatenate([result[2] for result in results]).astype(np.int64),
        )

    # ---- C ----

    def _workers_for(self, work: ClientWork) -> Workers:
        kind = work.batch != 1, work.prototypes, bool(work.episode_queries)
        if kind not in self._workers:
            library_path = _build(plan_for(self._plan, work, self._classes), self._cache)
            self._workers[kind] = self._open.enter_context(Workers(library_path, self._count, _declare))
        return self._workers[kind]

    def _one_by_one(self, start: bytes, work: ClientWork, batch: Batch) -> tuple[Vector, Figures]:
        """What each device learned, and its figures."""
        wanted = self._work(start, work, batch)

        def train(copy: ctypes.CDLL, share: Batch) -> tuple[Vector, Figures]:
            samples = self._quantised(start, work, share)
            learned = np.empty((len(share), self._parameters))
            figures = np.zeros(len(share), FIGURES)
            structures = ctypes.byref(wanted), start, ctypes.byref(samples.structure())
            _require_good(copy.jrg_integer_train(*structures, learned.ctypes.data, figures.ctypes.data))
            return learned, figures

        results = self._workers_for(work).run(train, batch.shares(self._threads_for(batch, work.passes)))
        learned, figures = (np.concatenate([result[side] for result in results]) for side in (0, 1))
        return learned, figures

    def _in_step(
        self, lanes: BatchedDense, start: bytes, work: ClientWork, batch: Batch
    ) -> tuple[BatchedUpdates, Figures]:
        """The same; C takes the batch apart."""
        scale, rate = self._scale(start), _rate(work.learning_rate)
        threads = self._threads_for(batch, work.passes, _WORTH_A_THREAD_IN_STEP)
        arrays = *self._quantised_in_c(lanes, scale.exponents, batch), _seeds(batch)
        task = Task(rate, work.passes, step_limits(self._plan, scale.exponents, work).loss_threshold)
        return lanes.train(start, scale.exponents, scale.units, task, arrays, threads)

    def _adapt_part(
        self, copy: ctypes.CDLL, start: bytes, work: _Work, learnt: _Quantised, asked: _Quantised
    ) -> tuple[Figures, Figures, Answers]:
        before, after = (np.zeros(len(learnt.counts), FIGURES) for _ in range(2))
        answers = np.zeros(len(asked.inputs), np.int32)
        structures = learnt.structure(), asked.structure()
        results = (before.ctypes.data, after.ctypes.data, answers.ctypes.data)
        _require_good(copy.jrg_integer_adapt(ctypes.byref(work), start, *map(ctypes.byref, structures), *results))
        return before, after, answers

    def _work(self, start: bytes, work: ClientWork, batch: Batch) -> _Work:
        rate = _rate(work.learning_rate)
        temperature = _rate(work.temperature) if work.prototypes else LearningRate(0, 0)
        return _Work(
            ctypes.cast(self._regions, ctypes.c_void_p),
            self._scale(start).units.ctypes.data,
            len(self._regions),
            work.passes,
            work.batch,
            work.proximal_decay(asked_of(batch, self._samples)),
            rate.mantissa,
            rate.exponent,
            work.prototypes,
            bool(work.episode_queries),
            temperature.exponent,
            temperature.mantissa,
            _Limits(*step_limits(self._plan, self._scale(start).exponents, work)),
        )

    def _quantised(self, start: bytes, work: ClientWork, batch: Batch) -> _Quantised:
        found, plan = self._scale(start).exponents, plan_for(self._plan, work, self._classes)
        lessons = one_lesson_each(batch) if batch.lessons is None else batch.lessons
        return _Quantised(
            inputs=np.ascontiguousarray(quantise_inputs(self._plan, found, batch.x)),
            targets=np.ascontiguousarray(quantise_targets(plan, found, batch.y)),
            counts=batch.counts.astype(np.uint32),
            seeds=_seeds(batch),
            episodes=lessons.episodes.astype(np.uint32),
            enrolled=lessons.enrolled.astype(np.uint32),
            trained=lessons.trained.astype(np.uint32),
        )

    def _quantised_in_c(self, lanes: BatchedDense, found: Exponents, batch: Batch) -> tuple[Integers, Integers]:
        """Inputs and targets. What C will not have the compiler refuses, in words."""
        plan = self._plan
        inputs = lanes.quantised(batch.x, tensor_exponents(plan, found)[0], plan.input_width, _FINITE)
        targets = None
        if not plan.network.classifier:
            targets = lanes.quantised(batch.y, found.output, _WIDEST, math.ldexp(1.0, _WIDEST - found.output))
        return (
            quantise_inputs(plan, found, batch.x) if inputs is None else inputs,
            np.ascontiguousarray(quantise_targets(plan, found, batch.y)) if targets is None else targets,
        )

    def _threads_for(self, batch: Batch, passes: int, worth: int = _WORTH_A_THREAD) -> int:
        weights = int(batch.counts.sum()) * passes * self._plan.blob_bytes
        return self._count if weights > worth else 1

    def _scale(self, start: bytes) -> _Scale:
        """Of a blob; that of the last one is remembered."""
        if self._last.start != start:
            found, last = exponents(self._plan, start), self._last
            self._last = _Scale(start, found, last.units if found == last.exponents else units(self._plan, found))
        return self._last


def _seeds(batch: Batch) -> NDArray[np.uint32]:
    """Seeds of the devices' dither (A8.5)."""
    return (batch.seeds & 0xFFFFFFFF).astype(np.uint32)


@functools.lru_cache
def _rate(value: float) -> LearningRate:
    return LearningRate.from_float(value)


def plan_for(plan: Plan, work: ClientWork, classes: int | None) -> Plan:
    """The plan of an image that can do this work: with sums and prototypes where it needs them.

    classes: that it has room for, with prototypes; None: as many as the network has outputs.
    """
    summed = replace(plan, accumulate=work.batch != 1)
    return with_prototypes(summed, classes, bool(work.episode_queries)) if work.prototypes else summed


def _build(plan: Plan, cache: Path) -> Path:
    sources = emitted_files(plan) | {_SOURCE: library.own_source(_SOURCE)}
    return library.build(sources, kernel_folder(), cache, (), ())


def _declare(copy: ctypes.CDLL) -> None:
    pointer = ctypes.c_void_p
    copy.jrg_integer_train.argtypes = [pointer, ctypes.c_char_p, pointer, pointer, pointer]
    copy.jrg_integer_adapt.argtypes = [pointer, ctypes.c_char_p, *[pointer] * 5]


def _require_good(status: int) -> None:
    if status:
        raise ModelError(f"the engine refuses a blob or the learning rate (jrg_nn_status {status})")
