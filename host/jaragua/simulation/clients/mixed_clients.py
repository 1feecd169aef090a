"""Boards and Pis in one run: some devices of each round compute in float32, the others in the boards' integers."""

from __future__ import annotations

import math

import numpy as np

from jaragua.simulation.clients.engine import Closing, Evaluation, Trained, VirtualFleet
from jaragua.simulation.clients.samples import Batch
from jaragua.strategies import ClientWork, Vector


def floats_among(devices: int, float_fraction: float) -> int:
    """How many devices of a round compute in float32: the share, rounded up."""
    return min(devices, math.ceil(float_fraction * devices))


class MixedFleet(Closing):
    """The first devices of a round, sorted, compute in float32, and so does the evaluation."""

    def __init__(self, floats: VirtualFleet, integers: VirtualFleet, float_fraction: float) -> None:
        """float_fraction: of each round's devices, 0 to 1, rounded up."""
        super().__init__()
        self._integers = self._open.enter_context(integers)
        self._floats = self._open.enter_context(floats)
        self._share = float_fraction
        self._last = (b"", b"")

    def start(self, vector: Vector) -> bytes:
        """The blob; its float32 form, which is not rounded to the blob's format, goes beside it (M9)."""
        blob = self._integers.start(vector)
        self._last = blob, self._floats.start(vector)
        return blob

    def numbers(self, start: bytes) -> Vector:
        """The numbers of the blob."""
        return self._integers.numbers(start)

    def train(self, start: bytes, work: ClientWork, batch: Batch) -> Trained:
        """Every device from its own form of the start. Integers have nothing to say of a weight that did not move."""
        first = floats_among(len(batch), self._share)
        if first == len(batch):
            return self._floats.train(self._in_float32(start), work, batch)
        boards = self._integers.train(start, work, batch.part(first, len(batch)))
        pis = self._floats.train(self._in_float32(start), work, batch.part(0, first))
        learned = np.concatenate([pis.learned, boards.learned])
        update_mask = learned != 0
        update_mask[:first] = True
        loss = (first * pis.loss + (len(batch) - first) * boards.loss) / len(batch)
        return Trained(learned, loss, update_mask)

    def adapt(self, start: bytes, work: ClientWork, support: Batch, query: Batch) -> Evaluation:
        """In float32."""
        return self._floats.adapt(self._in_float32(start), work, support, query)

    def _in_float32(self, start: bytes) -> bytes:
        blob, floats = self._last
        return floats if blob == start else self._floats.start(self._integers.numbers(start))
