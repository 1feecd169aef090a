"""Devices that train the last layer alone among others that train all of them (R35)."""

from __future__ import annotations

import numpy as np

from jaragua.coordinator.weights.codec import ModelCodec
from jaragua.simulation.clients.engine import Closing, Evaluation, Trained, VirtualFleet
from jaragua.simulation.clients.samples import Batch
from jaragua.strategies import ClientWork, Vector


class HeadFleet(Closing):
    """The last `heads` devices of a batch train the last layer alone; the evaluation trains all layers."""

    def __init__(self, whole: VirtualFleet, heads: VirtualFleet, codec: ModelCodec) -> None:
        """heads: of the same weights' format as `whole`. codec: of `heads`."""
        super().__init__()
        self._whole = self._open.enter_context(whole)
        self._heads = self._open.enter_context(heads)
        self._codec = codec

    def start(self, vector: Vector) -> bytes:
        """The blob of devices that train all layers."""
        return self._whole.start(vector)

    def numbers(self, start: bytes) -> Vector:
        """The numbers of the blob."""
        return self._whole.numbers(start)

    def train(self, start: bytes, work: ClientWork, batch: Batch) -> Trained:
        """Every device from the same numbers; of a layer that it holds a device says nothing."""
        first = len(batch) - batch.heads
        if not batch.heads:
            return self._whole.train(start, work, batch)
        parts = [self._heads.train(self._start_of_heads(start), work, batch.part(first, len(batch)))]
        if first:
            parts.insert(0, self._whole.train(start, work, batch.part(0, first)))
        learned = np.concatenate([part.learned for part in parts])
        update_mask = np.ones(learned.shape, np.bool_)
        update_mask[first:, : self._codec.held] = False
        loss = sum(part.loss * len(part.learned) for part in parts) / len(batch)
        return Trained(learned, loss, update_mask)

    def adapt(self, start: bytes, work: ClientWork, support: Batch, query: Batch) -> Evaluation:
        """All layers."""
        return self._whole.adapt(start, work, support, query)

    def _start_of_heads(self, start: bytes) -> bytes:
        """The same numbers for the other architecture (R35.2)."""
        return start[:8] + self._codec.architecture + start[16:]
