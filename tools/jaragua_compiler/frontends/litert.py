"""Front end for LiteRT (TensorFlow Lite) files in float32 or full-integer int8: -> Network and weights.

Quantised weights become the real numbers they stand for, and the ranges of activations in an int8 file come with them
(A2.6). Padding becomes part of the convolution behind it, a softmax at the end part of the loss. Everything else is
refused by name.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np

from jaragua_compiler.errors import CompileError
from jaragua_compiler.frontends.assemble import assemble_with_ranges
from jaragua_compiler.frontends.draft import Draft, Handle, refusal
from jaragua_compiler.frontends.flatbuffer import FlatbufferError
from jaragua_compiler.frontends.litert_file import Graph, Operator, read_graph
from jaragua_compiler.frontends.naming import identifier
from jaragua_compiler.initial import FloatArray, Weights
from jaragua_compiler.layers import ActivationKind, Padding, Pads, Pair
from jaragua_compiler.network import Loss, Network
from jaragua_compiler.ranges import Range, Ranges

_FUSED: dict[int, ActivationKind] = {0: "linear", 1: "relu", 3: "relu6", 4: "tanh"}
_SHAPE_ARITHMETIC = ("SHAPE", "STRIDED_SLICE", "PACK")
_SAME = 0


class LitertModel(NamedTuple):
    """What a file holds. `ranges` are None unless it says what the integers of its input stand for."""

    network: Network
    weights: Weights
    ranges: Ranges | None


def from_litert(path: str | Path, loss: Loss | None = None) -> tuple[Network, Weights]:
    """The path of a `.tflite` file -> (Network, per layer with weights (W, b)).

    `loss` is needed unless the model ends in a softmax. Raises CompileError that names the operator, says why it
    cannot be taken, and what comes nearest to it.
    """
    model = read_litert(path, loss)
    return model.network, model.weights


def read_litert(path: str | Path, loss: Loss | None = None) -> LitertModel:
    """As from_litert, with the ranges of an int8 file."""
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
        self._values: dict[int, Handle] = {}
        self._aliases: dict[int, int] = {}
        self._shapes: set[int] = set()
        self._ranges: dict[Handle, Range] = {}

    def read(self, name: str, loss: Loss | None) -> LitertModel:
        """The whole graph."""
        self._take_input()
        for operator in self._graph.operators:
            self._take(operator)
        if len(self._graph.outputs) != 1 or self._graph.outputs[0] not in self._values:
            raise CompileError(
                f"the LiteRT model has {len(self._graph.outputs)} outputs.",
                "Nearest supported: one output.",
            )
        output = self._values[self._graph.outputs[0]]
        return LitertModel(*assemble_with_ranges(self.draft, output, name, loss, self._ranges))

    def value(self, operator: Operator, place: int = 0) -> Handle:
        """Input number `place` of an operator."""
        tensor = _input(operator, place)
        if tensor not in self._values:
            raise refusal(
                operator.place, f"its input number {place} is not computed before it", "operators in their order"
            )
        return self._values[tensor]

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
        self._take_value(self._graph.inputs[0], self.draft.input(place, tensor.shape[1:]))

    def _take(self, operator: Operator) -> None:
        if operator.name in _SHAPE_ARITHMETIC and self._only_shapes(operator):
            self._shapes.update(operator.outputs)
        elif operator.name == "DEQUANTIZE" and self.is_constant(operator, 0):
            self.alias(operator)
        elif operator.name not in _TAKERS:
            raise refusal(operator.place, "there is no kernel for it", f"a network of {', '.join(_TAKERS)}")
        else:
            self._take_value(operator.outputs[0], _TAKERS[operator.name](self, operator))

    def _take_value(self, tensor: int, value: Handle) -> None:
        """A tensor's value, and its range unless that is known of the same value in another format."""
        self._values[tensor] = value
        found = self._graph.tensors[tensor].range()
        if found is not None:
            self._ranges.setdefault(value, found)

    def _only_shapes(self, operator: Operator) -> bool:
        """True for arithmetic on shapes alone, which a RESHAPE's output says in the end."""
        known = (place for place in range(len(operator.inputs)) if not self.is_constant(operator, place))
        return operator.name == "SHAPE" or all(operator.inputs[place] in self._shapes for place in known)


def _take_dense(reader: _Reader, operator: Operator) -> Handle:
    if operator.setting(1, "b"):
        raise refusal(operator.place, "its weights are shuffled", "the default format of weights")
    value, weights = reader.value(operator), reader.constant(operator, 1)
    if operator.setting(2, "?") and len(reader.draft.shape(value)) != 1:
        raise refusal(operator.place, f"it keeps the axes of {reader.draft.shape(value)}", "a Flatten before it")
    flat = reader.draft.flatten(operator.place, value)
    return _fused(reader, operator, reader.draft.dense(operator.place, flat, weights, reader.bias(operator)), 0)


def _take_conv(reader: _Reader, operator: Operator) -> Handle:
    _check_dilation(operator, 4)
    value = reader.draft.conv(
        operator.place,
        reader.value(operator),
        reader.constant(operator, 1),
        reader.bias(operator),
        _stride(operator),
        _padding(operator),
    )
    return _fused(reader, operator, value, 3)


def _take_depthwise(reader: _Reader, operator: Operator) -> Handle:
    _check_dilation(operator, 5)
    weights, source = reader.constant(operator, 1), reader.value(operator)
    if weights.ndim != 4 or weights.shape[3] != reader.draft.shape(source)[-1]:
        reason = f"its weights {weights.shape} are not one kernel a channel"
        raise refusal(operator.place, reason, "a depth multiplier of 1, or CONV_2D")
    by_channel, bias = np.moveaxis(weights[0], 2, 0), reader.bias(operator)
    value = reader.draft.depthwise(operator.place, source, by_channel, bias, _stride(operator), _padding(operator))
    return _fused(reader, operator, value, 4)


