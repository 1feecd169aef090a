"""A LiteRT (TensorFlow Lite) file as tensors and operators, read without TensorFlow.

Field numbers are those of TensorFlow Lite's schema, version 3; operators are numbered by its enum BuiltinOperator.
"""

from __future__ import annotations

import math
from collections.abc import Hashable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from jaragua_compiler.errors import CompileError
from jaragua_compiler.frontends.flatbuffer import FlatbufferError, Table, root
from jaragua_compiler.graph.initial_weights import FloatArray
from jaragua_compiler.quantisation.ranges import Range

LARGEST_FILE_BYTES = 256 << 20  # far above any network of a microcontroller
_IDENTIFIER = b"TFL3"
_DTYPES = {0: "<f4", 1: "<f2", 2: "<i4", 3: "<u1", 4: "<i8", 7: "<i2", 9: "<i1", 10: "<f8"}

_BUILTIN_OPERATORS = """
ADD AVERAGE_POOL_2D CONCATENATION CONV_2D DEPTHWISE_CONV_2D DEPTH_TO_SPACE DEQUANTIZE EMBEDDING_LOOKUP FLOOR
FULLY_CONNECTED HASHTABLE_LOOKUP L2_NORMALIZATION L2_POOL_2D LOCAL_RESPONSE_NORMALIZATION LOGISTIC LSH_PROJECTION LSTM
MAX_POOL_2D MUL RELU RELU_N1_TO_1 RELU6 RESHAPE RESIZE_BILINEAR RNN SOFTMAX SPACE_TO_DEPTH SVDF TANH CONCAT_EMBEDDINGS
SKIP_GRAM CALL CUSTOM EMBEDDING_LOOKUP_SPARSE PAD UNIDIRECTIONAL_SEQUENCE_RNN GATHER BATCH_TO_SPACE_ND
SPACE_TO_BATCH_ND TRANSPOSE MEAN SUB DIV SQUEEZE UNIDIRECTIONAL_SEQUENCE_LSTM STRIDED_SLICE BIDIRECTIONAL_SEQUENCE_RNN
EXP TOPK_V2 SPLIT LOG_SOFTMAX DELEGATE BIDIRECTIONAL_SEQUENCE_LSTM CAST PRELU MAXIMUM ARG_MAX MINIMUM LESS NEG PADV2
GREATER GREATER_EQUAL LESS_EQUAL SELECT SLICE SIN TRANSPOSE_CONV SPARSE_TO_DENSE TILE EXPAND_DIMS EQUAL NOT_EQUAL LOG
SUM SQRT RSQRT SHAPE POW ARG_MIN FAKE_QUANT REDUCE_PROD REDUCE_MAX PACK LOGICAL_OR ONE_HOT LOGICAL_AND LOGICAL_NOT
UNPACK REDUCE_MIN FLOOR_DIV REDUCE_ANY SQUARE ZEROS_LIKE FILL FLOOR_MOD RANGE RESIZE_NEAREST_NEIGHBOR LEAKY_RELU
SQUARED_DIFFERENCE MIRROR_PAD ABS SPLIT_V UNIQUE CEIL REVERSE_V2 ADD_N GATHER_ND COS WHERE RANK ELU REVERSE_SEQUENCE
MATRIX_DIAG QUANTIZE MATRIX_SET_DIAG ROUND HARD_SWISH
"""
_OPERATORS = _BUILTIN_OPERATORS.split()


@dataclass(frozen=True)
class Tensor:
    """A tensor of the file. `content` is empty unless it is a constant."""

    name: str
    shape: tuple[int, ...]
    kind: int
    content: bytes
    scales: FloatArray
    zero_points: FloatArray
    axis: int
    buffer: int = 0

    @property
    def identity(self) -> Hashable:
        """The same for two tensors that are the same numbers of the file."""
        return self.buffer, tuple(self.scales), tuple(self.zero_points)

    @property
    def is_constant(self) -> bool:
        """True if its numbers are stored in the file."""
        return bool(self.content)

    def values(self) -> FloatArray:
        """A constant's numbers, of quantised ones the real ones: (q - zero point) · scale of the channel."""
        if self.kind not in _DTYPES:
            raise CompileError(
                f"LiteRT tensor {self.name!r} is of a type unknown here ({self.kind}).", "Use float or int8."
            )
        dtype = np.dtype(_DTYPES[self.kind])
        if min(self.shape, default=0) < 0 or math.prod(self.shape) * dtype.itemsize != len(self.content):
            raise self._broken(f"the shape {self.shape} and {len(self.content)} bytes")
        numbers = np.frombuffer(self.content, dtype).reshape(self.shape).astype(np.float64)
        return self._dequantised(numbers) if self.scales.size and dtype.kind != "f" else numbers

    def range(self) -> Range | None:
        """What an activation's integers stand for; None if it is of floats, or not quantised as a whole."""
        dtype = np.dtype(_DTYPES.get(self.kind, "<f4"))
        if dtype.kind == "f" or self.scales.size != 1:
            return None
        step, zero = float(self.scales[0]), self.zero_points[0] if self.zero_points.size else 0
        if not (math.isfinite(step) and step > 0):
            raise self._broken(f"the scale {step}")
        return Range(step, int(zero), int(np.iinfo(dtype).min), int(np.iinfo(dtype).max))

    def _dequantised(self, numbers: FloatArray) -> FloatArray:
        zero_points = self.zero_points if self.zero_points.size else np.zeros(1)
        along = [1] * numbers.ndim
        if self.scales.size > 1:
            axis = self._quantised_axis()
            if not 0 <= axis < numbers.ndim or numbers.shape[axis] != self.scales.size:
                raise self._broken(f"the shape {self.shape} and {self.scales.size} scales along axis {self.axis}")
            along[axis] = self.scales.size
        if zero_points.size not in (1, self.scales.size):
            raise self._broken(f"{self.scales.size} scales and {zero_points.size} zero points")
        if zero_points.size > 1:
            zero_points = zero_points.reshape(along)
        real: FloatArray = (numbers - zero_points) * self.scales.reshape(along)
        return real

    def _quantised_axis(self) -> int:
        """The axis the scales are along: where only one has several numbers it is that one, whatever the file says."""
        longer = [axis for axis, size in enumerate(self.shape) if size > 1]
        return longer[0] if len(longer) == 1 else self.axis

    def _broken(self, what: str) -> CompileError:
        return CompileError(f"LiteRT tensor {self.name!r} has {what}.", "Convert the model again.")


