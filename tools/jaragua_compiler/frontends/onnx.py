"""Front end for ONNX files, such as PyTorch exports: -> Network and weights.

ONNX images have their channels first, those of a Network last: the network of a file reads its images as (height,
width, channels), and the weights behind a flatten are put in that order. The number of samples at once is taken to be
one. Batch normalisation and padding become part of the convolution or dense layer beside them, a softmax at the end
part of the loss. Everything else is refused by name.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np

from jaragua_compiler.errors import CompileError
from jaragua_compiler.frontends.draft import Handle, Learned
from jaragua_compiler.frontends.model_file import ModelFile
from jaragua_compiler.frontends.naming import identifier
from jaragua_compiler.frontends.onnx_constants import resolved_shape
from jaragua_compiler.frontends.onnx_graph import DAMAGED, OnnxNode, read_graph
from jaragua_compiler.frontends.onnx_reader import Layout, OnnxReader, OnnxValue, Takers
from jaragua_compiler.graph.initial_weights import FloatArray, Weights
from jaragua_compiler.graph.layers import Padding, Pads, Pair
from jaragua_compiler.graph.network import Loss, Network
from jaragua_compiler.operators.registry import activations_of

_ACTIVATIONS = activations_of("onnx")


def from_onnx(path: str | Path, loss: Loss | None = None) -> tuple[Network, Weights]:
    """The path of a `.onnx` file -> (Network, per layer with weights (W, b)); see read_onnx."""
    found = read_onnx(path, loss)
    return found.network, found.weights


def read_onnx(path: str | Path, loss: Loss | None = None) -> ModelFile:
    """The path of a `.onnx` file -> network, weights, and how its samples lie.

    `loss` is needed unless the model ends in a softmax. Raises CompileError that names the node, says why it cannot be
    taken, and what comes nearest to it.
    """
    path = Path(path)
    graph = read_graph(path)
    try:
        with np.errstate(all="ignore"):  # what is not finite is refused by name
            return OnnxReader(graph, _TAKERS).read(identifier(path.stem), loss)
    except (LookupError, TypeError, ValueError, AttributeError, OverflowError) as error:
        reason = f"{path}: its graph cannot be understood ({type(error).__name__}: {error})."
        raise CompileError(reason, DAMAGED) from error


def _take_dense(reader: OnnxReader, node: OnnxNode, weights: FloatArray, bias: FloatArray | None) -> OnnxValue:
    """weights [out, in], with the inputs in the order in which the file flattens them."""
    value = reader.vector(node)
    if weights.shape[1:] == value.dims[1:]:
        weights = weights[:, reader.columns(value)]
    flat = reader.draft.flatten(node.place, value.handle)
    handle = reader.draft.dense(node.place, flat, Learned(weights, bias))
    reader.learns(node, handle, (1,))
    return OnnxValue(handle, (1, weights.shape[0]), "flat")


def _take_gemm(reader: OnnxReader, node: OnnxNode) -> OnnxValue:
    if node.attributes.get("transA"):
        raise node.refused("it transposes its first input", "transA=0")
    weights = reader.needed(node, 1) * float(node.attributes.get("alpha", 1.0))
    weights = weights if node.attributes.get("transB") else weights.T
    bias = reader.constant(node, 2)
    if bias is not None:
        bias = np.broadcast_to(bias.reshape(-1), len(weights)) * float(node.attributes.get("beta", 1.0))
    value = _take_dense(reader, node, weights, bias)
    reader.learns(node, value.handle, (2,), shift=True)
    return value


def _take_matmul(reader: OnnxReader, node: OnnxNode) -> OnnxValue:
    weights = reader.needed(node, 1)
    if weights.ndim != 2:
        raise node.refused(f"its weights have the shape {weights.shape}", "a matrix")
    return _take_dense(reader, node, weights.T, None)


def _take_conv(reader: OnnxReader, node: OnnxNode) -> OnnxValue:
    value, weights = reader.image(node), reader.needed(node, 1)
    if weights.ndim != 4 or node.integers("kernel_shape", list(weights.shape[2:])) != list(weights.shape[2:]):
        raise node.refused(f"its weights have the shape {weights.shape}", "(out, in, height, width)")
    _check_dilations(node)
    bias = reader.constant(node, 2)
    biases = None if bias is None else bias.astype(np.float64)
    groups, stride, padding = int(node.attributes.get("group", 1)), _stride(node), _padding(node)
    if groups == 1:
        learned = Learned(weights.transpose(0, 2, 3, 1), biases)
        handle = reader.draft.conv(node.place, value.handle, learned, stride, padding)
    elif weights.shape[:2] == (groups, 1) and value.dims[1] == groups:
        handle = reader.draft.depthwise(node.place, value.handle, Learned(weights[:, 0], biases), stride, padding)
    else:
        raise node.refused(f"it has {groups} groups for {value.dims[1]} channels", "group=1, or one group a channel")
    reader.learns(node, handle, (1,))
    reader.learns(node, handle, (2,), shift=True)
    return _image(reader, handle)


def _take_max_pool(reader: OnnxReader, node: OnnxNode) -> OnnxValue:
    return _take_pool(reader, node, "max")


def _take_average_pool(reader: OnnxReader, node: OnnxNode) -> OnnxValue:
    padded = any(node.integers("pads", [])) or str(node.attributes.get("auto_pad", "")).startswith("SAME")
    if padded and node.attributes.get("count_include_pad"):
        raise node.refused("its padding counts in the mean", "count_include_pad=0")
    return _take_pool(reader, node, "average")


def _take_pool(reader: OnnxReader, node: OnnxNode, kind: Literal["max", "average"]) -> OnnxValue:
    _check_dilations(node)
    if node.attributes.get("ceil_mode"):
        raise node.refused("it rounds the number of its positions up", "ceil_mode=0")
    value, pool = reader.image(node), _pair(node, "kernel_shape")
    return _image(reader, reader.draft.pool(node.place, value.handle, kind, pool, _stride(node), _padding(node)))


def _take_global_average(reader: OnnxReader, node: OnnxNode) -> OnnxValue:
    value = reader.image(node)
    return OnnxValue(reader.draft.global_average_pool(node.place, value.handle), (1, value.dims[1], 1, 1), "flat")


def _take_mean(reader: OnnxReader, node: OnnxNode) -> OnnxValue:
    axes = (
        node.integers("axes", [])
        if len(node.inputs) < 2
        else [int(axis) for axis in reader.needed(node, 1).reshape(-1)]
    )
    value = reader.elements(node)
    wanted = {"first": {2, 3}, "last": {1, 2}}.get(value.layout, set())
    if not reader.is_stored_image(value) or {axis % 4 for axis in axes} != wanted:
        raise node.refused(f"it takes the mean over the axes {axes}", "the mean over height and width")
    dims = tuple(1 if axis in wanted else size for axis, size in enumerate(value.dims))
    kept = dims if node.attributes.get("keepdims", 1) else (1, max(dims))
    return OnnxValue(reader.draft.global_average_pool(node.place, value.handle), kept, "flat")


def _take_activation(reader: OnnxReader, node: OnnxNode) -> OnnxValue:
    value = reader.elements(node)
    return replace(value, handle=reader.draft.activation(node.place, value.handle, _ACTIVATIONS[node.operator]))


def _take_clip(reader: OnnxReader, node: OnnxNode) -> OnnxValue:
    limits = [node.attributes.get(name) for name in ("min", "max")]
    for place in (1, 2):
        found = reader.constant(node, place)
        limits[place - 1] = limits[place - 1] if found is None else float(found.reshape(-1)[0])
    least, most = limits
    if least != 0 or not (most is None or most == 6 or most > 3e38):
        raise node.refused(f"it clips to {least}..{most}", "Clip(0, 6) or Relu")
    value = reader.elements(node)
    return replace(value, handle=reader.draft.activation(node.place, value.handle, "relu6" if most == 6 else "relu"))


def _take_leaky_relu(reader: OnnxReader, node: OnnxNode) -> OnnxValue:
    value, slope = reader.elements(node), _slope(node)
    return replace(value, handle=reader.draft.activation(node.place, value.handle, "leaky_relu", slope))


def _take_add(reader: OnnxReader, node: OnnxNode) -> OnnxValue:
    if reader.is_constant(node, 0) or reader.is_constant(node, 1):
        return _take_factors(reader, node)
    first, second = reader.elements(node, 0), reader.elements(node, 1)
    if (first.dims, first.layout) != (second.dims, second.layout):
        raise node.refused(f"it adds {second.dims} to {first.dims}", "two tensors of one shape")
    return replace(first, handle=reader.draft.add(node.place, first.handle, second.handle))


def _take_factors(reader: OnnxReader, node: OnnxNode) -> OnnxValue:
    """An Add, Sub, Mul or Div with a constant: one number for all, or one for each channel."""
    constant_first = reader.is_constant(node, 0)
    if constant_first and node.operator in ("Sub", "Div"):
        raise node.refused("it works on a constant", "the constant as its second input")
    value, numbers = reader.elements(node, int(constant_first)), reader.needed(node, int(not constant_first))
    zeros, ones = np.zeros(1), np.ones(1)
    factors = {"Add": (ones, numbers), "Sub": (ones, -numbers), "Mul": (numbers, zeros), "Div": (1 / numbers, zeros)}
    _check_per_channel(reader, node, value, numbers)
    handle = reader.draft.affine(node.place, value.handle, *factors[node.operator])
    reader.learns(node, handle, (int(not constant_first),), shift=True)
    return replace(value, handle=handle)


def _take_batch_normalisation(reader: OnnxReader, node: OnnxNode) -> OnnxValue:
    if node.attributes.get("training_mode"):
        raise node.refused("it is exported for training", "a model exported in evaluation mode")
    value = reader.elements(node)
    if value.layout == "last":
        raise node.refused("its channels come last", "channels first")
    scale, shift, mean, variance = (reader.needed(node, place) for place in range(1, 5))
    factor = scale / np.sqrt(variance + float(node.attributes.get("epsilon", 1e-5)))
    handle = reader.draft.affine(node.place, value.handle, factor, shift - mean * factor)
    reader.learns(node, handle, (1, 2, 3, 4), shift=True)
    return replace(value, handle=handle)


def _take_pad(reader: OnnxReader, node: OnnxNode) -> OnnxValue:
    value = reader.image(node)
    mode = node.attributes.get("mode", "constant")
    amounts = node.integers("pads", []) if len(node.inputs) < 2 else [int(n) for n in reader.needed(node, 1)]
    filling = reader.constant(node, 2)
    if mode != "constant" or (filling is not None and filling.any()) or node.attributes.get("value"):
        raise node.refused(f"it pads with other than zeros (mode {mode!r})", "zeros around an image")
    if len(amounts) != 8 or any(amounts[axis] for axis in (0, 1, 4, 5)) or len(node.inputs) > 3:
        raise node.refused(f"it pads by {amounts}", "rows and columns around an image")
    pads: Pads = ((amounts[2], amounts[6]), (amounts[3], amounts[7]))
    return _image(reader, reader.draft.zero_pad(node.place, value.handle, pads))


def _take_view(reader: OnnxReader, node: OnnxNode) -> OnnxValue:
    """The same numbers with other dimensions."""
    value = reader.value(node)
    dims = _view_dims(reader, node, value.dims)
    if np.prod(dims) != np.prod(value.dims) or min(dims, default=0) < 1:
        raise node.refused(f"it makes {dims} of {value.dims}", "a shape of as many numbers, for a batch of one")
    return replace(value, dims=dims, places=None if value.places is None else value.places.reshape(dims))


def _view_dims(reader: OnnxReader, node: OnnxNode, dims: tuple[int, ...]) -> tuple[int, ...]:
    if node.operator == "Flatten":
        axis = int(node.attributes.get("axis", 1))
        return int(np.prod(dims[:axis])), int(np.prod(dims[axis:]))
    if node.operator == "Reshape":
        return resolved_shape(reader.needed(node, 1), dims)
    axes = node.attributes.get("axes") if len(node.inputs) < 2 else reader.needed(node, 1).reshape(-1)
    chosen = None if axes is None else tuple(int(axis) for axis in axes)
    shape = np.empty(dims, dtype=bool)
    return (np.squeeze(shape, chosen) if node.operator == "Squeeze" else np.expand_dims(shape, chosen or ())).shape


def _take_transpose(reader: OnnxReader, node: OnnxNode) -> OnnxValue:
    value = reader.value(node)
    order = node.integers("perm", list(reversed(range(len(value.dims)))))
    dims = tuple(value.dims[axis] for axis in order)
    if value.places is not None:
        return OnnxValue(value.handle, dims, "flat", value.places.transpose(order))
    before: Layout = "last" if order == [0, 3, 1, 2] else "first"
    if before == "first" and order != [0, 2, 3, 1]:
        raise node.refused(f"it puts the axes of {value.dims} in the order {order}", "images from or to channels first")
    if value.layout == "flat" and max(dims) == np.prod(dims):
        return replace(value, dims=dims)
    if value.layout != before or not reader.is_stored_image(value):
        raise node.refused(f"its input {value.dims} is no image with its channels {before}", "one Transpose")
    return OnnxValue(value.handle, dims, "last" if before == "first" else "first")


def _take_gather(reader: OnnxReader, node: OnnxNode) -> OnnxValue:
    """Only one that takes every number in its order: exporters write a view so."""
    value, indices = reader.value(node), reader.needed(node, 1)
    if len(value.dims) != 1 or not np.array_equal(indices.reshape(-1), np.arange(value.dims[0])):
        raise node.refused("it takes some numbers of many", "Reshape")
    return replace(
        value, dims=indices.shape, places=None if value.places is None else value.places.reshape(indices.shape)
    )


def _take_nothing(reader: OnnxReader, node: OnnxNode) -> OnnxValue:
    return reader.value(node)


def _take_softmax(reader: OnnxReader, node: OnnxNode) -> OnnxValue:
    value = reader.vector(node)
    if int(node.attributes.get("axis", -1)) not in (1, -1):
        raise node.refused(f"its axis is {node.attributes['axis']}", "axis=1")
    return replace(value, handle=reader.draft.softmax(node.place, reader.as_end(node.place, value)))


_TAKERS: Takers = {
    "Gemm": _take_gemm,
    "MatMul": _take_matmul,
    "Conv": _take_conv,
    "MaxPool": _take_max_pool,
    "AveragePool": _take_average_pool,
    "GlobalAveragePool": _take_global_average,
    "ReduceMean": _take_mean,
    **dict.fromkeys(_ACTIVATIONS, _take_activation),
    "Clip": _take_clip,
    "LeakyRelu": _take_leaky_relu,
    "Add": _take_add,
    "Sub": _take_factors,
    "Mul": _take_factors,
    "Div": _take_factors,
    "BatchNormalization": _take_batch_normalisation,
    "Pad": _take_pad,
    "Flatten": _take_view,
    "Reshape": _take_view,
    "Squeeze": _take_view,
    "Unsqueeze": _take_view,
    "Transpose": _take_transpose,
    "Gather": _take_gather,
    "Identity": _take_nothing,
    "Dropout": _take_nothing,
    "Softmax": _take_softmax,
    "LogSoftmax": _take_softmax,
}


def _image(reader: OnnxReader, handle: Handle) -> OnnxValue:
    """A value that is an image of the draft, channels first."""
    height, width, channels = reader.draft.shape(handle)
    return OnnxValue(handle, (1, channels, height, width), "first")


def _check_per_channel(reader: OnnxReader, node: OnnxNode, value: OnnxValue, numbers: FloatArray) -> None:
    """A constant with more than one number must have them along the channels."""
    axis = {"first": 1, "last": 3}.get(value.layout, len(value.dims) - 1)
    sizes = (*(1,) * (len(value.dims) - numbers.ndim), *numbers.shape)
    along = sizes[axis] if len(sizes) == len(value.dims) else 0
    if numbers.size != 1 and (along != numbers.size or along != reader.draft.shape(value.handle)[-1]):
        raise node.refused(
            f"its constant of the shape {numbers.shape} is not one number a channel", "one for each channel"
        )


def _check_dilations(node: OnnxNode) -> None:
    if any(number != 1 for number in node.integers("dilations", [])):
        raise node.refused(f"its dilations are {node.integers('dilations', [])}", "dilations of 1")


def _stride(node: OnnxNode) -> Pair:
    return _pair(node, "strides", [1, 1])


def _pair(node: OnnxNode, name: str, default: list[int] | None = None) -> Pair:
    numbers = node.integers(name, default or [])
    if len(numbers) != 2:
        raise node.refused(f"its {name} is {numbers}", "two numbers: images have a height and a width")
    return numbers[0], numbers[1]


def _padding(node: OnnxNode) -> Padding:
    automatic = str(node.attributes.get("auto_pad", "NOTSET"))
    if automatic == "SAME_UPPER":
        return "same"
    if automatic not in ("NOTSET", "", "VALID"):
        raise node.refused(f"its padding is {automatic}", "SAME_UPPER or pads")
    pads = node.integers("pads", [0, 0, 0, 0])
    if len(pads) != 4:
        raise node.refused(f"its pads are {pads}", "four numbers")
    return ((pads[0], pads[2]), (pads[1], pads[3])) if automatic != "VALID" else "valid"


def _slope(node: OnnxNode) -> float:
    """A float32 in the file, read as the decimal number it was most likely written from."""
    return float(str(np.float32(node.attributes.get("alpha", 0.01))))
