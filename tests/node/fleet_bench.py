"""What the tests of nodes share: a real broker's other end, small blobs, and trainers that keep count."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import itertools
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self, TypeVar

import aiomqtt
import numpy as np
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

import jaragua_models
from jaragua.node.connection.url import parse_broker_url
from jaragua.node.node import NodeSettings
from jaragua.node.program import ended
from jaragua.node.training.trainer import Figures, Labels, SampleSet
from jaragua.trust.signing import Signer
from jaragua.wire.messages import (
    AdaptCommand,
    AdaptResult,
    DeviceState,
    Message,
    NodeState,
    RunState,
    TrainCommand,
    UpdateAck,
    UpdateHeader,
    decode,
    encode,
    unpack_update,
)
from jaragua.wire.topics import Topic, TopicKind, build, parse
from jaragua_compiler import LearningRate, Plan, calibrate, initial_weights, pack, plan
from limits import GENEROUS_S

T = TypeVar("T")
DEADLINE_SECONDS = GENEROUS_S
FLEET = "home"


def run(work: Coroutine[Any, Any, T], seconds: float = 3 * DEADLINE_SECONDS) -> T:
    """Run a test's coroutine, with an end."""

    async def bounded() -> T:
        async with asyncio.timeout(seconds):
            return await work

    return asyncio.run(bounded())


async def until(condition: Callable[[], T | None], seconds: float = DEADLINE_SECONDS) -> T:
    """Wait until the condition gives something true; fails after `seconds`."""
    async with asyncio.timeout(seconds):
        while not (value := condition()):
            await asyncio.sleep(0.005)
        return value


def digits_blob(seed: int = 1, name: str = "digits") -> bytes:
    """A start for the digits network, or that of another name."""
    model = jaragua_models.get(name)
    layout = plan(model.network)
    weights = initial_weights(model.network, seed)
    return pack(layout, weights, calibrate(layout, weights, model.tasks.calibration()))


def train_command(blob: bytes, device: str = "pi-1", number: int = 1, **changes: Any) -> TrainCommand:
    fields: dict[str, Any] = {
        "run": "r1",
        "round": number,
        "device": device,
        "attempt": 0,
        "hash": hashlib.sha256(blob).digest(),
        "learning_rate": 0.05,
        "ways": 3,
        "shots": 4,
        "passes": 1,
        "seed": 11,
        "deadline": 0,
    }
    return TrainCommand(**fields | changes)


def adapt_command(blob: bytes, device: str = "pi-1", **changes: Any) -> AdaptCommand:
    fields: dict[str, Any] = {
        "run": "r1",
        "device": device,
        "trial": 0,
        "hash": hashlib.sha256(blob).digest(),
        "learning_rate": 0.1,
        "ways": 3,
        "shots": 5,
        "passes": 4,
        "queries": 30,
        "seed": 5,
    }
    return AdaptCommand(**fields | changes)


@dataclass(frozen=True)
class Seen:
    """A message the broker delivered to the headquarters."""

    topic: Topic
    payload: bytes
    retain: bool
    correlation: bytes | None

    @property
    def update(self) -> tuple[UpdateHeader, bytes]:
        return unpack_update(self.payload)


