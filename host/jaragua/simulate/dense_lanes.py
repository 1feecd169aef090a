"""Networks of dense int16 layers for many virtual devices at once (dense_lanes.c): the same bits in less time."""

from __future__ import annotations

import ctypes
import functools
import threading
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from jaragua.simulate import library
from jaragua.strategies import NO_PULL, ClientWork, Vector
from jaragua_compiler.exponents import Exponents, bias_shift, layer_scale
from jaragua_compiler.native import kernel_folder
from jaragua_compiler.plan import Plan
from jaragua_compiler.plan_operators import DensePlan
from jaragua_compiler.rate import LearningRate, effective_rate, loss_factor

_SOURCES: Final = ("dense_lanes.c", "dense_lanes_plain.h", "dense_lanes_vectors.h")
_MOST_WIDE: Final = 256
#: Devices below which most lanes would be idle.
WORTH_LANES: Final = 8
_PROBABILITY_EXPONENT: Final = 15

_LAYER: Final = np.dtype(
    [
        *((name, "<u4") for name in ("inputs", "outputs", "input_width", "output_width", "error_width", "relu")),
        *((name, "<i4") for name in ("forward_shift", "bias_shift", "weight_exponent", "input_exponent")),
        *((name, "<u4") for name in ("weights_offset", "biases_offset", "row_bytes")),
    ]
)
FIGURES: Final = np.dtype([("correct", "<u4"), ("pad", "<u4"), ("loss", "<u8")])


class _Work(ctypes.Structure):
    _fields_ = (
        ("layers", ctypes.c_void_p),
        ("units", ctypes.c_void_p),
        ("layers_count", ctypes.c_uint32),
        ("passes", ctypes.c_uint32),
        ("is_classifier", ctypes.c_uint32),
        ("output_exponent", ctypes.c_int32),
        ("rate_mantissa", ctypes.c_int32),
        ("rate_exponent", ctypes.c_int32),
    )


class _Memory(ctypes.Structure):
    _fields_ = tuple(
        (name, ctypes.c_void_p) for name in ("weights", "biases", "values", "errors", "scaled", "factors", "pairs")
    )


class _Samples(ctypes.Structure):
    _fields_ = (
        ("clients", ctypes.c_uint32),
        ("samples", ctypes.c_uint32),
        ("inputs", ctypes.c_void_p),
        ("targets", ctypes.c_void_p),
    )


def lanes_fit(plan: Plan) -> bool:
    """Whether devices of this network can go in step: dense int16 layers that all learn, with sums of 32 bits."""
    return all(
        isinstance(step, DensePlan)
        and step.trained_rows == step.outputs
        and not step.per_channel
        and max(step.inputs, step.outputs) <= _MOST_WIDE
        and not step.wide
        for step in plan.steps
    )


def lanes_can(work: ClientWork, counts: NDArray[np.int64]) -> bool:
    """Whether these devices can: a step a sample, and each as many samples."""
    plain = work.batch == 1 and work.pull(int(counts[0])) == NO_PULL
    return plain and len(counts) >= WORTH_LANES and bool((counts == counts[0]).all())


class _Scaled(NamedTuple):
    """The table of layers under some exponents."""

    exponents: Exponents | None
    layers: NDArray[np.void]


class DenseLanes:
    """The library for one network. Threads may call it at once."""

    def __init__(self, plan: Plan, cache: Path, flags: tuple[str, ...] = ()) -> None:
        """plan: one that `lanes_can`. flags: for the compiler. Raises: ToolError if the C cannot be built."""
        self._plan = plan
        sources = {name: library.own_source(name) for name in _SOURCES}
        self._library = ctypes.CDLL(str(library.build(sources, kernel_folder(), cache, flags, ("-pthread",))))
        self._lanes = ctypes.c_uint32.in_dll(self._library, "jrg_lanes_count").value
        self._most_threads = ctypes.c_uint32.in_dll(self._library, "jrg_lanes_most_threads").value
        pointer, count = ctypes.c_void_p, ctypes.c_uint32
        self._own = threading.local()
        self._last = _Scaled(None, np.zeros(0, _LAYER))
        types: list[Any] = [pointer, pointer, count, ctypes.c_char_p, pointer, pointer, count, pointer]
        self._library.jrg_lanes_train.argtypes = types
        self._library.jrg_lanes_train.restype = None

    def train(
        self,
        start: bytes,
        found: Exponents,
        units: NDArray[np.float64],
        rate: LearningRate,
        passes: int,
        samples: tuple[NDArray[np.int16], NDArray[np.int16], int],
        threads: int = 1,
    ) -> tuple[Vector, NDArray[np.void]]:
        """What each device learned, float64 [devices, parameters], and its figures.

        found: the exponents of `start`; units as layout.units; samples: inputs, targets, and of how many devices.
        threads: that may share the devices; the C starts them, and they take some whenever they have time.
        """
        inputs, targets, devices = samples
        layers = self._layers(found)  # kept here: another thread may have others
        threads = min(threads, self._most_threads, -(-devices // self._lanes))
        memories = self._memories(threads)
        work = self._work(layers, units, rate, passes, found)
        parameters = sum(layer.outputs * (layer.inputs + 1) for layer in self._plan.layers)
        learned, figures = np.empty((devices, parameters)), np.zeros(devices, FIGURES)
        batch = _Samples(devices, len(inputs) // devices, inputs.ctypes.data, targets.ctypes.data)
        structures = ctypes.byref(work), memories, threads, start, ctypes.byref(batch)
        self._library.jrg_lanes_train(*structures, learned.ctypes.data, parameters, figures.ctypes.data)
        return learned, figures

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

    def _work(
        self, layers: NDArray[np.void], units: NDArray[np.float64], rate: LearningRate, passes: int, found: Exponents
    ) -> _Work:
        network = self._plan.network
        whole = _whole_rate(rate, network.outputs, network.classifier)
        exponent = _PROBABILITY_EXPONENT if network.classifier else found.output
        pointers = layers.ctypes.data, units.ctypes.data
        return _Work(*pointers, len(layers), passes, network.classifier, exponent, whole.mantissa, whole.exponent)

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
        weights, biases = sum(layer.inputs * layer.outputs for layer in layers), sum(layer.outputs for layer in layers)
        values = layers[0].inputs + biases
        rows = [(widest, 2), (widest, 2), (widest + 1, 2)]
        sizes = [(weights, 2), (biases, 4), (values, 2), (widest, 4), *rows]
        arrays: list[NDArray[np.generic]] = [_aligned(count * self._lanes * width) for count, width in sizes]
        return _Memory(*(array.ctypes.data for array in arrays)), arrays


@functools.lru_cache
def _whole_rate(rate: LearningRate, outputs: int, classifier: bool) -> LearningRate:
    """With the loss factor in it (A5.3)."""
    return effective_rate(rate, loss_factor(outputs, classifier))


def _aligned(size_bytes: int) -> NDArray[np.generic]:
    """Zeros from an address that is a multiple of 64."""
    whole = np.zeros(size_bytes + 64, np.uint8)
    first = -whole.ctypes.data % 64
    return whole[first : first + size_bytes]
