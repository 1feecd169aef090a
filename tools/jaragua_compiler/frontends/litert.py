"""Front end for LiteRT (TensorFlow Lite) files in float32 or full-integer int8: -> Network and weights.

Quantised weights become the real numbers they stand for, and the ranges of activations in an int8 file come with them
(A2.6). Padding becomes part of the convolution behind it, a softmax at the end part of the loss. Everything else is
refused by name.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np

from jaragua_compiler.errors import CompileError
from jaragua_compiler.frontends.assemble import assemble
from jaragua_compiler.frontends.draft import Draft, Handle, Learned, Stored, refusal
from jaragua_compiler.frontends.flatbuffer import FlatbufferError
from jaragua_compiler.frontends.litert_file import Graph, Operator, read_graph
from jaragua_compiler.frontends.model_file import ModelFile
from jaragua_compiler.frontends.naming import identifier
from jaragua_compiler.graph.initial_weights import FloatArray, Weights
from jaragua_compiler.graph.layers import DEFAULT_SLOPE, ActivationKind, Padding, Pads, Pair
from jaragua_compiler.graph.network import Loss, Network
from jaragua_compiler.graph.shapes import Shape
from jaragua_compiler.operators.registry import activations_of, fused_activations
from jaragua_compiler.quantisation.ranges import Range

_ACTIVATIONS = activations_of("litert")
_FUSED = fused_activations()
_SHAPE_ARITHMETIC = ("SHAPE", "STRIDED_SLICE", "PACK")
_SAME = 0


class LitertValue(NamedTuple):
    """A tensor of the file: a draft's value seen with the file's dimensions, without the number of samples.

    The numbers of both lie in one order, so that a view changes `dims` alone.
    """

    handle: Handle
    dims: Shape


def from_litert(path: str | Path, loss: Loss | None = None) -> tuple[Network, Weights]:
    """The path of a `.tflite` file -> (Network, per layer with weights (W, b)); see read_litert."""
    found = read_litert(path, loss)
    return found.network, found.weights


def read_litert(path: str | Path, loss: Loss | None = None) -> ModelFile:
    """The path of a `.tflite` file -> network, weights, how its samples lie, and the ranges of an int8 file.

    `loss` is needed unless the model ends in a softmax. Raises CompileError that names the operator, says why it
    cannot be taken, and what comes nearest to it.
    """
    path = Path(path)
    graph = read_graph(path)
    try:
        with np.errstate(all="ignore"):  # what is not finite is refused by name
            return _Reader(graph).read(identifier(path.stem), loss)
    except (FlatbufferError, ValueError, IndexError, OverflowError) as error:
        raise CompileError(f"{path} is not a whole LiteRT file: {error}.", "Convert the model again.") from error


class _Reader:
    """Reads operator by operator. `_aliases` are constants that are other constants dequantised."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self.draft = Draft()
        self._values: dict[int, LitertValue] = {}
        self._aliases: dict[int, int] = {}
        self._shapes: set[int] = set()
        self._ranges: dict[Handle, Range] = {}

    def read(self, name: str, loss: Loss | None) -> ModelFile:
        """The whole graph."""
        self._take_input()
        for operator in self._graph.operators:
            self._take(operator)
        if len(self._graph.outputs) != 1 or self._graph.outputs[0] not in self._values:
            raise CompileError(
                f"the LiteRT model has {len(self._graph.outputs)} outputs.",
                "Nearest supported: one output.",
            )
        output = self.as_seen("LiteRT output", self._values[self._graph.outputs[0]])
        return assemble(self.draft, output, name, loss, self._ranges)

    def value(self, operator: Operator, place: int = 0) -> LitertValue:
        """Input number `place` of an operator."""
        tensor = _input(operator, place)
        if tensor not in self._values:
            raise refusal(
                operator.place, f"its input number {place} is not computed before it", "operators in their order"
            )
        return self._values[tensor]

    def image(self, operator: Operator) -> Handle:
        """Its first input as an operator reads it that wants (height, width, channels)."""
        value = self.value(operator)
        if len(value.dims) != 3:
            raise refusal(operator.place, f"its input {value.dims} is no image", "images (height, width, channels)")
        return self.reshaped(operator.place, value, value.dims)

    def reshaped(self, place: str, value: LitertValue, shape: Shape) -> Handle:
        """A value in another shape, with the range of the value."""
        handle = self.draft.reshape(place, value.handle, shape)
        if value.handle in self._ranges:
            self._ranges.setdefault(handle, self._ranges[value.handle])
        return handle

    def as_seen(self, place: str, value: LitertValue) -> Handle:
        """A value for an operator that takes any shape: an image that the file sees as a vector is flattened."""
        shape = self.draft.shape(value.handle)
        return value.handle if len(value.dims) != 1 or shape == value.dims else self.reshaped(place, value, value.dims)

    def is_constant(self, operator: Operator, place: int) -> bool:
        """True if input number `place` is stored in the file."""
        tensor = _input(operator, place)
        return tensor >= 0 and self._graph.tensors[self._aliases.get(tensor, tensor)].is_constant

    def constant(self, operator: Operator, place: int) -> FloatArray:
        """Input number `place`, which must be stored in the file."""
        if not self.is_constant(operator, place):
            raise refusal(operator.place, f"its input number {place} is no constant", "weights stored in the file")
        tensor = _input(operator, place)
        return self._graph.tensors[self._aliases.get(tensor, tensor)].values()

    def bias(self, operator: Operator) -> FloatArray | None:
        """Input number 2; None if it is left out."""
        return self.constant(operator, 2).reshape(-1) if _input(operator, 2) >= 0 else None

    def learns(self, operator: Operator, handle: Handle, place: int, *, shift: bool = False) -> None:
        """A layer learns this constant; of a `shift`, a bias or a factor, only one whose numbers differ.

        A converter stores equal tensors once: zeros or ones in two layers are no tie between them.
        """
        number = _input(operator, place)
        if number < 0 or (shift and np.ptp(self.constant(operator, place)) == 0):
            return
        tensor = self._graph.tensors[self._aliases.get(number, number)]
        self.draft.learns_from(handle, [Stored(tensor.identity, f"the tensor {tensor.name!r}")])

    def output_shape(self, operator: Operator) -> tuple[int, ...]:
        """The shape of what it makes as the file says it, without the number of samples."""
        return self._graph.tensors[operator.outputs[0]].shape[1:]

    def alias(self, operator: Operator) -> None:
        """What it makes is the constant it reads."""
        tensor = _input(operator, 0)
        self._aliases[operator.outputs[0]] = self._aliases.get(tensor, tensor)

    def _take_input(self) -> None:
        if len(self._graph.inputs) != 1 or self._graph.inputs[0] < 0:
            raise CompileError(
                f"the LiteRT model has {len(self._graph.inputs)} inputs.", "Nearest supported: one input."
            )
        tensor = self._graph.tensors[self._graph.inputs[0]]
        place = f"LiteRT input {tensor.name!r}"
        if len(tensor.shape) < 2 or min(tensor.shape[1:]) < 1:
            raise refusal(place, f"its shape {tensor.shape} is not fixed", "(1, n) or (1, height, width, channels)")
        handle = self.draft.input(place, tensor.shape[1:])
        self._take_value(self._graph.inputs[0], LitertValue(handle, tensor.shape[1:]))

    def _take(self, operator: Operator) -> None:
        if operator.name in _SHAPE_ARITHMETIC and self._only_shapes(operator):
            self._shapes.update(operator.outputs)
        elif operator.name == "DEQUANTIZE" and self.is_constant(operator, 0):
            self.alias(operator)
        elif operator.name not in _TAKERS:
            raise refusal(operator.place, "there is no kernel for it", f"a network of {', '.join(_TAKERS)}")
        else:
            self._take_value(operator.outputs[0], _TAKERS[operator.name](self, operator))

    def _take_value(self, tensor: int, value: LitertValue) -> None:
        """A tensor's value, and its range unless that is known of the same value in another format."""
        self._values[tensor] = value
        found = self._graph.tensors[tensor].range()
        if found is not None:
            self._ranges.setdefault(value.handle, found)

    def _only_shapes(self, operator: Operator) -> bool:
        """True for arithmetic on shapes alone, which a RESHAPE's output says in the end."""
        known = (place for place in range(len(operator.inputs)) if not self.is_constant(operator, place))
        return operator.name == "SHAPE" or all(operator.inputs[place] in self._shapes for place in known)


