"""Simulated devices whose updates differ, in clear or as parts of secure sums (docs/design/private-updates.md).

A device returns its start with some weights moved, by its name: there are few such blobs, so making them costs little.
Its part of a sum is what a node makes of it (`private_of`), and its answers are those of a node's `Participant`.
"""

from __future__ import annotations

import asyncio
import hashlib
import sys
import time
import zlib
from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np

from jaragua.experiments.load.devices import Fleet, serve
from jaragua.experiments.load.packets import Connection, Message
from jaragua.models import model_named
from jaragua.node.private_table import PrivateUpdate
from jaragua.node.training.private import private_of
from jaragua.privacy.participant import Participant, Stage
from jaragua.privacy.secrets import Key
from jaragua.wire import messages
from jaragua.wire.topics import TopicKind, build
from jaragua_compiler import plan

#: Blobs that devices of a round return.
_VARIANTS: Final = 16
#: Weights of a layer that are moved: towards 0, so that int16 do not wrap.
_MOVED: Final = 64
_SecureKey = tuple[int, str]


@dataclass
class MovingFleet(Fleet):
    """each_gone: of so many devices one answers no question of a secure sum; 0: all answer."""

    each_gone: int = 0
    answered: set[tuple[int, str, str]] = field(default_factory=set)
    parts: dict[_SecureKey, tuple[PrivateUpdate, Participant]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        super().__post_init__()
        self._plan = plan(model_named(self.model).network)
        self._moved: dict[bytes, list[tuple[bytes, bytes]]] = {}

    def _on_message(self, client: Connection, message: Message) -> None:
        topic, payload = message
        if topic.startswith(self._nodes) and topic.endswith("/cmd/secure"):
            command = messages.decode(messages.SecureCommand, payload)
            self._on_question(topic[len(self._nodes) :].partition("/")[0], command)
            return
        super()._on_message(client, message)

    def _answer(self, node: str, command: messages.TrainCommand, device: str) -> None:
        key = (command.run, command.round, device, command.attempt)
        if key in self.unanswered:
            return
        start = self.blobs[command.hash]
        blob, digest = self._variants(start)[zlib.crc32(device.encode()) % _VARIANTS]
        header = replace(self._header(command, blob), device=device, sha256=digest)
        if command.sum is not None:
            own = replace(command, device=device)
            part, blob = private_of(self._plan, own, header, start, blob)
            participant = Participant(Key(command.run, command.round, device, command.attempt), part.secret)
            self.parts[command.round, device] = part, participant
            header = part.header
        topic = build(TopicKind.UPDATE, self.name, node=node, run=command.run, round=command.round)
        payload = messages.pack_update(header, blob)
        self.unanswered[key] = (time.monotonic(), node, topic, payload)
        self.connections[node].publish(topic, payload)

    def _on_question(self, node: str, command: messages.SecureCommand) -> None:
        """A question is answered once: an answer is not lost here, and questions are repeated while it is awaited."""
        number = int(command.device.partition("-")[0][1:])
        key = (command.round, command.device, command.stage)
        if key in self.answered or (self.each_gone and number % self.each_gone == 0):
            return
        self.answered.add(key)
        part, participant = self.parts[command.round, command.device]
        content = participant.answer(Stage(command.stage), command.body, part.contribution)
        digest = hashlib.sha256(content).digest()
        header = replace(part.header, encoding=command.stage, bytes=len(content), sha256=digest)
        topic = build(TopicKind.UPDATE, self.name, node=node, run=command.run, round=command.round)
        self.connections[node].publish(topic, messages.pack_update(header, content))

    def _variants(self, start: bytes) -> list[tuple[bytes, bytes]]:
        """Blobs with the exponents of the start, and their SHA-256."""
        if start not in self._moved:
            blobs = [self._moved_by(np.random.default_rng(number), start) for number in range(_VARIANTS)]
            self._moved = {start: [(blob, hashlib.sha256(blob).digest()) for blob in blobs]}
        return self._moved[start]

    def _moved_by(self, generator: np.random.Generator, start: bytes) -> bytes:
        """Biases of all layers, and some weights of those whose rows have no padding."""
        blob = bytearray(start)
        for layer in self._plan.layers:
            biases = np.frombuffer(blob, "<i4", layer.trained_rows, layer.biases_offset)
            biases += generator.integers(-2, 3, len(biases)).astype("<i4")
            if layer.inputs == layer.row_elements:
                count = min(_MOVED, layer.inputs * layer.trained_rows)
                weights = np.frombuffer(blob, "<i2", count, layer.weights_offset)
                weights += generator.integers(-2, 3, count).astype("<i2") - 3 * np.sign(weights)
        return bytes(blob)


def main() -> None:
    """port fleet model samples nodes each-gone."""
    port, name, model, samples, nodes, gone = sys.argv[1:]
    fleet = MovingFleet(int(port), name, model, int(samples), each_gone=int(gone))
    asyncio.run(serve(fleet, int(nodes), 1))


if __name__ == "__main__":
    main()
