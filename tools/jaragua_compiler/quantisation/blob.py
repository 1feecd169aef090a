"""The blob that carries weights to and from a device (A6), and samples in the device's integers (A2.2)."""

from __future__ import annotations

import math
import struct

import numpy as np
import numpy.typing as npt

from jaragua_compiler.errors import CompileError
from jaragua_compiler.graph.initial_weights import FloatArray, Weights
from jaragua_compiler.operators.rounding import IntArray as IntArray
from jaragua_compiler.planning.operators import WeightedPlan
from jaragua_compiler.planning.plan import LOGIT_EXPONENT, PROBABILITY_EXPONENT, Plan
from jaragua_compiler.quantisation.exponents import Exponents, check_exponents, tensor_exponents

MAGIC = b"JRGW"
_LARGEST_LIMIT = (1 << 32) - 1
BIAS_LIMIT = 1 << 30  # A2.3
QUAD_ORDER = [0, 2, 1, 3]  # A8.6; its own inverse
_HEADER = struct.Struct("<4sBBH8s")

Int16Array = npt.NDArray[np.int16]
IntegerWeights = list[tuple[IntArray, IntArray]]


def pack(plan: Plan, weights: Weights, exponents: Exponents) -> bytes:
    """Weights as real numbers, per layer (W, outputs first; b [out]) -> the blob of A6, each rounded to the nearest.

    Frozen rows are not in a blob (A10.5): what is given for them is left aside.
    """
    check_exponents(plan, exponents)
    return pack_integers(plan, quantise_weights(plan, weights, exponents), exponents)


def quantise_weights(plan: Plan, weights: Weights, exponents: Exponents) -> IntegerWeights:
    """Weights as real numbers -> the device's integers under these exponents, each rounded to the nearest."""
    integers: IntegerWeights = []
    for layer, (matrix, bias) in zip(plan.layers, weights, strict=True):
        _check_shape(layer, matrix, bias)
        own, fx = exponents.rows(layer.index, layer.outputs), exponents.inputs[layer.index]
        if layer.per_channel:
            rows = np.array(own)
            column = rows.reshape(-1, *[1] * (matrix.ndim - 1))
            integers.append((_quantise(matrix, column, 7), _quantise(bias, rows + fx, 30)))
        else:
            integers.append((_quantise(matrix, own[0], 15), _quantise(bias, own[0] + fx, 30)))
    return integers


def pack_integers(plan: Plan, weights: IntegerWeights, exponents: Exponents) -> bytes:
    """Weights as the device's integers -> the blob of A6."""
    parts = [header(plan, exponents)]
    for layer, (matrix, bias) in zip(plan.layers, weights, strict=True):
        parts.append(stored_rows(layer, np.asarray(matrix)[: layer.trained_rows]))
        parts.append(np.asarray(bias)[: layer.trained_rows].astype("<i4").tobytes())
        if layer.per_channel:
            channels = np.array(exponents.channels[layer.index][: layer.trained_rows], dtype=np.int8).tobytes()
            parts.append(channels.ljust(layer.end_offset - layer.channels_offset, b"\0"))
    return b"".join(parts)


def stored_rows(layer: WeightedPlan, matrix: npt.NDArray[np.generic]) -> bytes:
    """Some rows of a layer's integers, [rows, ...], as their bytes stand in a blob or in the image (A6, A8.6)."""
    rows = np.zeros((len(matrix), layer.row_elements), dtype="i1" if layer.per_channel else "<i2")
    rows[:, : layer.inputs] = matrix.reshape(len(matrix), layer.inputs)
    return _reordered(layer, rows).tobytes()


def unpack(plan: Plan, blob: bytes) -> Weights:
    """A blob -> its weights as real numbers, per layer (W, outputs first; b). Raises CompileError if it is bad."""
    found = exponents(plan, blob)
    scaled: Weights = []
    for layer in plan.layers:
        matrix, bias = _layer_integers(plan, layer, blob)
        rows = np.array(found.rows(layer.index, layer.outputs))
        column = rows.reshape(-1, *[1] * (matrix.ndim - 1))
        bias_exponents = rows + found.inputs[layer.index]
        # A product with a power of two is exact, and faster than ldexp of every number.
        scaled.append((matrix * np.ldexp(1.0, -column), bias * np.ldexp(1.0, -bias_exponents)))
    return scaled


def unpack_integers(plan: Plan, blob: bytes) -> IntegerWeights:
    """A blob -> the device's integers, per layer (W, outputs first; b). Raises CompileError if it is bad (A6.1)."""
    exponents(plan, blob)
    return [_layer_integers(plan, layer, blob) for layer in plan.layers]