def _take_dense(reader: _Reader, operator: Operator) -> LitertValue:
    if operator.setting(1, "b"):
        raise refusal(operator.place, "its weights are shuffled", "the default format of weights")
    value, weights = reader.value(operator), reader.constant(operator, 1)
    if operator.setting(2, "?") and len(value.dims) != 1:
        raise refusal(operator.place, f"it keeps the axes of {value.dims}", "a Flatten before it")
    flat = reader.reshaped(operator.place, value, (math.prod(value.dims),))
    handle = reader.draft.dense(operator.place, flat, Learned(weights, reader.bias(operator)))
    return _learning(reader, operator, handle, 0)


def _take_conv(reader: _Reader, operator: Operator) -> LitertValue:
    _check_dilation(operator, 4)
    source, learned = reader.image(operator), Learned(reader.constant(operator, 1), reader.bias(operator))
    handle = reader.draft.conv(operator.place, source, learned, _stride(operator), _padding(operator))
    return _learning(reader, operator, handle, 3)


def _take_depthwise(reader: _Reader, operator: Operator) -> LitertValue:
    _check_dilation(operator, 5)
    weights, source = reader.constant(operator, 1), reader.image(operator)
    if weights.ndim != 4 or weights.shape[3] != reader.draft.shape(source)[-1]:
        reason = f"its weights {weights.shape} are not one kernel a channel"
        raise refusal(operator.place, reason, "a depth multiplier of 1, or CONV_2D")
    learned = Learned(np.moveaxis(weights[0], 2, 0), reader.bias(operator))
    handle = reader.draft.depthwise(operator.place, source, learned, _stride(operator), _padding(operator))
    return _learning(reader, operator, handle, 4)


