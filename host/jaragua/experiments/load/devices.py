"""Simulated devices that answer at once: each is a node of its own, or several share a gateway's connection.

A device returns the weights that it was given, with a header that is true of them: what a coordinator has to do with
an update does not depend on what was learned. An update is sent again until it is acknowledged (M2).
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import sys
import time
from dataclasses import dataclass, field
from typing import Final

from jaragua.experiments.load.alike import AlikeReader
from jaragua.experiments.load.packets import Connection, Message, connected
from jaragua.models import model_named
from jaragua.wire import messages
from jaragua.wire.topics import TopicKind, build
from jaragua_compiler import plan

_AT_ONCE: Final = 100
_RESEND_SECONDS: Final = 60.0
_Key = tuple[str, int, str, int]


@dataclass
class Fleet:
    """The devices of one process, and what they have sent and heard."""

    port: int
    name: str
    model: str
    samples: int
    stored: int = 0
    resent: int = 0
    other_answers: int = 0
    connections: dict[str, Connection] = field(default_factory=dict)
    blobs: dict[bytes, bytes] = field(default_factory=dict)
    waiting: dict[bytes, list[tuple[str, messages.TrainCommand, str]]] = field(default_factory=dict)
    unanswered: dict[_Key, tuple[float, str, str, bytes]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._commands = AlikeReader(messages.TrainCommand, "seed")
        self._acks = AlikeReader(messages.UpdateAck)
        own = model_named(self.model)
        self._headers: tuple[tuple[bytes, str, int, int], messages.Template, str] | None = None
        """Of the newest updates: start, run, round and attempt, what headers share, and the end of topics."""
        self._nodes = f"jaragua/1/{self.name}/node/"
        self._metric, self._architecture = own.metric, plan(own.network).architecture

    async def join(self, node: str, devices: list[str], epoch: int) -> None:
        """One connection with its devices."""
        client = await connected(self.port, f"load-{self.name}-{node}", self._on_message)
        self.connections[node] = client
        root = f"jaragua/1/{self.name}/node/{node}"
        client.subscribe(f"{root}/cmd/+", f"{root}/ack/+/+")
        state = messages.encode(messages.NodeState("ready", epoch, "gateway" if len(devices) > 1 else "pi"))
        client.publish(build(TopicKind.NODE_STATE, self.name, node=node), state, retain=True)
        for device in devices:
            body = messages.DeviceState("ready", epoch, "pi", self.model, self._architecture)
            topic = build(TopicKind.DEVICE_STATE, self.name, node=node, device=device)
            client.publish(topic, messages.encode(body), retain=True)

    def _on_message(self, client: Connection, message: Message) -> None:
        topic, payload = message
        if topic.startswith(self._nodes):
            node, _, what = topic[len(self._nodes) :].partition("/")
            if what.startswith("ack/"):
                self._on_ack(payload)
            elif what == "cmd/train":
                self._on_command(client, node, *self._commands.read(payload))
        elif payload:
            self.blobs[hashlib.sha256(payload).digest()] = payload
            for node, command, device in self.waiting.pop(hashlib.sha256(payload).digest(), ()):
                self._answer(node, command, device)

    def _on_command(self, client: Connection, node: str, command: messages.TrainCommand, device: str) -> None:
        """command: of this device or another one, which differs in nothing that a device here looks at."""
        if command.hash in self.blobs:
            self._answer(node, command, device)
            return
        if command.hash not in self.waiting:
            client.subscribe(build(TopicKind.BLOB, self.name, sha256=command.hash.hex()))
        self.waiting.setdefault(command.hash, []).append((node, command, device))

    def _answer(self, node: str, command: messages.TrainCommand, device: str) -> None:
        key = (command.run, command.round, device, command.attempt)
        if key in self.unanswered:
            return
        blob = self.blobs[command.hash]
        alike = command.hash, command.run, command.round, command.attempt
        if self._headers is None or self._headers[0] != alike:
            end = build(TopicKind.UPDATE, self.name, node=node, run=command.run, round=command.round)
            template = messages.Template(self._header(command, blob), "device")
            self._headers = alike, template, end[len(self._nodes) + len(node) :]
        header = self._headers[1].encode(device=device)
        topic = self._nodes + node + self._headers[2]
        payload = len(header).to_bytes(2, "little") + header + blob
        self.unanswered[key] = (time.monotonic(), node, topic, payload)
        self.connections[node].publish(topic, payload)

    def _header(self, command: messages.TrainCommand, blob: bytes) -> messages.UpdateHeader:
        return messages.UpdateHeader(
            run=command.run,
            round=command.round,
            device=command.device,
            attempt=command.attempt,
            base=command.hash,
            encoding="blob",
            samples=self.samples,
            loss=0.5,
            metric=self._metric,
            score=0.5,
            instructions=1,
            bytes=len(blob),
            sha256=command.hash,
        )

    def _on_ack(self, payload: bytes) -> None:
        ack, device = self._acks.read(payload)
        self.unanswered.pop((ack.run, ack.round, device, ack.attempt), None)
        if ack.result == "stored":
            self.stored += 1
        else:
            self.other_answers += 1

    def resend(self) -> None:
        """M2: what was not answered for a while goes out again."""
        now_s = time.monotonic()
        for key, (sent_s, node, topic, payload) in list(self.unanswered.items()):
            if now_s - sent_s > _RESEND_SECONDS:
                self.resent += 1
                self.unanswered[key] = (now_s, node, topic, payload)
                self.connections[node].publish(topic, payload)

    @property
    def figures(self) -> dict[str, int]:
        """For the process that measures."""
        return {
            "stored": self.stored,
            "unanswered": len(self.unanswered),
            "resent": self.resent,
            "other_answers": self.other_answers,
        }


async def serve(fleet: Fleet, nodes: int, devices_each: int) -> None:
    """Bring the devices, say so on stdout, answer until stdin is closed, and print the figures at its end."""
    epoch = time.time_ns() // 1_000_000
    for first in range(0, nodes, _AT_ONCE):
        numbers = range(first, min(nodes, first + _AT_ONCE))
        names = {f"n{number}": [f"d{number}-{device}" for device in range(devices_each)] for number in numbers}
        await asyncio.gather(*(fleet.join(node, devices, epoch) for node, devices in names.items()))
    print("ready", flush=True)
    loop = asyncio.get_running_loop()
    while True:
        line = await loop.run_in_executor(None, sys.stdin.readline)
        if not line:
            break
        fleet.resend()
        print(json.dumps(fleet.figures), flush=True)
    for connection in fleet.connections.values():
        connection.close()


def main() -> None:
    """port fleet model samples nodes devices-of-each."""
    port, name, model, samples, nodes, each = sys.argv[1:]
    asyncio.run(_main(int(port), name, model, int(samples), int(nodes), int(each)))


async def _main(port: int, name: str, model: str, samples: int, nodes: int, each: int) -> None:
    await serve(Fleet(port, name, model, samples), nodes, each)


if __name__ == "__main__":
    main()