def exponents(plan: Plan, blob: bytes) -> Exponents:
    """Check a blob's header (A6.1) and read its exponents. Raises CompileError naming what does not fit."""
    _check_identity(plan, blob)
    layers = len(plan.layers)
    count = 2 * layers + 1 + len(plan.scales.extra)
    values = struct.unpack_from(f"<{count}b", blob, plan.exponents_offset)
    padding = blob[plan.exponents_offset + count : plan.header_bytes]
    if any(padding):
        raise CompileError("blob: its header's padding is not zero.")
    pairs = values[: 2 * layers]
    weights, inputs, extra = tuple(pairs[0::2]), tuple(pairs[1::2]), tuple(values[2 * layers + 1 :])
    channels = tuple(_channels(plan, layer, blob) for layer in plan.layers) if plan.per_channel else ()
    found = Exponents(weights, inputs, values[2 * layers], extra, channels)
    check_exponents(plan, found)
    return found


def quantise_inputs(plan: Plan, exponents: Exponents, x: npt.ArrayLike) -> Int16Array:
    """Real inputs [n, inputs] (or [inputs]) -> int16 of the same shape; out of range means the nearest end (A2.2)."""
    values = np.asarray(x, dtype=np.float64)
    if values.ndim == 0 or values.shape[-1] != plan.network.input_size:
        raise CompileError(f"samples must have {plan.network.input_size} inputs each, got the shape {values.shape}.")
    return _quantise(values, tensor_exponents(plan, exponents)[0], plan.input_width).astype(np.int16)


def quantise_targets(plan: Plan, exponents: Exponents, y: npt.ArrayLike) -> Int16Array:
    """Class labels [n] -> int16 [n, 1]; a regression's real targets [n, outputs] -> int16 [n, outputs].

    Raises CompileError for a label that is no class and for a target outside the outputs' format.
    """
    return _labels(plan, np.asarray(y)) if plan.network.classifier else _regression_targets(plan, exponents, y)


def quantise_loss_threshold(plan: Plan, exponents: Exponents | None, least: float) -> int:
    """A11.8: a loss threshold, nats or the mean of an output's squared errors, in the unit of A4.4; above 0 at least 1.

    exponents: those of a regression's weights. Raises CompileError for one below 0, or that is not a number.
    """
    if not 0 <= least < math.inf:
        raise CompileError(f"a loss threshold of {least:g} is not possible.", "Give 0 (any) or more.")
    outputs = 1 if plan.network.classifier else plan.network.outputs
    exponent = LOGIT_EXPONENT if plan.network.classifier else 2 * _output_exponent(exponents)
    if least * outputs >= math.ldexp(_LARGEST_LIMIT, -exponent):  # before it is scaled: float64 has an end
        return _LARGEST_LIMIT
    return max(round(math.ldexp(least * outputs, exponent)), 1) if least else 0


def quantise_error_clip(plan: Plan, exponents: Exponents | None, limit: float) -> int:
    """A11.7: the largest output error, a probability or in the targets' unit, in the engine's unit; above 0 at least 1.

    exponents: those of a regression's weights. Raises CompileError for one below 0, or that is no number.
    """
    if not 0 <= limit < math.inf:
        raise CompileError(f"an error clip of {limit:g} is not possible.", "Give 0 (off) or more.")
    exponent = PROBABILITY_EXPONENT if plan.network.classifier else _output_exponent(exponents)
    if limit >= math.ldexp(_LARGEST_LIMIT, -exponent):
        return _LARGEST_LIMIT
    return max(round(math.ldexp(limit, exponent)), 1) if limit else 0


def _output_exponent(exponents: Exponents | None) -> int:
    if exponents is None:
        raise CompileError("the limits of a regression's steps depend on its weights.", "Give the weights' exponents.")
    return exponents.output


def _labels(plan: Plan, labels: npt.NDArray[np.generic]) -> Int16Array:
    integers = labels.astype(np.int64).reshape(-1, 1)
    classes = max(plan.network.outputs, plan.prototypes)
    if integers.size and not (integers.min() >= 0 and integers.max() < classes):
        raise CompileError(f"a label is not a class of the network: they go from 0 to {classes - 1}.")
    return integers.astype(np.int16)


def _regression_targets(plan: Plan, exponents: Exponents, y: npt.ArrayLike) -> Int16Array:
    values = np.asarray(y, dtype=np.float64).reshape(-1, plan.network.outputs)
    limit = np.ldexp(1.0, 15 - exponents.output)
    if values.size and np.max(np.abs(values)) > limit:
        raise CompileError(
            f"a target of {np.max(np.abs(values)):g} is outside the outputs' format, which holds up to {limit:g}.",
            "Give the network a larger output_range, or scale the targets.",
        )
    return _quantise(values, exponents.output, 15).astype(np.int16)


