"""Virtual devices that compute in float32: what the boards' integers are compared with.

The C adds in an order of its own that depends on neither processor nor compiler: the same libm repeats to the bit,
whatever the number of workers; another libm may differ in the last bit of an exponential, a logarithm or a tanh.
"""

from __future__ import annotations

import ctypes
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from jaragua.simulation.clients.engine import Closing, Evaluation, Trained
from jaragua.simulation.clients.float_table import Table, table_of
from jaragua.simulation.clients.samples import Batch, asked_of, in_one_pass, one_lesson_each, require_classes
from jaragua.simulation.clients.workers import Workers
from jaragua.simulation.native import library
from jaragua.strategies import ClientWork, Vector
from jaragua_compiler import Network
from jaragua_compiler.engines.c_structure import members
from jaragua_models import Model

_SOURCE: Final = "float_clients.c"
#: No order of a sum is given up: results depend on neither processor nor compiler.
_FLAGS: Final = ("-fno-math-errno",)
#: Training steps times parameters below which a second thread costs more than it brings.
_WORTH_A_THREAD: Final = 1_000_000

Floats = NDArray[np.float32]
Figures = NDArray[np.float64]
Answers = NDArray[np.int32]


class _Samples(ctypes.Structure):
    _fields_ = members("int32_t clients; void *counts, *episodes, *enrolled, *trained, *inputs, *targets")


class _Arrays:
    """A batch as C reads it; keeps what the structure points to."""

    def __init__(self, batch: Batch, network: Network) -> None:
        """Raises: ModelError for a label that is no class: C would write where it says."""
        require_classes(batch, network)
        lessons = batch.lessons or one_lesson_each(batch)
        numbers = (batch.counts, lessons.episodes, lessons.enrolled, lessons.trained)
        self._arrays = [
            *(array.astype(np.int32) for array in numbers),
            np.ascontiguousarray(batch.x, np.float32),
            np.ascontiguousarray(batch.y, np.float32),
        ]
        self.structure = _Samples(len(batch), *(array.ctypes.data for array in self._arrays))


class _Memory(ctypes.Structure):
    _fields_ = members("void *weights, *start, *gradients, *values, *errors, *patches, *row")


class _EngineMemory:
    """The memory of one engine; keeps what the structure points to."""

    def __init__(self, table: Table, start: bytes) -> None:
        head = table.head
        sizes = (head.parameters, head.parameters, head.values_count, head.values_count, table.patches, table.row)
        weights, gradients, *scratch = (np.zeros(max(size, 1), np.float32) for size in sizes)
        self._arrays = (weights, np.frombuffer(start, np.float32).copy(), gradients, *scratch)
        self.structure = _Memory(*(array.ctypes.data for array in self._arrays))


class FloatFleet(Closing):
    """Devices of one network."""

    def __init__(self, model: Model, workers: int, cache: Path, samples: int | None = None) -> None:
        """samples: of a task as asked for, for FedProx's proximal decay. Raises: ToolchainError without the C."""
        super().__init__()
        self._model = model
        self._samples = samples
        self._table = table_of(model.network)
        built = library.build({_SOURCE: library.own_source(_SOURCE)}, None, cache, _FLAGS, ("-lm",))
        self._workers = self._open.enter_context(Workers(built, workers, _declare))

    def start(self, vector: Vector) -> bytes:
        """All weights in float32, little endian."""
        return vector.astype("<f4").tobytes()

    def numbers(self, start: bytes) -> Vector:
        """The weights in float32."""
        return np.frombuffer(start, "<f4").astype(np.float64)

    def train(self, start: bytes, work: ClientWork, batch: Batch) -> Trained:
        """Every device of the batch does the work, from the same weights."""
        work, batch = in_one_pass(work, batch)
        wanted = _work(work, asked_of(batch, self._samples))

        def one(copy: ctypes.CDLL, share: Batch) -> tuple[Floats, Figures]:
            return self._train_part(copy, start, wanted, share)

        results = self._workers.run(one, batch.shares(self._threads_for(batch, work.passes)))
        trained = results[0][0] if len(results) == 1 else np.concatenate([weights for weights, _ in results])
        learned = trained.astype(np.float64)
        learned -= np.frombuffer(start, "<f4").astype(np.float64)
        losses = np.concatenate([figures for _, figures in results])[:, 1]
        samples = batch.trained * work.passes
        return Trained(learned, float(losses.sum()) / samples)

    def adapt(self, start: bytes, work: ClientWork, support: Batch, query: Batch) -> Evaluation:
        """Before and after adaptation, each device on its own query samples."""
        work, support = in_one_pass(work, support)
        wanted = _work(work, asked_of(support, self._samples))

        def one(copy: ctypes.CDLL, share: tuple[Batch, Batch]) -> tuple[Figures, Figures, Answers]:
            return self._adapt_part(copy, start, wanted, *share)

        count = self._threads_for(support, work.passes)
        results = self._workers.run(one, list(zip(support.shares(count), query.shares(count), strict=True)))
        before, after = (np.concatenate([result[side] for result in results]) for side in (0, 1))
        column = 0 if self._model.metric == "accuracy" else 1
        answers = np.concatenate([result[2] for result in results]).astype(np.int64)
        return Evaluation(before[:, column] / query.counts, after[:, column] / query.counts, answers)

    def _train_part(self, copy: ctypes.CDLL, start: bytes, work: _Work, share: Batch) -> tuple[Floats, Figures]:
        samples, memory = _Arrays(share, self._model.network), _EngineMemory(self._table, start)
        trained = np.empty((len(share), self._table.head.parameters), np.float32)
        figures = np.zeros((len(share), 2))
        structures = (self._table.head, memory.structure, work, samples.structure)
        copy.jrg_float_train(*map(ctypes.byref, structures), trained.ctypes.data, figures.ctypes.data)
        return trained, figures

    def _adapt_part(
        self, copy: ctypes.CDLL, start: bytes, work: _Work, support: Batch, query: Batch
    ) -> tuple[Figures, Figures, Answers]:
        learnt, asked = (_Arrays(batch, self._model.network) for batch in (support, query))
        memory = _EngineMemory(self._table, start)
        before, after = np.zeros((len(support), 2)), np.zeros((len(support), 2))
        answers = np.zeros(len(query.x), np.int32)
        structures = (self._table.head, memory.structure, work, learnt.structure, asked.structure)
        results = (before.ctypes.data, after.ctypes.data, answers.ctypes.data)
        copy.jrg_float_adapt(*map(ctypes.byref, structures), *results)
        return before, after, answers

    def _threads_for(self, batch: Batch, passes: int) -> int:
        steps = int(batch.counts.sum()) * passes
        return self._workers.count if steps * self._table.head.parameters > _WORTH_A_THREAD else 1


class _Work(ctypes.Structure):
    _fields_ = members(
        "int32_t passes, batch; float rate, proximal_decay; double loss_threshold; float temperature; int32_t gradients"
    )


def _work(work: ClientWork, samples: int) -> _Work:
    kept = work.kept_after_a_pass(samples)
    gradients = bool(work.episode_queries)
    return _Work(work.passes, work.batch, work.learning_rate, kept, work.loss_threshold, work.temperature, gradients)


def _declare(copy: ctypes.CDLL) -> None:
    pointer = ctypes.c_void_p
    copy.jrg_float_train.argtypes = [pointer] * 6
    copy.jrg_float_adapt.argtypes = [pointer] * 8
    copy.jrg_float_train.restype = copy.jrg_float_adapt.restype = None