def _learning(reader: _Reader, operator: Operator, handle: Handle, activation: int) -> LitertValue:
    """A layer with weights, inputs number 1 and 2, behind the activation in the field `activation`."""
    reader.learns(operator, handle, 1)
    reader.learns(operator, handle, 2, shift=True)
    return _fused(reader, operator, LitertValue(handle, reader.draft.shape(handle)), activation)


def _take_max_pool(reader: _Reader, operator: Operator) -> LitertValue:
    return _take_pool(reader, operator, "max")


def _take_average_pool(reader: _Reader, operator: Operator) -> LitertValue:
    return _take_pool(reader, operator, "average")


def _take_pool(reader: _Reader, operator: Operator, kind: Literal["max", "average"]) -> LitertValue:
    pool = int(operator.setting(4)), int(operator.setting(3))
    stride, padding = _stride(operator), _padding(operator)
    handle = reader.draft.pool(operator.place, reader.image(operator), kind, pool, stride, padding)
    return _fused(reader, operator, LitertValue(handle, reader.draft.shape(handle)), 5)


def _take_mean(reader: _Reader, operator: Operator) -> LitertValue:
    """Over all axes but the channels; an axis of one number may have been left out of the file's dimensions."""
    value = reader.value(operator)
    rank = len(value.dims) + 1
    axes = {int(axis) % rank for axis in reader.constant(operator, 1).reshape(-1)}
    handle = reader.reshaped(operator.place, value, _image_of(value.dims))
    if rank < 3 or axes != set(range(1, rank - 1)) or reader.draft.shape(handle)[-1] != value.dims[-1]:
        raise refusal(
            operator.place, f"it takes the mean over the axes {sorted(axes)}", "the mean over height and width"
        )
    return LitertValue(reader.draft.global_average_pool(operator.place, handle), reader.output_shape(operator))


def _take_activation(reader: _Reader, operator: Operator) -> LitertValue:
    return _activated(reader, operator, reader.value(operator), _ACTIVATIONS[operator.name])


def _take_leaky_relu(reader: _Reader, operator: Operator) -> LitertValue:
    slope = float(str(np.float32(operator.setting(0, "f"))))  # the decimal number it was most likely written from
    return _activated(reader, operator, reader.value(operator), "leaky_relu", slope)


def _take_add(reader: _Reader, operator: Operator) -> LitertValue:
    if reader.is_constant(operator, 0) or reader.is_constant(operator, 1):
        return _take_factors(reader, operator)
    first, second = reader.value(operator, 0), reader.value(operator, 1)
    if first.dims != second.dims:
        raise refusal(operator.place, f"it adds {second.dims} to {first.dims}", "two tensors of one shape")
    handle = reader.draft.add(operator.place, *(reader.as_seen(operator.place, value) for value in (first, second)))
    return _fused(reader, operator, LitertValue(handle, first.dims), 0)


def _take_factors(reader: _Reader, operator: Operator) -> LitertValue:
    """An ADD, SUB or MUL with a constant: one number for all, or one for each channel."""
    constant_first = reader.is_constant(operator, 0) and operator.name != "SUB"
    value, numbers = reader.value(operator, int(constant_first)), reader.constant(operator, int(not constant_first))
    if numbers.size not in (1, numbers.shape[-1] if numbers.ndim else 1):
        raise refusal(operator.place, f"its constant has the shape {numbers.shape}", "one number for each channel")
    zeros, ones = np.zeros(1), np.ones(1)
    factors = {"ADD": (ones, numbers), "SUB": (ones, -numbers), "MUL": (numbers, zeros)}
    handle = reader.draft.affine(operator.place, value.handle, *factors[operator.name])
    reader.learns(operator, handle, int(not constant_first), shift=True)
    return _fused(reader, operator, LitertValue(handle, value.dims), 0)