def _quantise(values: FloatArray, exponent: int | IntArray, width: int) -> IntArray:
    if not np.isfinite(values).all():
        raise CompileError("a weight or a sample is not a finite number.", "Lower the learning rate or the data.")
    unit = math.ldexp(1.0, exponent) if isinstance(exponent, int) else np.ldexp(1.0, exponent)
    scaled = np.asarray(values, dtype=np.float64) * unit  # exact, as both are
    scaled += 0.5
    np.floor(scaled, out=scaled)
    limit = float(1 << width)
    np.maximum(scaled, -limit, out=scaled)
    np.minimum(scaled, limit - 1, out=scaled)
    return scaled.astype(np.int64)


def header(plan: Plan, exponents: Exponents) -> bytes:
    """What a blob under these exponents begins with (A6)."""
    fixed = _HEADER.pack(MAGIC, plan.blob_format, len(plan.layers), 0, plan.architecture)
    pairs = [value for pair in zip(exponents.weights, exponents.inputs, strict=True) for value in pair]
    values = (*pairs, exponents.output, *exponents.extra)
    return (fixed + struct.pack(f"<{len(values)}b", *values)).ljust(plan.header_bytes, b"\0")


def _check_identity(plan: Plan, blob: bytes) -> None:
    if len(blob) != plan.blob_bytes:
        raise CompileError(f"blob: {len(blob)} bytes, network {plan.network.name!r} has {plan.blob_bytes}.")
    magic, version, layers, reserved, architecture = _HEADER.unpack_from(blob)
    if magic != MAGIC:
        raise CompileError("blob: it does not start with JRGW: these are not weights.")
    if (version, layers, reserved) != (plan.blob_format, len(plan.layers), 0):
        raise CompileError(
            f"blob: format {version} with {layers} layers, expected {plan.blob_format} with {len(plan.layers)}."
        )
    if architecture != plan.architecture:
        raise CompileError(
            f"blob: made for architecture {architecture.hex()}, this one is {plan.architecture.hex()}.",
            "Compile both from the same network.",
        )


def _layer_integers(plan: Plan, layer: WeightedPlan, blob: bytes) -> tuple[IntArray, IntArray]:
    """All rows of a layer: the trained ones of the blob, then the frozen ones of the image."""
    matrix, bias = _read_rows(layer, blob[layer.weights_offset : layer.biases_offset]), _trained_biases(layer, blob)
    constants = plan.frozen_rows(layer)
    if constants is not None:
        matrix = np.concatenate([matrix, _read_rows(layer, constants.weights)])
        bias = np.concatenate([bias, np.array(constants.biases, dtype=np.int64)])
    return matrix.reshape(layer.weights_shape), bias


def _read_rows(layer: WeightedPlan, stored: bytes) -> IntArray:
    """Stored rows -> int64 [rows, inputs]."""
    kind = "i1" if layer.per_channel else "<i2"
    rows = _reordered(layer, np.frombuffer(stored, kind).reshape(-1, layer.row_elements))
    if np.any(rows[:, layer.inputs :]):
        raise CompileError(f"blob: the rows' padding of layer {layer.index} is not zero.")
    return rows[:, : layer.inputs].astype(np.int64)


def _trained_biases(layer: WeightedPlan, blob: bytes) -> IntArray:
    bias = np.frombuffer(blob, "<i4", layer.trained_rows, layer.biases_offset).astype(np.int64)
    if np.any((bias < -BIAS_LIMIT) | (bias >= BIAS_LIMIT)):
        raise CompileError(f"blob: a bias of layer {layer.index} is outside -2^30..2^30-1 (A2.3).")
    return bias


def _reordered(layer: WeightedPlan, rows: npt.NDArray[np.generic]) -> npt.NDArray[np.generic]:
    """Rows as they are stored, or from there: quads of int8 weights stand in the order 0, 2, 1, 3 (A8.6)."""
    if not layer.per_channel:
        return rows
    return rows.reshape(len(rows), layer.row_elements // 4, 4)[:, :, QUAD_ORDER].reshape(rows.shape)


def _channels(plan: Plan, layer: WeightedPlan, blob: bytes) -> tuple[int, ...]:
    """fw of the channels of int8 weights (A8.6, A10.1); none for other layers."""
    if not layer.per_channel:
        return ()
    if any(blob[layer.channels_offset + layer.trained_rows : layer.end_offset]):
        raise CompileError(f"blob: the padding of the exponents of layer {layer.index} is not zero.")
    constants = plan.frozen_rows(layer)
    own = struct.unpack_from(f"<{layer.trained_rows}b", blob, layer.channels_offset)
    return own if constants is None else (*own, *constants.channels)


def _check_shape(layer: WeightedPlan, matrix: FloatArray, bias: FloatArray) -> None:
    expected = layer.weights_shape, (layer.outputs,)
    if (matrix.shape, bias.shape) != expected:
        raise CompileError(f"layer {layer.index}: weights of shape {matrix.shape}, {bias.shape}, expected {expected}.")
