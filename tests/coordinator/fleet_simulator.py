"""Nodes for the tests of the coordinator: real MQTT, the device's own arithmetic (the NumPy reference), no boards.

A node here does what docs/reference/protocol.md, M asks of one and nothing more; it is written against that page alone.
"""

from __future__ import annotations

import asyncio
import hashlib
import socket
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import aiomqtt
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

import jaragua_models
from jaragua.node.connection.url import parse_broker_url
from jaragua.node.program import ended
from jaragua.node.step_limits import step_limits
from jaragua.settings import step_settings_of
from jaragua.wire import messages
from jaragua.wire.topics import TopicKind, build, parse
from jaragua_compiler import (
    Engine,
    LearningRate,
    ReferenceEngine,
    exponents,
    plan,
    quantise_inputs,
    quantise_targets,
)
from jaragua_compiler.engines.replay_order import replay_order
from jaragua_compiler.floating.engine import FloatEngine
from jaragua_compiler.floating.form import pack_floats, unpack_floats

#: May change an update before it is published: returns the payloads to send in its place.
Tamper = Callable[[messages.UpdateHeader, bytes], list[bytes]]


def honest(header: messages.UpdateHeader, blob: bytes) -> list[bytes]:
    """What a healthy node publishes."""
    return [messages.pack_update(header, blob)]


