"""The coordinator's side of a fleet on a broker: what comes is parsed, what goes is named by its meaning."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import logging
import math
import secrets
import struct
import time
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from jaragua.coordinator.roster import Change, Roster
from jaragua.errors import BrokerError, ProtocolError
from jaragua.node.session import Incoming, Reply, Session
from jaragua.node.url import parse_broker_url
from jaragua.wire import messages
from jaragua.wire.topics import Topic, TopicKind, build, parse, pattern

LOGGER = logging.getLogger(__name__)
_ABSENT_HINT = "start one with `jaragua broker start`, or check broker.url in the configuration"
_PATIENCE_SECONDS = 1.5
_FLUSH_SECONDS = 3.0
_SETTLE_SECONDS = 15.0
_LENGTH = struct.Struct("<H")
_CAN_ANSWER = TopicKind.NODE_STATE, TopicKind.DEVICE_STATE


@dataclass(frozen=True)
class Moved:
    """Devices came or went."""

    changes: list[Change]


@dataclass(frozen=True)
class Arrived:
    """An update of a node: parsed, not yet believed."""

    node: str
    header: messages.UpdateHeader
    blob: bytes
    payload_bytes: int


Happening = Moved | Arrived


class Fleet:
    """`async with Fleet(url, name) as fleet`: connected, and all that the broker had retained is known.

    on_happening is called for every change of a device and every update (see `watching` too). Errors: BrokerError.
    """

    def __init__(
        self,
        url: str,
        name: str,
        architectures: Collection[bytes] | None = None,
        on_happening: Callable[[Happening], None] | None = None,
    ) -> None:
        self.name = name
        self.roster = Roster(architectures)
        self.last_run: messages.RunState | None = None
        self.malformed = 0
        """Messages that were not understood and dropped."""
        self._watchers: list[Callable[[Happening], None]] = [] if on_happening is None else [on_happening]
        self._answers: dict[bytes, asyncio.Future[bytes]] = {}
        self._blobs: set[bytes] = set()
        self._settled = asyncio.Event()
        self._births: list[int] = []
        self._is_superseded = False
        self._url = parse_broker_url(url)
        self._state_topic = build(TopicKind.HOST_STATE, name)
        self._reply_topic = f"jaragua/1/{name}/host/reply"
        will = (self._state_topic, self._state(online=False))
        # Not the same for every coordinator: two would throw each other off the broker for ever (see `_take_birth`).
        identifier = f"jaragua-{name}-host-{secrets.token_hex(4)}"
        self._session = Session(self._url, identifier, will, self._next_epoch, self, _PATIENCE_SECONDS, _ABSENT_HINT)
        self._task: asyncio.Task[None] | None = None

    # ---- life ----

    async def __aenter__(self) -> Self:
        for kind in (TopicKind.NODE_STATE, TopicKind.DEVICE_STATE, TopicKind.UPDATE):
            await self._session.subscribe(pattern(kind, self.name))
        for topic in (build(TopicKind.RUN, self.name), self._reply_topic, self._state_topic):
            await self._session.subscribe(topic)
        self._session.retain(self._state_topic, self._state(online=True))
        self._task = asyncio.create_task(self._session.run())
        try:
            await self._settle()
        except BaseException:
            await self._end()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not self._is_superseded:
            self._session.retain(self._state_topic, self._state(online=False))
        with contextlib.suppress(asyncio.CancelledError):
            await self._session.flush(_FLUSH_SECONDS)
        await self._end()

    @property
    def is_connected(self) -> bool:
        """Whether the broker is there now, as far as is known."""
        return self._session.is_connected

    @contextlib.contextmanager
    def watching(self, watcher: Callable[[Happening], None]) -> Iterator[None]:
        """Have `watcher` called for what happens inside the `with` block."""
        self._watchers.append(watcher)
        try:
            yield
        finally:
            self._watchers.remove(watcher)

    def raise_if_broken(self) -> None:
        """Raise what ended the connection for good, if anything did."""
        if self._is_superseded:
            hint = "one coordinator serves a fleet: stop the other one, or set another run.fleet"
            raise BrokerError(f"another coordinator has taken over the fleet '{self.name}'", hint)
        if self._task is not None and self._task.done() and not self._task.cancelled():
            self._task.result()

    async def _settle(self) -> None:
        """Our own birth comes back to us behind everything the broker had retained before it."""
        task, settled = self._task, asyncio.create_task(self._settled.wait())
        assert task is not None
        try:
            await asyncio.wait({task, settled}, timeout=_SETTLE_SECONDS, return_when=asyncio.FIRST_COMPLETED)
        finally:
            settled.cancel()
        self.raise_if_broken()
        if not self._settled.is_set():
            raise BrokerError(f"the broker at {self._url.public} does not answer", "check that it is an MQTT 5 broker")

    async def _end(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def _state(self, *, online: bool) -> Callable[[int], bytes]:
        def payload(epoch: int) -> bytes:
            return messages.encode(messages.HostState(online=online, ts=unix_ms(), epoch=epoch))

        return payload

    def _next_epoch(self) -> int:
        """M8: a number that rises with each connection, of this process and the ones before."""
        self._births.append(max(unix_ms(), self._births[-1] + 1 if self._births else 0))
        return self._births[-1]

    # ---- out ----

    def publish_blob(self, blob: bytes) -> bytes:
        """Retain a blob, once while it is not cleared; returns its hash."""
        sha256 = hashlib.sha256(blob).digest()
        if sha256 not in self._blobs:
            self._blobs.add(sha256)
            self._session.retain(self._blob_topic(sha256), blob)
        return sha256

    def clear_blob(self, sha256: bytes) -> None:
        """Take a blob that is no longer used off the broker."""
        self._blobs.discard(sha256)
        self._session.clear(self._blob_topic(sha256))

    def publish_difference(self, sha256: bytes, payload: bytes) -> None:
        """Retain how a blob follows from the one before (M10)."""
        self._session.retain(self._difference_topic(sha256), payload)

    def clear_difference(self, sha256: bytes) -> None:
        """Take a difference that leads nowhere any more off the broker."""
        self._session.clear(self._difference_topic(sha256))

    def publish_run(self, state: messages.RunState) -> None:
        """Retain where the run stands; who was superseded has no say in it any more."""
        if not self._is_superseded:
            self._session.retain(build(TopicKind.RUN, self.name), messages.encode(state))

    def train(self, node: str, command: messages.TrainCommand) -> None:
        """Send a train command; it expires with its deadline."""
        topic = build(TopicKind.COMMAND, self.name, node=node, verb="train")
        seconds = math.ceil((command.deadline - unix_ms()) / 1000)
        self._session.command(topic, messages.encode(command), seconds, key=(node, command.device))

    def stop(self, node: str, run: str) -> None:
        """Tell a node that nothing more is wanted of it for a run."""
        topic = build(TopicKind.COMMAND, self.name, node=node, verb="stop")
        self._session.command(topic, messages.encode(messages.StopCommand(run)), 60, key=(node, "stop"))

    def acknowledge(self, node: str, ack: messages.UpdateAck) -> None:
        """Answer an update; the caller has committed what the answer says."""
        topic = build(TopicKind.ACK, self.name, node=node, run=ack.run, round=ack.round)
        self._session.send(topic, messages.encode(ack))

    async def adapt(self, node: str, command: messages.AdaptCommand, deadline_s: float) -> messages.AdaptResult:
        """Send an adapt command and wait for its answer. Raises: TimeoutError, ProtocolError."""
        correlation = secrets.token_bytes(8)
        topic = build(TopicKind.COMMAND, self.name, node=node, verb="adapt")
        answer = self._answers[correlation] = asyncio.get_running_loop().create_future()
        reply = Reply(self._reply_topic, correlation)
        try:
            self._session.command(topic, messages.encode(command), math.ceil(deadline_s), correlation, reply)
            async with asyncio.timeout(deadline_s):
                return messages.decode(messages.AdaptResult, await answer)
        finally:
            del self._answers[correlation]

    async def flush(self) -> None:
        """Wait, a few seconds at most, until the broker has what was published."""
        await self._session.flush(_FLUSH_SECONDS)

    def _difference_topic(self, sha256: bytes) -> str:
        return build(TopicKind.DIFFERENCE, self.name, sha256=sha256.hex())

    def _blob_topic(self, sha256: bytes) -> str:
        return build(TopicKind.BLOB, self.name, sha256=sha256.hex())

    # ---- in ----

    def connected(self) -> None:
        """Called by the session; all it needs to send again it sends by itself."""

    def received(self, message: Incoming) -> None:
        """Called by the session for each message; what is not understood is counted and dropped."""
        try:
            self._take(message)
        except ProtocolError as error:
            self.malformed += 1
            LOGGER.warning("dropped a message on %s: %s", message.topic, error)

    def _take(self, message: Incoming) -> None:
        if message.topic == self._reply_topic:
            self._take_answer(message)
            return
        topic = parse(message.topic)
        if topic.kind is TopicKind.UPDATE:
            self._take_update(topic, message.payload)
        elif topic.kind in _CAN_ANSWER:
            self._take_state(topic, message.payload)
        elif topic.kind is TopicKind.RUN and not self._settled.is_set() and message.payload:
            self.last_run = messages.decode(messages.RunState, message.payload)
        elif topic.kind is TopicKind.HOST_STATE and message.payload:
            self._take_birth(messages.decode(messages.HostState, message.payload))

    def _take_birth(self, state: messages.HostState) -> None:
        """Of two coordinators the one born later stays (M8); what an earlier one leaves behind is put right."""
        if state.epoch in self._births:
            if state.online and state.epoch == self._births[-1]:
                self._settled.set()
        elif state.epoch > self._births[-1]:
            self._is_superseded = self._is_superseded or state.online
        elif self._settled.is_set():
            self._session.retain(self._state_topic, self._state(online=True))

    def _take_answer(self, message: Incoming) -> None:
        waiting = self._answers.get(message.correlation or b"")
        if waiting is not None and not waiting.done():
            waiting.set_result(message.payload)

    def _take_state(self, topic: Topic, payload: bytes) -> None:
        changes = self._state_changes(topic, payload)
        if changes:
            self._tell(Moved(changes))

    def _state_changes(self, topic: Topic, payload: bytes) -> list[Change]:
        if topic.kind is TopicKind.NODE_STATE:
            return self.roster.node_state(topic.node, messages.decode(messages.NodeState, payload)) if payload else []
        if not payload:
            return self.roster.forget(topic.node, topic.device)
        return self.roster.device_state(topic.node, topic.device, messages.decode(messages.DeviceState, payload))

    def _take_update(self, topic: Topic, payload: bytes) -> None:
        header, blob = split_update(payload)
        if (header.run, header.round) != (topic.run, topic.round):
            raise ProtocolError(f"its header is of run {header.run!r}, round {header.round}")
        self._tell(Arrived(topic.node, header, blob, len(payload)))

    def _tell(self, happening: Happening) -> None:
        for watcher in list(self._watchers):
            watcher(happening)


def split_update(payload: bytes) -> tuple[messages.UpdateHeader, bytes]:
    """Header and the rest of an update, unjudged: an update with wrong bytes must be answered under its key (R4).

    Raises: ProtocolError if there is no readable header.
    """
    if len(payload) < _LENGTH.size:
        raise ProtocolError("the update is cut off")
    end = _LENGTH.size + _LENGTH.unpack_from(payload)[0]
    return messages.decode(messages.UpdateHeader, payload[_LENGTH.size : end]), payload[end:]


def unix_ms() -> int:
    """The time as messages carry it (M8)."""
    return time.time_ns() // 1_000_000