class Headquarters:
    """The coordinator's side of section M, played by a test: it sees every message on the broker, or of `topics`."""

    def __init__(self, url: str, topics: Sequence[str] = ("#",)) -> None:
        parsed = parse_broker_url(url)
        # (an own client: nothing of the node's session is used to evaluate it)
        self._client = aiomqtt.Client(parsed.host, parsed.port, protocol=aiomqtt.ProtocolVersion.V5)
        self._topics = topics
        self.seen: list[Seen] = []
        self.answers: list[tuple[AdaptResult, bytes | None]] = []
        self.other_topics: list[str] = []
        self._reading: asyncio.Task[None] | None = None
        self._numbers = itertools.count()

    async def __aenter__(self) -> Self:
        await self._client.__aenter__()
        for topic in self._topics:
            await self._client.subscribe(topic, qos=1)
        self._reading = asyncio.create_task(self._read())
        return self

    async def __aexit__(self, *error: object) -> None:
        assert self._reading is not None
        await ended(self._reading)
        with contextlib.suppress(aiomqtt.MqttError):
            await self._client.__aexit__(None, None, None)

    async def _read(self) -> None:
        async for message in self._client.messages:
            name, payload = str(message.topic), bytes(message.payload)
            correlation = getattr(message.properties, "CorrelationData", None)
            if name.startswith("answers/"):
                self.answers.append((decode(AdaptResult, payload), correlation))
            elif name.startswith("jaragua/"):
                self.seen.append(Seen(parse(name), payload, bool(message.retain), correlation))
            else:
                self.other_topics.append(name)

    async def publish(self, topic: str, payload: bytes, retain: bool = False, signer: Signer | None = None) -> None:
        properties = None
        if signer is not None:
            properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
            properties.UserProperty = signer.properties(topic, payload)
        await self._client.publish(topic, payload, qos=1, retain=retain, properties=properties)

    async def publish_blob(self, blob: bytes, name: str = "", signer: Signer | None = None) -> None:
        sha256 = name or hashlib.sha256(blob).hexdigest()
        await self.publish(build(TopicKind.BLOB, FLEET, sha256=sha256), blob, retain=True, signer=signer)

    async def publish_run(self, model: str = "digits", number: int = 1, phase: str = "training") -> None:
        state = RunState(
            run="r1", round=number, rounds=9, phase=phase, model=model, network="", hash=bytes(32), deadline=0, quorum=1
        )
        await self.publish(build(TopicKind.RUN, FLEET), encode(state), retain=True)

    async def command(self, node: str, verb: str, message: Message, signer: Signer | None = None) -> None:
        """Send a command, once the node is there: what is sent before its first subscription reaches nobody."""
        await self.node_is(node, "ready")
        await self.publish(build(TopicKind.COMMAND, FLEET, node=node, verb=verb), encode(message), signer=signer)

    async def ask(self, node: str, command: AdaptCommand) -> AdaptResult:
        """Send an adapt command and wait for the answer with its correlation data (M4)."""
        await self.node_is(node, "ready")
        correlation = f"question {next(self._numbers)}".encode()
        properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
        properties.ResponseTopic, properties.CorrelationData = "answers/here", correlation
        topic = build(TopicKind.COMMAND, FLEET, node=node, verb="adapt")
        await self._client.publish(topic, encode(command), qos=1, properties=properties)
        return await until(lambda: next((answer for answer, tag in self.answers if tag == correlation), None))

    async def acknowledge(self, node: str, header: UpdateHeader, result: str = "stored") -> None:
        ack = UpdateAck(header.run, header.round, header.device, header.attempt, result, "")
        await self.publish(build(TopicKind.ACK, FLEET, node=node, run=header.run, round=header.round), encode(ack))

    def of(self, kind: TopicKind) -> list[Seen]:
        return [message for message in self.seen if message.topic.kind is kind]

    def updates(self) -> list[tuple[UpdateHeader, bytes]]:
        return [message.update for message in self.of(TopicKind.UPDATE)]

    def node_states(self, node: str) -> list[NodeState]:
        return [decode(NodeState, m.payload) for m in self.of(TopicKind.NODE_STATE) if m.topic.node == node]

    def device_states(self, device: str) -> list[DeviceState]:
        found = [m for m in self.of(TopicKind.DEVICE_STATE) if m.topic.device == device]
        return [decode(DeviceState, m.payload) for m in found]

    async def node_is(self, node: str, state: str) -> NodeState:
        return await until(lambda: next((s for s in self.node_states(node)[-1:] if s.state == state), None))

    async def device_is(self, device: str, state: str) -> DeviceState:
        return await until(lambda: next((s for s in self.device_states(device)[-1:] if s.state == state), None))

    async def update_number(self, count: int) -> tuple[UpdateHeader, bytes]:
        """The update that came as the `count`-th, from 1."""
        return (await until(lambda: self.updates()[count - 1 : count]))[0]


class CountingTrainer:
    """A trainer whose update is the blob with a mark in its last bias; it counts what it was asked."""

    def __init__(self) -> None:
        self.trained: list[SampleSet] = []
        self.seeds: list[int] = []
        self.evaluated: list[SampleSet] = []
        self.asked: list[Any] = []
        self.proceed = asyncio.Event()
        self.proceed.set()
        self._blob = b""

    async def train(self, plan: Plan, samples: SampleSet, rate: LearningRate, blob: bytes, seed: int) -> Figures:
        await self.proceed.wait()
        self.seeds.append(seed)
        self.trained.append(samples)
        self._blob = blob[:-1] + bytes([blob[-1] ^ 1])
        return Figures(len(samples), 2, 2048 * len(samples), 11, 1, instructions=7000)

    async def evaluate(self, plan: Plan, samples: SampleSet, blob: bytes) -> Figures:
        self.evaluated.append(samples)
        return Figures(len(samples), len(samples) // 2, 0, 11, 1, instructions=0)

    async def answers(self, plan: Plan, samples: SampleSet) -> Labels:
        """The first half is right, the rest is not."""
        self.evaluated.append(samples)
        truth = samples.targets[:, 0].astype(np.int64)
        return truth + (np.arange(len(truth)) >= len(truth) // 2)

    async def infer(self, plan: Plan, inputs: Any, blob: bytes) -> Any:
        """The first inputs themselves are the outputs."""
        await self.proceed.wait()
        self.asked.append(inputs)
        return inputs[:, : plan.network.outputs]

    async def read_update(self) -> bytes:
        return self._blob


def settings(url: str, folder: Path, node: str = "pi-1", **changes: Any) -> NodeSettings:
    fields: dict[str, Any] = {
        "url": parse_broker_url(url),
        "fleet": FLEET,
        "node": node,
        "kind": "pi",
        "data_dir": folder,
        "resend_seconds": 0.3,
    }
    return NodeSettings(**fields | changes)


@contextlib.asynccontextmanager
async def running(work: Coroutine[Any, Any, None]) -> AsyncIterator[asyncio.Task[None]]:
    """The work as a task for the length of the block; it is cancelled at the end, its error raised."""
    task = asyncio.create_task(work)
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.wait([task])
    if not task.cancelled():
        task.result()


@contextlib.asynccontextmanager
async def beside(url: str, work: Coroutine[Any, Any, None]) -> AsyncIterator[Headquarters]:
    """Headquarters on the broker of a node that is at work."""
    async with Headquarters(url) as headquarters, running(work):
        yield headquarters
