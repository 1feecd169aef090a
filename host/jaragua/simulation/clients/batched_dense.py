"""Networks of dense int16 layers for many virtual devices at once (batched_dense.c): the same bits in less time."""

from __future__ import annotations

import ctypes
import functools
import math
import threading
from pathlib import Path
from typing import Any, Final, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from jaragua.settings import only_in_integers
from jaragua.simulation.evaluation.figures import FIGURES
from jaragua.simulation.native import library
from jaragua.strategies import NO_DECAY, ClientWork, Vector
from jaragua_compiler.engines.c_structure import members
from jaragua_compiler.engines.native import kernel_folder
from jaragua_compiler.planning.operators import DensePlan
from jaragua_compiler.planning.plan import Plan
from jaragua_compiler.quantisation.exponents import Exponents, bias_shift, layer_scale
from jaragua_compiler.quantisation.rate import LearningRate, effective_rate, loss_factor

_SOURCES: Final = ("batched_dense.c", "batched_dense_scalar.h", "batched_dense_vectors.h")
_MOST_WIDE: Final = 256
#: Devices below which most lanes would be idle.
WORTH_LANES: Final = 8
_PROBABILITY_EXPONENT: Final = 15
#: Rooms that are kept for later rounds.
_MOST_SPARE: Final = 4
#: Of a lane: a number of 32 bits, or a pair of 16.
_WORD_BYTES: Final = 4
#: Of float64: a result is off by at most so large a part of it.
_ROUNDING: Final = 2.0**-53

_LAYER: Final = np.dtype(
    [
        *((name, "<u4") for name in ("inputs", "outputs", "input_width", "output_width", "error_width", "relu")),
        *((name, "<i4") for name in ("forward_shift", "bias_shift", "weight_exponent", "input_exponent")),
        *((name, "<u4") for name in ("weights_offset", "biases_offset", "row_bytes")),
    ]
)


Integers: TypeAlias = NDArray[np.int16]


class _Memory(ctypes.Structure):
    _fields_ = members("void *values, *errors, *below, *factors")


class _Work(ctypes.Structure):
    _fields_ = members(
        "void *layers, *units; uint32_t layers_count, passes, is_classifier; "
        "int32_t output_exponent, rate_mantissa, rate_exponent; uint32_t loss_threshold"
    )


class _Samples(ctypes.Structure):
    _fields_ = members("uint32_t clients, samples; void *seeds, *inputs, *targets")


def lanes_fit(plan: Plan) -> bool:
    """Whether devices of this network can go in step: dense int16 layers that all learn, with sums of 32 bits."""
    return all(
        isinstance(step, DensePlan)
        and step.trains
        and not step.frozen_rows
        and not step.per_channel
        and max(step.inputs, step.outputs) <= _MOST_WIDE
        and not step.wide
        for step in plan.steps
    )


def lanes_can(work: ClientWork, counts: NDArray[np.int64]) -> bool:
    """Whether these devices can: a step a sample, no setting of a step but those of float32, as many samples each."""
    plain = work.batch == 1 and work.proximal_decay(int(counts[0])) == NO_DECAY and not work.prototypes
    return plain and not only_in_integers(work) and len(counts) >= WORTH_LANES and bool((counts == counts[0]).all())


class Task(NamedTuple):
    """What each device does, a step a sample. loss_threshold: as the engine takes it (A11.8)."""

    rate: LearningRate
    passes: int
    loss_threshold: int


class _Scaled(NamedTuple):
    """The table of layers under some exponents."""

    exponents: Exponents | None
    layers: NDArray[np.void]


class _Devices(ctypes.Structure):
    _fields_ = members("void *weights, *biases; uint32_t weights_count, biases_count")


class _Room(NamedTuple):
    """The weights of groups of devices; arrays: what the structure points to."""

    structure: _Devices
    groups: int
    arrays: list[NDArray[np.generic]]