def _take_max_pool(reader: _Reader, operator: Operator) -> Handle:
    return _take_pool(reader, operator, "max")


def _take_average_pool(reader: _Reader, operator: Operator) -> Handle:
    return _take_pool(reader, operator, "average")


def _take_pool(reader: _Reader, operator: Operator, kind: Literal["max", "average"]) -> Handle:
    pool = int(operator.setting(4)), int(operator.setting(3))
    stride, padding = _stride(operator), _padding(operator)
    value = reader.draft.pool(operator.place, reader.value(operator), kind, pool, stride, padding)
    return _fused(reader, operator, value, 5)


def _take_mean(reader: _Reader, operator: Operator) -> Handle:
    axes = {int(axis) % 4 for axis in reader.constant(operator, 1).reshape(-1)}
    if axes != {1, 2}:
        raise refusal(
            operator.place, f"it takes the mean over the axes {sorted(axes)}", "the mean over height and width"
        )
    return reader.draft.global_average_pool(operator.place, reader.value(operator))


def _take_relu(reader: _Reader, operator: Operator) -> Handle:
    kind: ActivationKind = "relu6" if operator.name == "RELU6" else "relu"
    return reader.draft.activation(operator.place, reader.value(operator), kind)


def _take_tanh(reader: _Reader, operator: Operator) -> Handle:
    return reader.draft.activation(operator.place, reader.value(operator), "tanh")


def _take_leaky_relu(reader: _Reader, operator: Operator) -> Handle:
    slope = float(str(np.float32(operator.setting(0, "f"))))  # the decimal number it was most likely written from
    return reader.draft.activation(operator.place, reader.value(operator), "leaky_relu", slope)


def _take_add(reader: _Reader, operator: Operator) -> Handle:
    if reader.is_constant(operator, 0) or reader.is_constant(operator, 1):
        return _take_factors(reader, operator)
    value = reader.draft.add(operator.place, reader.value(operator, 0), reader.value(operator, 1))
    return _fused(reader, operator, value, 0)


def _take_factors(reader: _Reader, operator: Operator) -> Handle:
    """An ADD, SUB or MUL with a constant: one number for all, or one for each channel."""
    constant_first = reader.is_constant(operator, 0) and operator.name != "SUB"
    value, numbers = reader.value(operator, int(constant_first)), reader.constant(operator, int(not constant_first))
    if numbers.size not in (1, numbers.shape[-1] if numbers.ndim else 1):
        raise refusal(operator.place, f"its constant has the shape {numbers.shape}", "one number for each channel")
    zeros, ones = np.zeros(1), np.ones(1)
    factors = {"ADD": (ones, numbers), "SUB": (ones, -numbers), "MUL": (numbers, zeros)}
    return _fused(reader, operator, reader.draft.affine(operator.place, value, *factors[operator.name]), 0)


def _take_pad(reader: _Reader, operator: Operator) -> Handle:
    amounts = reader.constant(operator, 1).astype(int)
    if amounts.shape != (4, 2) or amounts[[0, 3]].any():
        raise refusal(operator.place, f"it pads by {amounts.tolist()}", "rows and columns of zeros around an image")
    (top, bottom), (left, right) = amounts[1:3].tolist()
    pads: Pads = ((top, bottom), (left, right))
    return reader.draft.zero_pad(operator.place, reader.value(operator), pads)


def _take_view(reader: _Reader, operator: Operator) -> Handle:
    value, shape = reader.value(operator), reader.output_shape(operator)
    wanted = shape if len(shape) in (1, 3) and max(shape) != np.prod(shape) else (int(np.prod(shape)),)
    return reader.draft.reshape(operator.place, value, wanted)


def _take_nothing(reader: _Reader, operator: Operator) -> Handle:
    """QUANTIZE and DEQUANTIZE: the same numbers in another format."""
    return reader.value(operator)


def _take_softmax(reader: _Reader, operator: Operator) -> Handle:
    if operator.name == "SOFTMAX" and operator.setting(0, "f") != 1.0:
        raise refusal(operator.place, f"its beta is {operator.setting(0, 'f')}", "beta=1")
    return reader.draft.softmax(operator.place, reader.value(operator))


_TAKERS: dict[str, Callable[[_Reader, Operator], Handle]] = {
    "FULLY_CONNECTED": _take_dense,
    "CONV_2D": _take_conv,
    "DEPTHWISE_CONV_2D": _take_depthwise,
    "MAX_POOL_2D": _take_max_pool,
    "AVERAGE_POOL_2D": _take_average_pool,
    "MEAN": _take_mean,
    "RELU": _take_relu,
    "RELU6": _take_relu,
    "LEAKY_RELU": _take_leaky_relu,
    "TANH": _take_tanh,
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


def _fused(reader: _Reader, operator: Operator, value: Handle, field: int) -> Handle:
    """A value behind the activation an operator carries in its settings."""
    number = int(operator.setting(field, "b"))
    if number not in _FUSED:
        raise refusal(operator.place, f"its activation is number {number}", "none, RELU, RELU6 or TANH")
    return reader.draft.activation(operator.place, value, _FUSED[number])


def _stride(operator: Operator) -> Pair:
    return int(operator.setting(2)), int(operator.setting(1))


def _padding(operator: Operator) -> Padding:
    return "same" if operator.setting(0, "b") == _SAME else "valid"


def _check_dilation(operator: Operator, field: int) -> None:
    dilations = [int(operator.setting(place, default=1)) for place in (field, field + 1)]
    if dilations != [1, 1]:
        raise refusal(operator.place, f"its dilations are {dilations}", "dilations of 1")