def _take_pad(reader: _Reader, operator: Operator) -> LitertValue:
    amounts = reader.constant(operator, 1).astype(int)
    if amounts.shape != (4, 2) or amounts[[0, 3]].any():
        raise refusal(operator.place, f"it pads by {amounts.tolist()}", "rows and columns of zeros around an image")
    (top, bottom), (left, right) = amounts[1:3].tolist()
    pads: Pads = ((top, bottom), (left, right))
    handle = reader.draft.zero_pad(operator.place, reader.image(operator), pads)
    return LitertValue(handle, reader.draft.shape(handle))


def _take_view(reader: _Reader, operator: Operator) -> LitertValue:
    """The same numbers with other dimensions."""
    value, dims = reader.value(operator), reader.output_shape(operator)
    if math.prod(dims) != math.prod(value.dims) or min(dims, default=0) < 1:
        raise refusal(operator.place, f"it makes {dims} of {value.dims}", "a shape of as many numbers")
    return LitertValue(value.handle, dims)


def _take_nothing(reader: _Reader, operator: Operator) -> LitertValue:
    """QUANTIZE and DEQUANTIZE: the same numbers in another format."""
    return reader.value(operator)


def _take_softmax(reader: _Reader, operator: Operator) -> LitertValue:
    if operator.name == "SOFTMAX" and operator.setting(0, "f") != 1.0:
        raise refusal(operator.place, f"its beta is {operator.setting(0, 'f')}", "beta=1")
    value = reader.value(operator)
    return value._replace(handle=reader.draft.softmax(operator.place, reader.as_seen(operator.place, value)))


_TAKERS: dict[str, Callable[[_Reader, Operator], LitertValue]] = {
    "FULLY_CONNECTED": _take_dense,
    "CONV_2D": _take_conv,
    "DEPTHWISE_CONV_2D": _take_depthwise,
    "MAX_POOL_2D": _take_max_pool,
    "AVERAGE_POOL_2D": _take_average_pool,
    "MEAN": _take_mean,
    **dict.fromkeys(_ACTIVATIONS, _take_activation),
    "LEAKY_RELU": _take_leaky_relu,
    "ADD": _take_add,
    "SUB": _take_factors,
    "MUL": _take_factors,
    "PAD": _take_pad,
    "RESHAPE": _take_view,
    "SQUEEZE": _take_view,
    "EXPAND_DIMS": _take_view,
    "QUANTIZE": _take_nothing,
    "DEQUANTIZE": _take_nothing,
    "SOFTMAX": _take_softmax,
    "LOG_SOFTMAX": _take_softmax,
}


def _input(operator: Operator, place: int) -> int:
    """The tensor that is input number `place`; -1 if there is none."""
    return operator.inputs[place] if place < len(operator.inputs) else -1


def _fused(reader: _Reader, operator: Operator, value: LitertValue, field: int) -> LitertValue:
    """A value behind the activation an operator carries in its settings."""
    number = int(operator.setting(field, "b"))
    if number not in _FUSED:
        raise refusal(operator.place, f"its activation is number {number}", "none, RELU, RELU6 or TANH")
    return _activated(reader, operator, value, _FUSED[number])


def _activated(
    reader: _Reader, operator: Operator, value: LitertValue, kind: ActivationKind, slope: float = DEFAULT_SLOPE
) -> LitertValue:
    return value._replace(handle=reader.draft.activation(operator.place, value.handle, kind, slope))


def _image_of(dims: Shape) -> Shape:
    """Dimensions as an image: a sequence (steps, channels) is one row high."""
    return (*(1,) * (3 - len(dims)), *dims)


def _stride(operator: Operator) -> Pair:
    return int(operator.setting(2)), int(operator.setting(1))


def _padding(operator: Operator) -> Padding:
    return "same" if operator.setting(0, "b") == _SAME else "valid"


def _check_dilation(operator: Operator, field: int) -> None:
    dilations = [int(operator.setting(place, default=1)) for place in (field, field + 1)]
    if dilations != [1, 1]:
        raise refusal(operator.place, f"its dilations are {dilations}", "dilations of 1")