class BatchedDense:
    """The library for one network. Threads may call it at once."""

    def __init__(self, plan: Plan, cache: Path, flags: tuple[str, ...] = ()) -> None:
        """plan: one that `lanes_can`. flags: for the compiler. Raises: ToolchainError if the C cannot be built."""
        self._plan = plan
        sources = {name: library.own_source(name) for name in _SOURCES}
        self._library = ctypes.CDLL(str(library.build(sources, kernel_folder(), cache, flags, ("-pthread", "-lm"))))
        self._lanes = ctypes.c_uint32.in_dll(self._library, "jrg_lanes_count").value
        self._most_threads = ctypes.c_uint32.in_dll(self._library, "jrg_lanes_most_threads").value
        pointer, count = ctypes.c_void_p, ctypes.c_uint32
        self._own = threading.local()
        self._spare: list[_Room] = []
        self._last = _Scaled(None, np.zeros(0, _LAYER))
        structures: list[Any] = [pointer, pointer, count]
        self._library.jrg_lanes_train.argtypes = [*structures, ctypes.c_char_p, pointer, pointer, pointer]
        taken: list[Any] = [pointer, ctypes.c_char_p, pointer, count]
        self._library.jrg_lanes_read.argtypes = [*taken, count, pointer]
        self._library.jrg_lanes_sum.argtypes = [*taken, count, pointer, pointer]
        self._library.jrg_lanes_squares.argtypes = [*taken, pointer]
        for name in ("jrg_lanes_train", "jrg_lanes_read", "jrg_lanes_sum", "jrg_lanes_squares"):
            getattr(self._library, name).restype = None
        real = ctypes.c_double
        self._library.jrg_lanes_quantise.argtypes = [pointer, ctypes.c_size_t, real, real, real, pointer]
        self._library.jrg_lanes_quantise.restype = ctypes.c_bool
        layers = plan.layers
        self._weights_count = sum(layer.outputs * _pairs(layer.inputs) for layer in layers)
        self._biases_count = sum(layer.outputs for layer in layers)
        self._parameters = sum(layer.outputs * (layer.inputs + 1) for layer in layers)

    def train(
        self,
        start: bytes,
        found: Exponents,
        units: NDArray[np.float64],
        task: Task,
        samples: tuple[NDArray[np.int16], NDArray[np.int16], NDArray[np.uint32]],
        threads: int = 1,
    ) -> tuple[BatchedUpdates, NDArray[np.void]]:
        """What the devices learned, and the figures of each.

        found: the exponents of `start`; units as layout.units; samples: inputs, targets, and the devices' seeds (A8.5).
        threads: that may share the devices; the C starts them, and they take some whenever they have time.
        """
        inputs, targets, seeds = samples
        devices = len(seeds)
        layers = self._layers(found)  # kept here: another thread may have others
        threads = min(threads, self._most_threads, -(-devices // self._lanes))
        memories = self._memories(threads)
        work = self._work(layers, units, task, found)
        figures = np.zeros(devices, FIGURES)
        arrays = seeds.ctypes.data, inputs.ctypes.data, targets.ctypes.data
        batch = _Samples(devices, len(inputs) // devices, *arrays)
        learned = BatchedUpdates(self, start, work, devices, (layers, units))
        structures = ctypes.byref(batch), ctypes.byref(learned.room.structure)
        self._library.jrg_lanes_train(ctypes.byref(work), memories, threads, start, *structures, figures.ctypes.data)
        return learned, figures

    def quantised(self, numbers: NDArray[Any], exponent: int, width: int, most: float) -> Integers | None:
        """Float32 in the device's integers (A2.2); None for others, or if one is larger than `most`, or no number."""
        if numbers.dtype != np.float32:
            return None
        numbers = np.ascontiguousarray(numbers)
        found = np.empty(numbers.shape, np.int16)
        arguments = numbers.ctypes.data, numbers.size, math.ldexp(1.0, exponent), float(1 << width), most
        return found if self._library.jrg_lanes_quantise(*arguments, found.ctypes.data) else None

    def room(self, devices: int) -> _Room:
        """For what so many devices make of their weights: some that was given back, as new memory takes time."""
        groups = -(-devices // self._lanes)
        try:
            found = self._spare.pop()
        except IndexError:
            return self._new_room(groups)
        return found if found.groups == groups else self._new_room(groups)

    def give_back(self, room: _Room) -> None:
        """Nobody reads it any more."""
        if len(self._spare) < _MOST_SPARE:
            self._spare.append(room)

    def _new_room(self, groups: int) -> _Room:
        counts = self._weights_count, self._biases_count
        arrays = [_aligned(groups * self._lanes * count * _WORD_BYTES) for count in counts]
        return _Room(_Devices(*(array.ctypes.data for array in arrays), *counts), groups, arrays)

    def matrix(self, learned: BatchedUpdates) -> Vector:
        """Of each device, float64 [devices, parameters]."""
        found = np.empty((learned.devices, self._parameters))
        self._library.jrg_lanes_read(*learned.arguments, self._parameters, found.ctypes.data)
        return found

    def sum(self, learned: BatchedUpdates, vector: Vector) -> Vector:
        """Over the devices, in their order, of the vector and what each learned."""
        found, vector = np.empty(self._parameters), np.ascontiguousarray(vector)
        self._library.jrg_lanes_sum(*learned.arguments, self._parameters, vector.ctypes.data, found.ctypes.data)
        return found

    def squares(self, learned: BatchedUpdates) -> Vector:
        """The squared length of what each device learned, float64 [devices]."""
        found = np.empty(learned.devices)
        self._library.jrg_lanes_squares(*learned.arguments, found.ctypes.data)
        return found

    def _layers(self, found: Exponents) -> NDArray[np.void]:
        """The table for these exponents, which are mostly those of the round before."""
        if self._last.exponents != found:
            self._last = _Scaled(found, self._new_layers(found))
        return self._last.layers

    def _new_layers(self, found: Exponents) -> NDArray[np.void]:
        rows = []
        for layer in self._plan.layers:
            scale = layer_scale(self._plan, found, layer)
            widths = (layer.input_width, layer.output_width, layer.error_width, layer.relu)
            shifts = (scale.forward_shift, bias_shift(layer, scale.inputs), scale.weights, scale.inputs)
            places = (layer.weights_offset, layer.biases_offset, 2 * layer.row_elements)
            rows.append((layer.inputs, layer.outputs, *widths, *shifts, *places))
        return np.array(rows, _LAYER)

    def _work(self, layers: NDArray[np.void], units: NDArray[np.float64], task: Task, found: Exponents) -> _Work:
        network = self._plan.network
        whole = _whole_rate(task.rate, network.outputs, network.classifier)
        exponent = _PROBABILITY_EXPONENT if network.classifier else found.output
        pointers = layers.ctypes.data, units.ctypes.data
        numbers = network.classifier, exponent, whole.mantissa, whole.exponent, task.loss_threshold
        return _Work(*pointers, len(layers), task.passes, *numbers)

    def _memories(self, count: int) -> ctypes.Array[_Memory]:
        """So many or more, of the calling thread; what a client task reads there is what it wrote."""
        if len(getattr(self._own, "memories", ())) < count:
            memories, self._own.arrays = zip(*[self._new_memory() for _ in range(count)], strict=True)
            self._own.memories = (_Memory * count)(*memories)
        found: ctypes.Array[_Memory] = self._own.memories
        return found

    def _new_memory(self) -> tuple[_Memory, list[NDArray[np.generic]]]:
        """And the arrays that it points to."""
        layers = self._plan.layers
        widest = max(max(layer.inputs, layer.outputs) for layer in layers)
        values = _pairs(layers[0].inputs) + sum(_pairs(layer.outputs) for layer in layers)
        sizes = values, widest + 1, widest + 1, widest
        arrays = [_aligned(count * self._lanes * _WORD_BYTES) for count in sizes]
        for array in arrays:
            array[:] = 0
        return _Memory(*(array.ctypes.data for array in arrays)), arrays


class BatchedUpdates:
    """What devices learned from a start, as C left it; whoever wants numbers asks for them."""

    def __init__(self, lanes: BatchedDense, start: bytes, work: _Work, devices: int, keeps: tuple[object, ...]) -> None:
        """keeps: what `work` points to."""
        self._lanes, self._start, self._work, self.devices, self._keeps = lanes, start, work, devices, keeps
        self.room = lanes.room(devices)

    def __del__(self) -> None:
        self._lanes.give_back(self.room)

    @property
    def arguments(self) -> tuple[Any, ...]:
        """For C."""
        return ctypes.byref(self._work), self._start, ctypes.byref(self.room.structure), self.devices

    def matrix(self) -> Vector:
        """float64 [devices, parameters], the weights of each less the start's."""
        return self._lanes.matrix(self)

    def onto(self, vector: Vector) -> BatchedRows:
        """The same, added to a vector."""
        return BatchedRows(self, vector)

    def mean_onto(self, vector: Vector) -> Vector:
        """np.mean(matrix + vector, axis=0), to the bit: rows are added in their order."""
        total = self._lanes.sum(self, vector)
        total /= self.devices
        return total

    def squares(self) -> Vector:
        """The squared length of each row of the matrix, float64 [devices]: the same bits on every machine (H2)."""
        return self._lanes.squares(self)


class BatchedRows:
    """Rows of weights (strategies.aggregation.LazyRows): a vector and what each device learned."""

    def __init__(self, learned: BatchedUpdates, vector: Vector) -> None:
        self._learned, self._vector = learned, vector

    @functools.cached_property
    def matrix(self) -> Vector:
        """float64 [devices, parameters]."""
        rows = self._learned.matrix()
        rows += self._vector
        return rows

    @functools.cached_property
    def mean(self) -> Vector:
        """Of all rows, float64 [parameters]."""
        if "matrix" in vars(self):  # the same to the bit, and already there
            result: Vector = np.mean(self.matrix, axis=0)
            return result
        return self._learned.mean_onto(self._vector)

    def weighted_mean(self, samples: Vector) -> Vector:
        """Of all rows, each as often as it has samples, float64 [parameters]."""
        result: Vector = np.average(self.matrix, axis=0, weights=samples)
        return result

    def lengths_at_most(self, origin: Vector) -> Vector:
        """Bounds of how far each row is from `origin`, float64 [devices]; infinite unless that is the vector.

        They exceed the lengths that C finds by what rounding can differ. With u = 2^-53, n parameters, a row d that a
        device learned, and the vector v: the matrix holds v + d rounded, and its distance to v is off by at most
        u (3 |d| + |v|), and n/2 + 2 times u |d| more for the n squares, their sum and the root. The length in C is off
        by the latter. So the two differ by at most (n + 7) u (|d| + |v|); twice that is allowed for.
        """
        if origin is not self._vector and not np.array_equal(origin, self._vector):
            return np.full(self._learned.devices, np.inf)
        return self._bounds

    @functools.cached_property
    def _bounds(self) -> Vector:
        found = np.sqrt(self._learned.squares())
        with np.errstate(over="ignore", invalid="ignore"):
            start = np.linalg.norm(self._vector)
            bounds: Vector = found + (len(self._vector) + 8) * 2 * _ROUNDING * (found + start)
        return bounds


def _pairs(count: int) -> int:
    """How many pairs hold so many numbers."""
    return -(-count // 2)


@functools.lru_cache
def _whole_rate(rate: LearningRate, outputs: int, classifier: bool) -> LearningRate:
    """With the loss factor in it (A5.3)."""
    return effective_rate(rate, loss_factor(outputs, classifier))


def _aligned(size_bytes: int) -> NDArray[np.generic]:
    """Bytes from an address that is a multiple of 64."""
    whole = np.empty(size_bytes + 64, np.uint8)
    first = -whole.ctypes.data % 64
    return whole[first : first + size_bytes]