@dataclass(frozen=True)
class Operator:
    """An operator of the file; -1 among its tensors is one left out. `options` is the table of its own settings."""

    name: str
    place: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    options: Table | None

    def setting(self, field: int, kind: str = "i", default: float = 0) -> float:
        """A number of its settings."""
        return default if self.options is None else self.options.scalar(field, kind, default)  # type: ignore[arg-type]


@dataclass(frozen=True)
class Graph:
    """The one graph of a file."""

    tensors: tuple[Tensor, ...]
    operators: tuple[Operator, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]


def read_file(path: Path, missing: str, foreign: str) -> bytes:
    """The bytes of a `.tflite` file.

    Raises CompileError with the hint `missing` if it cannot be read, with `foreign` if it is something else.
    """
    try:
        if path.stat().st_size > LARGEST_FILE_BYTES:
            raise CompileError(f"{path} has {path.stat().st_size} bytes; this is no network for a microcontroller.")
        data = path.read_bytes()
    except OSError as error:
        raise CompileError(f"{path} cannot be read: {error.strerror or error}.", missing) from error
    if data[4:8] != _IDENTIFIER:
        raise CompileError(f"{path} is not a LiteRT file.", foreign)
    return data


def read_graph(path: Path) -> Graph:
    """The graph of a `.tflite` file. Raises CompileError if it is no whole one."""
    data = read_file(path, "Check the path.", "Give a .tflite file written by a LiteRT converter.")
    try:
        return _graph(root(data))
    except FlatbufferError as error:
        raise CompileError(f"{path} is not a whole LiteRT file: {error}.", "Convert the model again.") from error


def _graph(model: Table) -> Graph:
    graphs = model.tables(2)
    if len(graphs) != 1:
        raise FlatbufferError(f"it holds {len(graphs)} graphs, not one")
    buffers = [bytes(buffer.numbers(0, "B").tobytes()) for buffer in model.tables(4)]
    tensors = tuple(_tensor(table, buffers) for table in graphs[0].tables(0))
    names = [_operator_name(code) for code in model.tables(1)]
    operators = [_operator(table, index, names, len(tensors)) for index, table in enumerate(graphs[0].tables(3))]
    inputs, outputs = (_tensor_numbers(graphs[0].integers(field), len(tensors)) for field in (1, 2))
    return Graph(tensors, tuple(operators), inputs, outputs)


def _tensor(table: Table, buffers: list[bytes]) -> Tensor:
    buffer = table.integer(2, "I")
    if buffer >= len(buffers):
        raise FlatbufferError(f"a tensor's numbers are in buffer {buffer} of {len(buffers)}")
    quantisation = table.table(4)
    scales = np.zeros(0) if quantisation is None else quantisation.numbers(2, "f").astype(np.float64)
    zero_points = np.zeros(0) if quantisation is None else quantisation.numbers(3, "q").astype(np.float64)
    axis = 0 if quantisation is None else quantisation.integer(6)
    shape = tuple(table.integers(0))
    return Tensor(table.text(3), shape, table.integer(1, "b"), buffers[buffer], scales, zero_points, axis, buffer)


def _operator_name(code: Table) -> str:
    number = max(code.integer(0, "b"), code.integer(3, "i"))
    if 0 <= number < len(_OPERATORS):
        return _OPERATORS[number] if _OPERATORS[number] != "CUSTOM" else f"CUSTOM {code.text(1)}"
    return f"operator number {number}"


def _operator(table: Table, index: int, names: list[str], tensors: int) -> Operator:
    code = table.integer(0, "I")
    if code >= len(names):
        raise FlatbufferError(f"operator {index} is of kind {code} of {len(names)}")
    inputs, outputs = (_tensor_numbers(table.integers(field), tensors) for field in (1, 2))
    if not outputs or min(outputs) < 0:
        raise FlatbufferError(f"operator {index} makes no tensor")
    return Operator(names[code], f"LiteRT operator {index} ({names[code]})", inputs, outputs, table.table(4))


def _tensor_numbers(numbers: list[int], tensors: int) -> tuple[int, ...]:
    if any(not -1 <= number < tensors for number in numbers):
        raise FlatbufferError(f"a tensor of {numbers} is none of {tensors}")
    return tuple(numbers)
