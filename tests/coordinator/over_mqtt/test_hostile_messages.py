"""P1: whatever comes on a topic that the coordinator reads is taken, or rejected and counted; nothing is raised."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from pathlib import Path

import hostile
from fleet_simulator import SimulatedNode

import jaragua_models
from jaragua.config import RunConfig, strategy_of
from jaragua.coordinator.connection.fleet import Arrived, Fleet
from jaragua.coordinator.connection.inbox import Inbox
from jaragua.coordinator.driver import Driver
from jaragua.coordinator.events import RoundFinished, RunEvent
from jaragua.coordinator.rounds.machine import MAX_DEADLINES
from jaragua.coordinator.weights.codec import ModelCodec
from jaragua.coordinator.weights.formats import Formats
from jaragua.node.connection.session import Incoming
from jaragua.store import RunFolder, open_run
from jaragua.wire import messages
from jaragua.wire.messages import (
    AdaptResult,
    DeviceState,
    HostClaim,
    HostState,
    Message,
    NodeState,
    RunState,
    UpdateHeader,
)
from jaragua.wire.topics import TopicKind, build
from jaragua_compiler import plan

MESSAGES = 6000
FOUR = ("board-1", "board-2", "board-3", "board-4")
ARCHITECTURE = plan(jaragua_models.get("sine").network).architecture
KINDS: dict[TopicKind, Message] = {
    TopicKind.NODE_STATE: NodeState("ready", 5, "gateway"),
    TopicKind.DEVICE_STATE: DeviceState("ready", 5, "cortex-m4", "sine", ARCHITECTURE),
    TopicKind.HOST_STATE: HostState(True, 1, 2, 1),
    TopicKind.HOST_CLAIM: HostClaim("take", bytes(8), 1, bytes(8), bytes(8), bytes(8)),
    TopicKind.CLAIM_TO: HostClaim("take", bytes(8), 1, bytes(8), bytes(8), bytes(8)),
    TopicKind.RUN: RunState("r", 1, 9, "training", "sine", "ab", bytes(32), 3, 2),
    TopicKind.REPLY: AdaptResult("r", "d", 1, bytes(32), True, "mse", 0.2, 0.9, 50, 9000),
}


class Bench:
    """A coordinator without its broker: what it would read is given to it, what it would write waits."""

    def __init__(self, config: RunConfig, folder: RunFolder) -> None:
        self.seen: list[RunEvent] = []
        self.inbox = Inbox()
        codec = ModelCodec(jaragua_models.get("sine"))
        strategy, formats = strategy_of(config), Formats(codec, alone=False)
        self.fleet = Fleet(config.broker.url, config.run.fleet, formats.architectures, self.inbox.put)
        self.fleet._claim.serve()
        self.fleet._next_epoch()
        from jaragua.coordinator.run import _open_record

        record = _open_record(config, folder, codec, None, None)
        self.run, self.name, self.folder = record.run, config.run.fleet, folder
        self.driver = Driver(config, folder, record, formats, strategy, self.seen.append)
        self.node = SimulatedNode(config.broker.url, self.name, "gateway-1", FOUR)
        for topic, message in self.honest_states():
            self.fleet.received(Incoming(topic, messages.encode(message)))
        self.inbox.forget_changes()
        self.driver.start(self.fleet)

    def honest_states(self) -> list[tuple[str, Message]]:
        node = build(TopicKind.NODE_STATE, self.name, node="gateway-1")
        return [
            (node, KINDS[TopicKind.NODE_STATE]),
            *(
                (build(TopicKind.DEVICE_STATE, self.name, node="gateway-1", device=one), KINDS[TopicKind.DEVICE_STATE])
                for one in FOUR
            ),
        ]

    async def receive(self, topic: str, payload: bytes, correlation: bytes | None = None) -> None:
        self.fleet.received(Incoming(topic, payload, None, correlation))
        while (event := self.inbox.take()) is not None:
            if isinstance(event, Arrived):
                await self.driver.take_in([event])
            else:
                self.driver.handle(event)

    def honest_updates(self) -> list[tuple[UpdateHeader, bytes]]:
        """Of the open commands, as the simulated devices train them."""
        found = []
        for one in list(self.folder.store.assignments(self.run)):
            if one.device in FOUR and one.round_number == self.driver.rounds_done + 1:
                command = self.driver._train_command(one, self.driver._alike_of(one, 0))
                start = self.driver._publisher.blob_of(one.round_number)
                found.append(self.node._learn(command, start))
        return found

    async def answer_honestly(self) -> None:
        """Deliver what the four devices have trained, until the round is closed."""
        for header, blob in self.honest_updates():
            topic = build(TopicKind.UPDATE, self.name, node="gateway-1", run=self.run, round=header.round)
            await self.receive(topic, messages.pack_update(header, blob))


def hostile_message(draw: random.Random, bench: Bench, genuine: tuple[UpdateHeader, bytes]) -> tuple[str, bytes]:
    kind = draw.choice([*KINDS, TopicKind.UPDATE, TopicKind.UPDATE])
    topic = hostile.topic(draw, bench.name, kind, bench.run)
    return topic, hostile.update(draw, *genuine) if kind is TopicKind.UPDATE else hostile.payload(draw, KINDS[kind])


def test_p1_no_message_ends_a_coordinator_and_its_rounds_go_on(
    make_config: Callable[..., RunConfig], tmp_path: Path, seed: int
) -> None:
    config = make_config(rounds=3, clients=4, quorum=2, deadline_s=600)
    draw = random.Random(seed)

    async def everything() -> None:
        with open_run(tmp_path / "run") as folder:
            bench = Bench(config, folder)
            while not bench.driver.finished:
                genuine = bench.honest_updates()
                for _ in range(MESSAGES // 3):
                    topic, payload = hostile_message(draw, bench, draw.choice(genuine))
                    await bench.receive(topic, payload, draw.choice((None, b"", bytes(8))))
                bench.fleet.raise_if_broken()
                # Whoever was said to be lost says that it is there; whatever attempt it has by now, it answers.
                for topic, message in bench.honest_states():
                    await bench.receive(topic, messages.encode(message))
                before = bench.driver.rounds_done
                for _ in range(MAX_DEADLINES):
                    await bench.answer_honestly()
                    if bench.driver.rounds_done == before:
                        # Invented devices were asked in the place of some: at the deadline these step in (R7).
                        bench.driver.machine.postpone(-(10**9))
                        bench.driver.tick()
                    if bench.driver.rounds_done > before:
                        break
                assert bench.driver.rounds_done == before + 1
            bench.driver._writer.shutdown(wait=True)  # it writes in this folder
            counts = bench.fleet.rejections.counts()
            print(f"rejected: {dict(counts)}")
            assert {"topic", "length", "format", "unasked", "impostor", "update"} <= set(counts)
            assert len([one for one in bench.seen if isinstance(one, RoundFinished)]) == 3

    asyncio.run(everything())
