"""The start of a round for networks of dense int16 layers, in C (batched_packing.c): the codec's blob in less time."""

from __future__ import annotations

import ctypes
import math
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from jaragua.coordinator.weights.codec import ModelCodec
from jaragua.simulation.native import library
from jaragua.strategies import Vector
from jaragua_compiler.engines.c_structure import members
from jaragua_compiler.quantisation.blob import header
from jaragua_compiler.quantisation.exponents import exponents_for

_SOURCE: Final = "batched_packing.c"
#: Within which sums in another order may differ, and more; relative.
_DOUBT: Final = 1e-9
_LAYER: Final = np.dtype(
    [(name, "<u4") for name in ("inputs", "outputs", "relu", "weights_offset", "biases_offset", "row_bytes")]
)


class _Network(ctypes.Structure):
    _fields_ = members("void *layers; uint32_t layers_count, samples; void *inputs, *room, *other_room")


class BatchedPacking:
    """The library for one codec; of one thread."""

    def __init__(self, codec: ModelCodec, cache: Path) -> None:
        """codec: of a network that `lanes_fit`. Raises: ToolchainError if the C cannot be built."""
        self._codec, self._plan = codec, codec.plan
        built = ctypes.CDLL(str(library.build({_SOURCE: library.own_source(_SOURCE)}, None, cache, (), ("-lm",))))
        pointer = ctypes.c_void_p
        built.jrg_start_measure.argtypes = [pointer, pointer, pointer]
        built.jrg_start_pack.argtypes = [pointer, pointer, pointer, pointer]
        built.jrg_start_measure.restype = built.jrg_start_pack.restype = None
        self._library = built
        layers = self._plan.layers
        rows: list[Any] = [
            (one.inputs, one.outputs, one.relu, one.weights_offset, one.biases_offset, 2 * one.row_elements)
            for one in layers
        ]
        inputs = np.ascontiguousarray(codec.calibration.T, np.float64)
        self._largest_input = float(np.abs(inputs).max())
        room = [np.empty((max(layer.outputs for layer in layers), inputs.shape[1])) for _ in range(2)]
        self._arrays = (np.array(rows, _LAYER), inputs, *room)
        table, *others = (array.ctypes.data for array in self._arrays)
        self._network = _Network(table, len(layers), inputs.shape[1], *others)

    def pack(self, vector: Vector) -> bytes:
        """The same as the codec's, which is asked where the order of a sum might decide. Raises: CompileError."""
        vector = np.ascontiguousarray(vector)
        weights, values = self._largest(vector)
        if not np.isfinite(vector).all() or any(map(_is_doubtful, values)):
            return self._codec.pack(vector)
        found = exponents_for(self._plan, weights, [self._largest_input, *values])
        blob = bytearray(header(self._plan, found).ljust(self._plan.blob_bytes, b"\0"))
        scales = [
            math.ldexp(1.0, exponent)
            for fw, fx in zip(found.weights, found.inputs, strict=True)
            for exponent in (fw, fw + fx)
        ]
        packed = (ctypes.c_char * len(blob)).from_buffer(blob)
        arguments = vector.ctypes.data, (ctypes.c_double * len(scales))(*scales), packed
        self._library.jrg_start_pack(ctypes.byref(self._network), *arguments)
        return bytes(blob)

    def _largest(self, vector: NDArray[np.float64]) -> tuple[list[float], list[float]]:
        """Magnitudes of each layer's weights, and of its outputs."""
        count = len(self._plan.layers)
        largest = (ctypes.c_double * (2 * count))()
        self._library.jrg_start_measure(ctypes.byref(self._network), vector.ctypes.data, largest)
        return largest[:count], largest[count:]


def _is_doubtful(magnitude: float) -> bool:
    """So near 0 or a power of two that a sum in another order could be on its other side, or not finite."""
    mantissa = math.frexp(magnitude)[0]
    return not (magnitude > _DOUBT and 0.5 * (1 + _DOUBT) < mantissa < 1 - _DOUBT)
