"""How the starts of a run follow from one another, and what a device learned, in few bytes (M10). Pure; both ends."""

from __future__ import annotations

import zlib
from dataclasses import dataclass

import numpy as np

from jaragua.errors import ProtocolError
from jaragua.strategies.aggregation import Vector
from jaragua.strategies.compression import Residual, decode, encode_with_residual
from jaragua.strategies.vectors import flat, layers_of, shared_blocks
from jaragua.wire.messages import ModelDelta, TrainCommand, pack_update
from jaragua_compiler import pack, unpack
from jaragua_compiler.graph.initial_weights import first_weights
from jaragua_compiler.planning.plan import Plan
from jaragua_compiler.quantisation.blob import IntegerWeights, exponents, pack_integers

#: Of the raw deflate: no zlib header.
_WINDOW_BITS = -15


@dataclass(frozen=True)
class DeltaRequest:
    """What a train-command asks for as a difference."""

    bits: int
    fraction: float
    local_layers: int
    stored_round: int
    """The last round of which the coordinator has an update of the device; 0: none."""


def delta_request(command: TrainCommand) -> DeltaRequest | None:
    """None if the command asks for a blob."""
    if command.bits is None:
        return None
    fraction = 1.0 if command.fraction is None else command.fraction
    return DeltaRequest(command.bits, fraction, command.local or 0, command.stored or 0)


def update_of(plan: Plan, request: DeltaRequest, base: bytes, trained: bytes, withheld: bytes) -> tuple[bytes, bytes]:
    """The difference a device sends, and what it leaves out for the next.

    withheld: float32 little endian, the residual of the update before; of another length: nothing was. Raises:
    CompileError, ProtocolError if no layer is left to send.
    """
    blocks = _blocks(plan, request.local_layers)
    count = sum(blocks)
    learned = flat(unpack(plan, trained)) - flat(unpack(plan, base))
    owed: Residual = np.frombuffer(withheld, "<f4") if len(withheld) == 4 * count else np.zeros(count, np.float32)
    data, residual = encode_with_residual(learned[:count] + owed, blocks, request.fraction, request.bits)
    return data, residual.astype("<f4").tobytes()


def first_payload(plan: Plan, seed: int, local_layers: int, blob: bytes) -> bytes:
    """How the first start follows from the run's seed."""
    return pack_update(ModelDelta(b"", 0, _bare(plan, blob), local_layers, seed), b"")


def given_payload(plan: Plan, local_layers: int, blob: bytes) -> bytes:
    """Of a first start that no seed gives (R22): it is as long as the blob, so a node reads the blob."""
    return pack_update(ModelDelta(b"", len(blob), _bare(plan, blob), local_layers), b"")


def next_payload(plan: Plan, base: bytes, total: int, local_layers: int, blob: bytes, data: bytes) -> bytes:
    """How `blob` follows from the start whose hash is `base`, given the difference `data`."""
    return pack_update(ModelDelta(base, total, _bare(plan, blob), local_layers), data)


def with_delta(plan: Plan, numbers: Vector, local_layers: int, data: bytes) -> Vector:
    """A start's numbers after a difference. Raises: ProtocolError if the bytes are none, or no layer is sent."""
    blocks = _blocks(plan, local_layers)
    result = numbers.copy()
    result[: sum(blocks)] += decode(data, blocks)
    return result


def blob_from(plan: Plan, header: ModelDelta, data: bytes, base: bytes) -> bytes:
    """The blob that a payload describes; base: the blob it starts from, unused if it starts from the seed.

    Raises: ProtocolError, CompileError.
    """
    if not header.base:
        if header.seed is None:
            raise ProtocolError("the first weights are of no seed: the blob has them")
        weights = first_weights(plan.network, header.seed)
    else:
        numbers = with_delta(plan, flat(unpack(plan, base)), header.local, data)
        weights = layers_of(numbers, plan.shapes)
    return pack(plan, weights, exponents(plan, _inflated(header.exponents, plan.blob_bytes)))


def _blocks(plan: Plan, local_layers: int) -> list[int]:
    """Numbers of each tensor that is sent (M10); a peer says how many layers are not."""
    layers = len(plan.shapes)
    if not 0 <= local_layers < layers:
        raise ProtocolError(f"{local_layers} local layers are not possible: {layers} layers learn (M10)")
    return shared_blocks(plan.shapes, local_layers)


def _bare(plan: Plan, blob: bytes) -> bytes:
    """The blob's exponents: a blob whose weights are all zero, deflated."""
    nothing: IntegerWeights = [(np.zeros(shape, np.int64), np.zeros(biases, np.int64)) for shape, biases in plan.shapes]
    coder = zlib.compressobj(9, zlib.DEFLATED, _WINDOW_BITS)
    return coder.compress(pack_integers(plan, nothing, exponents(plan, blob))) + coder.flush()


def _inflated(data: bytes, size: int) -> bytes:
    try:
        decoder = zlib.decompressobj(_WINDOW_BITS)
        return decoder.decompress(data, size + 1)
    except zlib.error as error:
        raise ProtocolError(f"the exponents of a start cannot be read: {error}") from error
