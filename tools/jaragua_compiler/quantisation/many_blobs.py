"""Many blobs of one network at once: what `blob` does with one, in a few operations of NumPy for all. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from jaragua_compiler.errors import CompileError
from jaragua_compiler.graph.initial_weights import FloatArray
from jaragua_compiler.planning.operators import WeightedPlan
from jaragua_compiler.planning.plan import Plan
from jaragua_compiler.quantisation.blob import BIAS_LIMIT, QUAD_ORDER, exponents, unpack, unpack_integers

_Bytes = npt.NDArray[np.uint8]
_Flags = npt.NDArray[np.bool_]


def faults(plan: Plan, blobs: Sequence[bytes]) -> list[str]:
    """What `unpack_integers` raises for each blob, as text; "" for one that is good."""
    found = [""] * len(blobs)
    whole = [place for place, blob in enumerate(blobs) if len(blob) == plan.blob_bytes]
    good = np.zeros(len(blobs), np.bool_)
    if whole:
        good[whole] = _good(plan, [blobs[place] for place in whole])
    for place in np.flatnonzero(~good).tolist():
        try:
            unpack_integers(plan, blobs[place])
        except CompileError as error:
            found[place] = error.message
    return found


class Unpacking(NamedTuple):
    """How many blobs are unpacked.

    out: float64 of at least the shape of the result, whose first rows are used: fresh memory for each call would take
    longer than what is computed. are_good: `faults` has found none in these bytes.
    """

    out: FloatArray | None = None
    are_good: bool = False


_CHECKING: Final = Unpacking()


def unpack_many(plan: Plan, blobs: Sequence[bytes], how: Unpacking = _CHECKING) -> FloatArray:
    """The numbers of each blob, float64 [blobs, parameters]: layer by layer the weights row by row, then the biases.

    Each row has the bits of `unpack`. Raises: CompileError if one of the blobs is bad.
    """
    if not how.are_good and any(faults(plan, blobs)):
        return np.array([_flat(plan, blob) for blob in blobs])  # it raises what is wrong with the first bad one
    parameters = sum(int(np.prod(layer.weights_shape)) + layer.outputs for layer in plan.layers)
    result = np.empty((len(blobs), parameters)) if how.out is None else how.out[: len(blobs)]
    for places in _by_exponents(plan, blobs).values():
        _unpack_alike(plan, [blobs[place] for place in places], places, result)
    return result


def _flat(plan: Plan, blob: bytes) -> FloatArray:
    return np.concatenate([part.ravel() for layer in unpack(plan, blob) for part in layer])


def _by_exponents(plan: Plan, blobs: Sequence[bytes]) -> dict[bytes, list[int]]:
    """Places of the blobs by the bytes that hold their exponents: of one start they are mostly the same."""
    found: dict[bytes, list[int]] = {}
    for place, blob in enumerate(blobs):
        key = blob[: plan.header_bytes]
        if plan.per_channel:
            key += b"".join(blob[layer.channels_offset : layer.end_offset] for layer in plan.layers)
        found.setdefault(key, []).append(place)
    return found


def _unpack_alike(plan: Plan, blobs: Sequence[bytes], places: list[int], result: FloatArray) -> None:
    """Blobs with the same exponents, to these places: first the integers as they are, then all by their powers of two.

    A product with a power of two is exact, so these are the bits of `unpack`.
    """
    rows, at = _matrix(blobs), 0
    found = exponents(plan, blobs[0])
    target = result if len(places) == len(result) else np.empty((len(places), result.shape[1]))
    powers = np.empty(result.shape[1])
    for layer in plan.layers:
        own = np.array(found.rows(layer.index, layer.outputs))
        matrix, bias = _rows(layer, rows), _biases(layer, rows)
        constants = plan.frozen_rows(layer)
        if constants is not None:
            frozen = _stored(layer, np.frombuffer(constants.weights, np.uint8)[None])
            matrix = np.concatenate([matrix, np.broadcast_to(frozen, (len(rows), *frozen.shape[1:]))], axis=1)
            held = np.broadcast_to(np.array(constants.biases, np.int64), (len(rows), len(constants.biases)))
            bias = np.concatenate([bias, held], axis=1)
        end = at + layer.outputs * layer.inputs
        target[:, at:end] = matrix.reshape(len(rows), -1)
        powers[at:end] = np.repeat(np.ldexp(1.0, -own), layer.inputs)
        at = end + layer.outputs
        target[:, end:at] = bias
        powers[end:at] = np.ldexp(1.0, -(own + found.inputs[layer.index]))
    target *= powers
    if target is not result:
        result[places] = target


def _good(plan: Plan, blobs: Sequence[bytes]) -> _Flags:
    """Whether each blob of the right length passes all checks; one with other exponents than the first is not told."""
    rows, header = _matrix(blobs), blobs[0][: plan.header_bytes]
    good = np.array([blob.startswith(header) for blob in blobs])
    try:
        exponents(plan, blobs[0])
    except CompileError:
        return np.zeros(len(blobs), np.bool_)
    for layer in plan.layers:
        good &= ~_padding(layer, rows).any(axis=(1, 2))
        bias = _biases(layer, rows)
        good &= ~((bias < -BIAS_LIMIT) | (bias >= BIAS_LIMIT)).any(axis=1)
        if layer.per_channel:
            own = rows[:, layer.channels_offset : layer.end_offset]
            good &= (own == own[0]).all(axis=1)
    return good


def _matrix(blobs: Sequence[bytes]) -> _Bytes:
    """uint8 [blobs, bytes]."""
    return np.frombuffer(b"".join(blobs), np.uint8).reshape(len(blobs), -1)


def _stored(layer: WeightedPlan, content: _Bytes) -> npt.NDArray[np.signedinteger]:
    """uint8 [blobs, bytes of rows] -> integers [blobs, rows, inputs] in their order (A8.6)."""
    return _ordered(layer, content)[:, :, : layer.inputs]


def _ordered(layer: WeightedPlan, content: _Bytes) -> npt.NDArray[np.signedinteger]:
    kind, size = ("i1", 1) if layer.per_channel else ("<i2", 2)
    count = content.shape[1] // (size * layer.row_elements)
    rows = content.view(kind).reshape(len(content), count, layer.row_elements)
    if not layer.per_channel:
        return rows
    return rows.reshape(*rows.shape[:2], -1, 4)[..., QUAD_ORDER].reshape(rows.shape)


def _rows(layer: WeightedPlan, rows: _Bytes) -> npt.NDArray[np.signedinteger]:
    return _stored(layer, rows[:, layer.weights_offset : layer.biases_offset])


def _padding(layer: WeightedPlan, rows: _Bytes) -> npt.NDArray[np.signedinteger]:
    return _ordered(layer, rows[:, layer.weights_offset : layer.biases_offset])[:, :, layer.inputs :]


def _biases(layer: WeightedPlan, rows: _Bytes) -> npt.NDArray[np.int32]:
    content = rows[:, layer.biases_offset : layer.biases_offset + 4 * layer.trained_rows]
    return content.view("<i4")