@dataclass
class SimulatedNode:
    """A node of kind pi with one device, or a gateway with several."""

    url: str
    fleet: str
    node: str
    devices: tuple[str, ...]
    model: str = "sine"
    tamper: Tamper = honest
    reason: str | None = None
    """What its devices say of their last work."""
    hold: Callable[[messages.TrainCommand], Awaitable[None]] | None = None
    """Waited for before an update is published: what makes a device slow."""
    epoch: int = 0
    kind: str = "cortex-m4"
    format: str | None = None
    """M9: "f32" computes in float32."""
    acks: list[messages.UpdateAck] = field(default_factory=list)
    commands: list[messages.TrainCommand] = field(default_factory=list)
    stopped: list[str] = field(default_factory=list)
    ready: asyncio.Event = field(default_factory=asyncio.Event)
    _kept: dict[tuple[str, int, str, int], list[bytes]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._plan = plan(jaragua_models.get(self.model).network)
        self._engine: Engine = ReferenceEngine(self._plan)
        self._blobs: dict[str, asyncio.Future[bytes]] = {}

    async def run(self) -> None:
        """Be there until cancelled; a broken connection is made anew."""
        while True:
            try:
                await self._connection()
            except* aiomqtt.MqttError:
                self.ready.clear()
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                # A task group drops the cancellation if one of its tasks fails at the same moment.
                raise asyncio.CancelledError
            await asyncio.sleep(0.05)

    async def _connection(self) -> None:
        self.epoch += 1
        where = parse_broker_url(self.url)
        lost = messages.encode(messages.NodeState("lost", self.epoch, "gateway"))
        state_topic = build(TopicKind.NODE_STATE, self.fleet, node=self.node)
        async with aiomqtt.Client(
            where.host,
            where.port,
            identifier=f"test-{self.fleet}-{self.node}",
            protocol=aiomqtt.ProtocolVersion.V5,
            will=aiomqtt.Will(state_topic, lost, qos=1, retain=True),
            socket_options=((socket.IPPROTO_TCP, socket.TCP_NODELAY, 1),),
        ) as client:
            self._blobs.clear()
            await client.subscribe(f"jaragua/1/{self.fleet}/node/{self.node}/cmd/+", qos=1)
            await client.subscribe(f"jaragua/1/{self.fleet}/node/{self.node}/ack/+/+", qos=1)
            await self._say_ready(client, state_topic)
            async with asyncio.TaskGroup() as group:
                children: list[asyncio.Task[None]] = []
                try:
                    async for message in client.messages:
                        children.append(group.create_task(self._handle(client, message)))
                finally:
                    await ended(*children)  # a task group cancels only once

    async def _say_ready(self, client: aiomqtt.Client, state_topic: str) -> None:
        await client.publish(
            state_topic, messages.encode(messages.NodeState("ready", self.epoch, "gateway")), 1, retain=True
        )
        for device in self.devices:
            await self.say(client, device, "ready")
        for payloads in self._kept.values():
            await self._publish(client, payloads)
        self.ready.set()

    async def say(self, client: aiomqtt.Client, device: str, state: str) -> None:
        """Publish a device's state."""
        topic = build(TopicKind.DEVICE_STATE, self.fleet, node=self.node, device=device)
        body = messages.DeviceState(
            state, self.epoch, self.kind, self.model, self._plan.architecture, self.reason, self.format
        )
        await client.publish(topic, messages.encode(body), 1, retain=True)

    async def _handle(self, client: aiomqtt.Client, message: aiomqtt.Message) -> None:
        topic, payload = parse(str(message.topic)), bytes(message.payload)
        if topic.kind is TopicKind.BLOB:
            waiting = self._blobs.get(topic.sha256)
            if payload and waiting is not None and not waiting.done():
                waiting.set_result(payload)
        elif topic.kind is TopicKind.ACK:
            self._take_ack(messages.decode(messages.UpdateAck, payload))
        elif topic.verb == "train":
            await self._train(client, messages.decode(messages.TrainCommand, payload))
        elif topic.verb == "adapt":
            await self._adapt(client, messages.decode(messages.AdaptCommand, payload), message.properties)
        elif topic.verb == "stop":
            self.stopped.append(messages.decode(messages.StopCommand, payload).run)

    def _take_ack(self, ack: messages.UpdateAck) -> None:
        self.acks.append(ack)

    async def _blob(self, client: aiomqtt.Client, sha256: bytes) -> bytes:
        if sha256.hex() not in self._blobs:
            self._blobs[sha256.hex()] = asyncio.get_running_loop().create_future()
            await client.subscribe(build(TopicKind.BLOB, self.fleet, sha256=sha256.hex()), qos=1)
        return await self._blobs[sha256.hex()]

    async def _train(self, client: aiomqtt.Client, command: messages.TrainCommand) -> None:
        self.commands.append(command)
        key = (command.run, command.round, command.device, command.attempt)
        if key not in self._kept:
            base = await self._blob(client, command.start or command.hash)
            header, blob = self._learn(command, base)
            if self.hold is not None:
                await self.hold(command)
            self._kept[key] = self.tamper(header, blob)
        await self._publish(client, self._kept[key])

    def _learn(self, command: messages.TrainCommand, base: bytes) -> tuple[messages.UpdateHeader, bytes]:
        task = jaragua_models.get(self.model).tasks.train_task(
            command.device, command.seed, command.ways, command.shots
        )
        steps = self._float_steps if command.start is not None else self._steps
        count, blob = steps(base, command, task.support)
        header = messages.UpdateHeader(
            run=command.run,
            round=command.round,
            device=command.device,
            attempt=command.attempt,
            base=command.start or command.hash,
            encoding="blob" if command.start is None else "f32",
            samples=count,
            loss=float(len(command.device)),
            metric=jaragua_models.get(self.model).metric,
            score=0.5,
            instructions=9000,
            bytes=len(blob),
            sha256=hashlib.sha256(blob).digest(),
        )
        return header, blob

    def _steps(
        self,
        base: bytes,
        command: messages.TrainCommand | messages.AdaptCommand,
        support: jaragua_models.Samples,
    ) -> tuple[int, bytes]:
        found = exponents(self._plan, base)
        inputs, targets = (
            quantise_inputs(self._plan, found, support.x),
            quantise_targets(self._plan, found, support.y),
        )
        rate = LearningRate.from_float(command.learning_rate)
        self._engine.load(base)
        self._engine.set_seed(command.seed & 0xFFFFFFFF)  # A8.5, as a node does
        self._engine.set_limits(step_limits(self._plan, found, step_settings_of(command)))
        for index in replay_order(len(inputs), command.passes, command.replay_buffer_size or 0):
            self._engine.train_step(inputs[index], targets[index], rate)
        return len(inputs) * command.passes, self._engine.blob()

    def _float_steps(
        self, base: bytes, command: messages.TrainCommand | messages.AdaptCommand, support: jaragua_models.Samples
    ) -> tuple[int, bytes]:
        engine = FloatEngine(self._plan.network, unpack_floats(self._plan, base))
        for x, target in zip(support.x, support.y, strict=True):
            engine.train_step(x, target, command.learning_rate)
        return len(support), pack_floats(self._plan, engine.weights)

    async def _publish(self, client: aiomqtt.Client, payloads: list[bytes]) -> None:
        for payload in payloads:
            length = int.from_bytes(payload[:2], "little")
            header = messages.decode(messages.UpdateHeader, payload[2 : 2 + length])
            topic = build(TopicKind.UPDATE, self.fleet, node=self.node, run=header.run, round=header.round)
            await client.publish(topic, payload, qos=1)

    async def _adapt(self, client: aiomqtt.Client, command: messages.AdaptCommand, asked: Properties | None) -> None:
        base = await self._blob(client, command.hash)
        task = jaragua_models.get(self.model).tasks.held_out_task(
            command.seed, command.ways, command.shots, command.queries
        )
        before = self._error(base, task.query)
        _, adapted = self._steps(base, command, task.support)
        result = messages.AdaptResult(
            run=command.run,
            device=command.device,
            trial=command.trial,
            hash=command.hash,
            ok=True,
            metric="mse",
            before=before,
            after=self._error(adapted, task.query),
            queries=len(task.query),
            instructions=9000,
        )
        properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
        properties.CorrelationData = getattr(asked, "CorrelationData", None)
        await client.publish(
            str(getattr(asked, "ResponseTopic", None)), messages.encode(result), 1, properties=properties
        )

    def _error(self, blob: bytes, query: jaragua_models.Samples) -> float:
        found = exponents(self._plan, blob)
        self._engine.load(blob)
        total = 0.0
        for x, y in zip(quantise_inputs(self._plan, found, query.x), query.y, strict=True):
            total += float(((self._engine.forward(x) * 2.0**-found.output - y) ** 2).mean())
        return total / len(query)
