"""What the devices of a round start from, and how it follows from what the round before started from (M10). Pure."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from jaragua.coordinator.weights.codec import ModelCodec
from jaragua.node.weights import differences
from jaragua.strategies import ClientWork, Vector
from jaragua.strategies.compression import encode
from jaragua.strategies.vectors import shared_blocks


@dataclass(frozen=True)
class ModelVersion:
    """A blob that is handed out. payload: of `diff/<sha256>`, empty if there is none; total: bytes of all up to it."""

    blob: bytes
    payload: bytes = b""
    total: int = 0

    @cached_property
    def sha256(self) -> bytes:
        """Its name."""
        return hashlib.sha256(self.blob).digest()


class ModelVersionMaker:
    """Makes the starts of a run one after the other."""

    def __init__(self, codec: ModelCodec, work: ClientWork, seed: int) -> None:
        self._codec = codec
        self._work = work
        self._seed = seed

    def makes(self, codec: ModelCodec) -> bool:
        """Whether these starts are of that format."""
        return codec is self._codec

    def first(self, vector: Vector) -> ModelVersion:
        """The version of a run's first weights, which are drawn from its seed, or given (R22)."""
        blob = self._codec.pack(vector)
        if not self._work.compressed:
            return ModelVersion(blob)
        plan, local = self._codec.plan, self._work.local_layers
        if not np.array_equal(vector, self._codec.initial(self._seed)):
            payload = differences.given_payload(plan, local, blob)
            return ModelVersion(blob, payload, len(blob) + len(payload))
        payload = differences.first_payload(plan, self._seed, local, blob)
        return ModelVersion(blob, payload, len(payload))

    def in_float32(self, vector: Vector) -> bytes:
        """The vector for devices that compute in float32 (M9)."""
        return self._codec.pack_floats(vector)

    def next(self, before: ModelVersion, vector: Vector) -> ModelVersion:
        """After a round. What the encoding or the blob's format leaves out is part of the difference after it.

        Raises: CompileError if a weight is not finite or does not fit any format.
        """
        if not self._work.compressed:
            return ModelVersion(self._codec.pack(vector))
        work, plan, published = self._work, self._codec.plan, self._codec.unpacked(before.blob)
        blocks = shared_blocks(plan.shapes, work.local_layers)
        changed = vector[: sum(blocks)] - published[: sum(blocks)]
        if not changed.any():
            return before
        data = encode(changed, blocks, work.download_fraction, work.delta_bits or 16)
        blob = self._codec.pack(differences.with_delta(plan, published, work.local_layers, data))
        payload = differences.next_payload(plan, before.sha256, before.total, work.local_layers, blob, data)
        return ModelVersion(blob, payload, before.total + len(payload))
