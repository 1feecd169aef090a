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
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from enum import Enum, auto
from functools import lru_cache
from types import TracebackType
from typing import Final, NamedTuple, Self

from jaragua.coordinator.connection.claim import Claim, Role
from jaragua.coordinator.connection.gate import PublicGate, RoundsGate
from jaragua.coordinator.connection.roster import Change, Roster
from jaragua.coordinator.rounds.validation import Verdict
from jaragua.errors import BrokerError, ProtocolError, RunError
from jaragua.node.connection.session import Gates, Incoming, Participant, Reply, Session
from jaragua.node.connection.url import BrokerUrl, parse_broker_url
from jaragua.node.program import ended
from jaragua.token_bucket import TokenBucket
from jaragua.trust.members import Members
from jaragua.trust.signing import Signer
from jaragua.wire import messages
from jaragua.wire.rejections import Reason, RejectedError, Rejections
from jaragua.wire.topics import NodeTopics, Topic, TopicError, TopicKind, build, parse, pattern

LOGGER = logging.getLogger(__name__)
_ABSENT_HINT = "start one with `jaragua broker start`, or check broker.url in the configuration"
_PATIENCE_SECONDS = 1.5
_FLUSH_SECONDS = 3.0
_SETTLE_SECONDS = 15.0
_SETTLE_QUESTIONS = 15
#: R10: how long another coordinator has to answer before it is taken for gone, and how often it is asked.
_CLAIM_SECONDS = 10.0
_CLAIM_QUESTIONS = 10
_CLAIMS_A_SECOND, _CLAIMS_AT_ONCE = 20, 100
_MENDED_AFTER_SECONDS = 1.0
_BIRTHS_REMEMBERED = 256
_RUN_STATES_REMEMBERED = 256
#: M6: how soon states are read again when some were not read, and how often at least while that goes on.
_READ_AGAIN_SECONDS, _READ_AGAIN_AT_LEAST_SECONDS = 1.0, 8.0
#: P3: longest message of any kind but an update, and longest header of an update.
MOST_CONTROL_BYTES: Final = 4096
_LENGTH = struct.Struct("<H")
_STATES = TopicKind.NODE_STATE, TopicKind.DEVICE_STATE


@dataclass(frozen=True)
class PresenceChanged:
    """Devices came or went."""

    changes: list[Change]


class Arrived(NamedTuple):
    """An update of a node: parsed, not yet believed. content: what an aggregator says of its content, if one did."""

    node: str
    header: messages.UpdateHeader
    blob: bytes
    payload_bytes: int
    content: Verdict | None = None


@dataclass(frozen=True)
class TrustSettings:
    """members: of the fleet, at any time; None of an open one (G8). signer: of all that is published (G10)."""

    members: Callable[[], Members | None] = lambda: None
    signer: Signer | None = None


class Intake(Enum):
    """On which connection a coordinator reads updates (M16)."""

    FOLLOWED = auto()
    """Those that a round waits for on its own one, by topics of the round; all others on the wide one."""
    ALL = auto()
    """All on its own one, so that each comes once: of rounds with many devices (M16.6)."""
    AGGREGATORS = auto()
    """None: processes beside it read them (M20)."""


#: M16.6: more devices in a round than this.
_MANY_DEVICES: Final = 512
#: M16.9.
_PAUSE_SECONDS: Final = 0.004


def intake_of(clients_per_round: int) -> Intake:
    """M16.6: of a run of so many devices a round."""
    return Intake.ALL if clients_per_round > _MANY_DEVICES else Intake.FOLLOWED


#: A node, the header of its update, and the word on it.
Answered = tuple[str, messages.UpdateHeader, Verdict]
FleetEvent = PresenceChanged | Arrived
Answer = messages.AdaptResult | messages.StatisticsResult
#: What to do with an event; False: there is no room for it (P3).
Watcher = Callable[[FleetEvent], object]


class Fleet:
    """`async with Fleet(url, name) as fleet`: connected, serving it alone (R10), and all that was retained is known.

    on_happening is called for every change of a device and every update (see `watching` too). take_over: another
    coordinator of the fleet is ended; without it, RunError if there is one. trust: whom it listens to and what signs
    for it. intake: where updates are read. Errors: BrokerError, RunError.
    """

    def __init__(
        self,
        url: str | BrokerUrl,
        name: str,
        architectures: Collection[bytes] | None = None,
        on_happening: Watcher | None = None,
        *,
        take_over: bool = False,
        trust: TrustSettings | None = None,
        intake: Intake = Intake.FOLLOWED,
    ) -> None:
        self._intake = intake
        trust = trust or TrustSettings()
        self.name = name
        self._members = trust.members
        self.roster = Roster(architectures)
        self.roster.is_named = self._is_named
        self.last_run: messages.RunState | None = None
        self.rejections = Rejections("the coordinator")
        self._watchers: list[Watcher] = [] if on_happening is None else [on_happening]
        self._answers: dict[bytes, tuple[type[Answer], asyncio.Future[Answer]]] = {}
        self._blobs: set[bytes] = set()
        self._births: deque[int] = deque(maxlen=_BIRTHS_REMEMBERED)
        self._claim = Claim(unix_ms(), take_over=take_over)
        self._other: messages.HostState | None = None
        """What another coordinator said of itself before we serve."""
        self._moved = asyncio.Event()
        """Something was said of who serves."""
        self._run_states: deque[bytes] = deque(maxlen=_RUN_STATES_REMEMBERED)
        self._rival: int | None = None
        """`since` of another one that says that it serves, while we do."""
        self._to_claims = TokenBucket(_CLAIMS_A_SECOND, _CLAIMS_AT_ONCE)
        self._to_claims_to_us = TokenBucket(_CLAIMS_A_SECOND, _CLAIMS_AT_ONCE)
        self._mending: asyncio.TimerHandle | None = None
        self._url = parse_broker_url(url) if isinstance(url, str) else url
        self._state_topic = build(TopicKind.HOST_STATE, name)
        self._claim_topic = build(TopicKind.HOST_CLAIM, name)
        self._run_topic = build(TopicKind.RUN, name)
        self._train_topics = NodeTopics(TopicKind.COMMAND, name, verb="train")
        token = secrets.token_hex(4)
        self._reply_topic = build(TopicKind.REPLY, name, asker=token)
        self._followed: set[tuple[str, int]] = set()
        """Nodes and rounds whose topics are followed."""
        self._gate = RoundsGate(name, self._answers.keys(), all_updates=intake is Intake.ALL)
        self._public_gate = PublicGate(name, self.roster, self._claim.who)
        self._public_gate.members = lambda: self._members()
        self._public_gate.on_stranger = self._count_stranger
        # Not the same for every coordinator: two would throw each other off the broker for ever.
        participant = self._participant(f"jaragua-{name}-host-{token}", trust.signer)
        self._session = Session(participant, self, Gates(self._gate, self._public_gate))
        self._task: asyncio.Task[None] | None = None
        self._reading_again: asyncio.Task[None] | None = None

    def _participant(self, identifier: str, signer: Signer | None) -> Participant:
        return Participant(
            self._url,
            identifier,
            (self._state_topic, self._state(online=False)),
            self._next_epoch,
            _PATIENCE_SECONDS,
            _ABSENT_HINT,
            signer=signer,
            pause_seconds=_PAUSE_SECONDS if self._intake is Intake.ALL else 0.0,
        )

    # ---- life ----

    async def __aenter__(self) -> Self:
        updates = pattern(TopicKind.UPDATE, self.name)
        self._session.listen(*_state_filters(self.name), self._run_topic, self._state_topic, self._claim_topic)
        if self._intake is Intake.FOLLOWED:
            self._session.listen(updates)
        elif self._intake is Intake.ALL:
            await self._session.subscribe(updates)
        for topic in (self._reply_topic, self._topic_to(self._claim.since)):
            await self._session.subscribe(topic)
        self._task = asyncio.create_task(self._session.run())
        self._reading_again = asyncio.create_task(self._read_states_again())
        try:
            await self._settle()
            await self._be_the_only_one()
        except BaseException:
            await self._end()
            raise
        self._claim.serve(self._other.since if self._other_serves and self._other is not None else None)
        await self._session.subscribe(self._topic_to(self._claim.since))
        self._session.retain(self._state_topic, self._state(online=True))
        self._ask()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._mending is not None:
            self._mending.cancel()
        if not self._is_superseded:
            self._session.retain(self._state_topic, self._state(online=False))
        with contextlib.suppress(asyncio.CancelledError):
            await self._session.flush(_FLUSH_SECONDS)
        await self._end()

    @property
    def is_connected(self) -> bool:
        """Whether the broker is there now, as far as is known."""
        return self._session.is_connected

    @property
    def _is_superseded(self) -> bool:
        return self._claim.role is Role.SUPERSEDED

    @property
    def _other_serves(self) -> bool:
        return self._other is not None and self._other.online and not self._claim.is_free

    @contextlib.contextmanager
    def watching(self, watcher: Watcher) -> Iterator[None]:
        """Have `watcher` called for what happens inside the `with` block."""
        self._watchers.append(watcher)
        try:
            yield
        finally:
            self._watchers.remove(watcher)

    def raise_if_broken(self) -> None:
        """Raise what ended the connection for good, if anything did."""
        if self._is_superseded:
            hint = "one coordinator serves a fleet; this run can be continued when the other one has ended"
            raise RunError(f"another coordinator has taken over the fleet '{self.name}'", hint)
        if self._task is not None and self._task.done() and not self._task.cancelled():
            self._task.result()

    async def _settle(self) -> None:
        """Our own question comes back to us behind everything the broker had retained before it.

        Somebody's flood can swallow one.
        """
        for _ in range(_SETTLE_QUESTIONS):
            await self._until(lambda: self._claim.was_heard, _SETTLE_SECONDS / _SETTLE_QUESTIONS)
            if self._claim.was_heard:
                return
            self._ask()
        if not self._claim.was_heard:
            raise BrokerError(f"the broker at {self._url.public} does not answer", "check that it is an MQTT 5 broker")

    async def _be_the_only_one(self) -> None:
        """R10: who says that it serves the fleet is asked; who does not answer is gone. Raises: RunError."""
        for _ in range(_CLAIM_QUESTIONS):
            if self._claim.role is Role.REFUSED:
                break
            if not self._other_serves:
                return
            await self._until(self._is_decided, _CLAIM_SECONDS / _CLAIM_QUESTIONS)
            if not self._is_decided():
                self._ask()
        if self._claim.role is Role.REFUSED:
            hint = "stop it, set another run.fleet, or end it on purpose with `jaragua run CONFIG --take-over`"
            raise RunError(f"another coordinator serves the fleet '{self.name}'", hint)
        LOGGER.warning("the coordinator that served the fleet does not answer: it is taken for gone")

    def _is_decided(self) -> bool:
        return self._claim.role is Role.REFUSED or not self._other_serves

    async def _until(self, condition: Callable[[], bool], seconds: float) -> None:
        """Wait for something that the reading loop does; raises what ended the connection."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while not condition():
                    self._moved.clear()
                    moved = asyncio.create_task(self._moved.wait())
                    try:
                        await asyncio.wait({moved, self._running}, return_when=asyncio.FIRST_COMPLETED)
                    finally:
                        moved.cancel()
                    self.raise_if_broken()

    @property
    def _running(self) -> asyncio.Task[None]:
        if self._task is None:
            raise RuntimeError("the fleet is not entered")
        return self._task

    async def _end(self) -> None:
        await ended(*(task for task in (self._task, self._reading_again) if task is not None))

    async def _read_states_again(self) -> None:
        """M6: a flood may have hidden who came and went; what they said last is retained."""
        pause = _READ_AGAIN_SECONDS
        while True:
            await asyncio.sleep(pause)
            if self._public_gate.has_missed_some:
                self._public_gate.has_missed_some = False
                await self._session.read_again(*_state_filters(self.name))
                pause = min(2 * pause, _READ_AGAIN_AT_LEAST_SECONDS)
            else:
                pause = _READ_AGAIN_SECONDS

    def _state(self, *, online: bool) -> Callable[[int], bytes]:
        def payload(epoch: int) -> bytes:
            return messages.encode(
                messages.HostState(online=online, ts=unix_ms(), epoch=epoch, since=self._claim.since)
            )

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
            self._run_states.append(messages.encode(state))
            self._session.retain(self._run_topic, self._run_states[-1])

    def expect(self, run: str, updates: Collection[tuple[str, str, int]]) -> None:
        """The updates that a round waits for, by node, device and round: they have a connection of their own (P3)."""
        self._gate.missing = {(device, run, str(number)): node for node, device, number in updates}
        if self._intake is not Intake.FOLLOWED:
            return
        followed = {(node, number) for node, _, number in updates if node}
        if followed and followed <= self._followed:
            return  # what is not wanted any more goes with the next round
        self._followed = followed
        topics = frozenset(
            build(TopicKind.UPDATE, self.name, node=node, run=run, round=number) for node, number in followed
        )
        self._public_gate.leave_out(topics, time.monotonic())
        self._session.follow(topics)

    @property
    def missing(self) -> int:
        """Updates that a round of many devices waits for; 0 of a smaller round."""
        return len(self._gate.missing) if self._intake is Intake.ALL else 0

    def forget_missing(self, run: str, updates: Iterable[tuple[str, int]]) -> None:
        """By device and round: they are stored, and the round waits for them no more."""
        missing, text, of_text = self._gate.missing, "", -1
        for device, number in updates:
            if number != of_text:
                text, of_text = str(number), number
            missing.pop((device, run, text), None)

    def train(self, node: str, device: str, command: bytes, deadline: int) -> None:
        """Send an encoded train-command; it expires with its deadline (Unix milliseconds)."""
        topic = self._train_topics.of(node)
        self._session.command(topic, command, math.ceil((deadline - unix_ms()) / 1000), key=(node, device))

    def ask(self, node: str, question: messages.SecureCommand, seconds: int) -> None:
        """Send a question of a secure sum (M32), which the broker keeps for so long."""
        topic = build(TopicKind.COMMAND, self.name, node=node, verb="secure")
        self._session.command(topic, messages.encode(question), seconds, key=(node, question.device, "secure"))

    def stop(self, node: str, run: str) -> None:
        """Tell a node that nothing more is wanted of it for a run."""
        topic = build(TopicKind.COMMAND, self.name, node=node, verb="stop")
        self._session.command(topic, messages.encode(messages.StopCommand(run)), 60, key=(node, "stop"))

    def acknowledge(self, answers: Iterable[Answered]) -> None:
        """Answer updates; the caller has committed what the answers say."""
        for node, header, verdict in answers:
            topic = _ack_topics(self.name, header.run, header.round).of(node)
            form = _ack_of(header.run, header.round, verdict.result, verdict.reason)
            payload = form.encode(device=header.device, attempt=header.attempt)
            self._session.send(topic, payload, key=(topic, header.device, header.attempt))

    async def adapt(self, node: str, command: messages.AdaptCommand, deadline_s: float) -> messages.AdaptResult:
        """Send an adapt command and wait for its answer. Raises: TimeoutError."""
        answer = await self._answered(node, "adapt", command, messages.AdaptResult, deadline_s)
        assert isinstance(answer, messages.AdaptResult)
        return answer

    async def statistics(
        self, node: str, command: messages.StatisticsCommand, deadline_s: float
    ) -> messages.StatisticsResult:
        """Send a statistics command (M20) and wait for its answer. Raises: TimeoutError."""
        answer = await self._answered(node, "statistics", command, messages.StatisticsResult, deadline_s)
        assert isinstance(answer, messages.StatisticsResult)
        return answer

    async def _answered(
        self,
        node: str,
        verb: str,
        command: messages.AdaptCommand | messages.StatisticsCommand,
        kind: type[Answer],
        deadline_s: float,
    ) -> Answer:
        """The answer to a command, on our own topic and with its correlation data. Raises: TimeoutError."""
        correlation = secrets.token_bytes(8)
        topic = build(TopicKind.COMMAND, self.name, node=node, verb=verb)
        answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._answers[correlation] = kind, answer
        reply = Reply(self._reply_topic, correlation)
        try:
            self._session.command(topic, messages.encode(command), math.ceil(deadline_s), correlation, reply)
            async with asyncio.timeout(deadline_s):
                return await answer
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
        self._ask()

    def received(self, message: Incoming) -> None:
        """Called by the session for each message; what is not understood is counted and dropped (P1)."""
        try:
            self._take(message)
        except TopicError as error:
            self.rejections.add(Reason.TOPIC, message.topic, error)
        except RejectedError as error:
            self.rejections.add(error.reason, message.topic, error)
        except ProtocolError as error:
            self.rejections.add(Reason.FORMAT, message.topic, error)

    def refused(self, topic: str, error: RejectedError) -> None:
        """Called by the session; the coordinator's own signature is checked by nodes alone."""
        self.rejections.add(error.reason, topic, error)

    def dropped(self, count: int, topic: str) -> None:
        """Called by the session for what the gate did not admit."""
        self.rejections.add(Reason.FLOOD, topic, "more of this kind than is read", count)

    def _take(self, message: Incoming) -> None:
        topic, payload = parse(message.topic), message.payload
        if topic.kind is TopicKind.UPDATE:
            self._take_update(topic, payload)
            return
        self._refuse_stranger(topic.node, topic.device)
        if len(payload) > MOST_CONTROL_BYTES:
            raise RejectedError(f"{len(payload)} bytes are more than {MOST_CONTROL_BYTES}", Reason.LENGTH)
        if topic.kind in _STATES:
            self._take_state(topic, payload)
        elif topic.kind is TopicKind.REPLY:
            self._take_answer(payload, message.correlation or b"")
        elif topic.kind is TopicKind.RUN:
            self._take_run(payload)
        elif topic.kind is TopicKind.HOST_STATE:
            self._take_host_state(payload, is_retained=message.is_retained)
        elif topic.kind is TopicKind.HOST_CLAIM:
            self._take_claim(messages.decode(messages.HostClaim, payload), is_to_us=False)
        elif topic.kind is TopicKind.CLAIM_TO:
            self._take_claim(messages.decode(messages.HostClaim, payload), is_to_us=True)
        else:
            raise TopicError("the coordinator does not read this topic")

    # R10: who serves

    def _ask(self) -> None:
        """Whoever hears it, and on a topic of its own whoever says that it serves."""
        question = messages.encode(self._claim.ask())
        self._session.send(self._claim_topic, question, key="claim")
        is_serving = self._claim.role is Role.SERVING
        of = self._rival if is_serving or self._other is None or not self._other.online else self._other.since
        if of is not None:
            self._session.send(self._topic_to(of), question, key="claim to one")

    def _topic_to(self, since: int) -> str:
        return build(TopicKind.CLAIM_TO, self.name, since=since)

    def _take_claim(self, claim: messages.HostClaim, *, is_to_us: bool) -> None:
        bucket = self._to_claims_to_us if is_to_us else self._to_claims
        if claim.says == "ask" and not bucket.take(time.monotonic()):
            raise RejectedError("more questions than are answered", Reason.FLOOD)
        for answer in self._claim.take(claim):
            self._session.send(self._topic_to(claim.since), messages.encode(answer))
        self._moved.set()

    def _take_host_state(self, payload: bytes, *, is_retained: bool) -> None:
        """While we serve, what any other writes here is put right; before, it says whether another one serves.

        What is retained is believed before what is said now, unless the same coordinator says it.
        """
        state = messages.decode(messages.HostState, payload) if payload else None
        ours = state is not None and state.epoch in self._births
        if self._claim.role is Role.SERVING:
            if not (ours and state is not None and state.online):
                self._put_right()
            if not ours:
                self._rival = state.since if state is not None and state.online else self._rival
                raise RejectedError("it is not of this coordinator", Reason.IMPOSTOR)
        elif not ours and (is_retained or not self._knows_another_than(state)):
            self._other = state
            self._moved.set()

    def _knows_another_than(self, state: messages.HostState | None) -> bool:
        other = self._other
        return other is not None and other.online and (state is None or state.since != other.since)

    def _take_run(self, payload: bytes) -> None:
        """While we serve, what any other writes here is put right; before, it says which run was the last."""
        if self._claim.role is Role.ASKING:
            self.last_run = messages.decode(messages.RunState, payload) if payload else None
        elif self._claim.role is Role.SERVING and payload not in self._run_states:
            self._put_right()
            raise RejectedError("it is not of this coordinator", Reason.IMPOSTOR)

    def _put_right(self) -> None:
        """Publish again what only we may say, once a second at most."""
        if self._mending is None:
            self._mending = asyncio.get_running_loop().call_later(_MENDED_AFTER_SECONDS, self._mend)

    def _mend(self) -> None:
        self._mending = None
        if self._claim.role is Role.SERVING:
            self._session.retain(self._state_topic, self._state(online=True))
            if self._rival is not None:
                self._ask()
                self._rival = None
            if self._run_states:
                self._session.retain(self._run_topic, self._run_states[-1])

    # the others

    def _take_answer(self, payload: bytes, correlation: bytes) -> None:
        kind, waiting = self._answers.get(correlation, (None, None))
        if kind is None or waiting is None or waiting.done():
            raise RejectedError("nobody asked", Reason.UNASKED)
        waiting.set_result(messages.decode(kind, payload))

    def _take_state(self, topic: Topic, payload: bytes) -> None:
        changes = self._state_changes(topic, payload)
        if changes:
            self._tell(PresenceChanged(changes))

    def _state_changes(self, topic: Topic, payload: bytes) -> list[Change]:
        if topic.kind is TopicKind.NODE_STATE:
            if not payload:
                return []
            return self.roster.node_state(topic.node, messages.decode(messages.NodeState, payload), unix_ms())
        if not payload:
            return self.roster.forget(topic.node, topic.device)
        state = messages.decode(messages.DeviceState, payload)
        return self.roster.device_state(topic.node, topic.device, state, unix_ms())

    def _take_update(self, topic: Topic, payload: bytes) -> None:
        members = self._members()
        if members is not None:
            self._refuse_stranger(topic.node, "")
        header, blob = split_update(payload)
        if (header.run, header.round) != (topic.run, topic.round):
            raise RejectedError(f"its header is of run {header.run!r}, round {header.round}", Reason.TOPIC)
        if members is not None:
            self._refuse_stranger(topic.node, header.device)
        if not self._tell(Arrived(topic.node, header, blob, len(payload))):
            raise RejectedError("more of its node wait already than may", Reason.FLOOD)

    def arrived(self, update: Arrived) -> None:
        """An update that an aggregator read; where it cannot be taken in it is counted."""
        header = update.header
        try:
            self._refuse_stranger(update.node, header.device)
            if not self._tell(update):
                raise RejectedError("more of its node wait already than may", Reason.FLOOD)
        except RejectedError as error:
            topic = build(TopicKind.UPDATE, self.name, node=update.node, run=header.run, round=header.round)
            self.rejections.add(error.reason, topic, error)

    def _refuse_stranger(self, node: str, device: str) -> None:
        """G8, G9: the broker binds a topic to an identity, the list of members binds devices to it."""
        members = self._members()
        if members is None or not node:
            return
        if not (members.admits(node, device) if device else members.has_node(node)):
            raise RejectedError(f"{device or node} at {node} is no member of the fleet", Reason.STRANGER)

    def _is_named(self, node: str, device: str) -> bool:
        members = self._members()
        return members is not None and members.names(node, device)

    def _count_stranger(self, topic: bytes) -> None:
        self.rejections.add(Reason.STRANGER, topic.decode("ascii", "replace"), "no member of the fleet")

    def _tell(self, event: FleetEvent) -> bool:
        """Whether every watcher had room for it."""
        if len(self._watchers) == 1:
            return self._watchers[0](event) is not False
        had_room = True
        for watcher in tuple(self._watchers):
            had_room = watcher(event) is not False and had_room
        return had_room


@lru_cache(16)
def _ack_topics(fleet: str, run: str, round_number: int) -> NodeTopics:
    return NodeTopics(TopicKind.ACK, fleet, run=run, round=round_number)


@lru_cache(16)
def _ack_of(run: str, round_number: int, result: str, reason: str) -> messages.Template:
    """Acknowledgements that differ in device and attempt."""
    return messages.Template(messages.UpdateAck(run, round_number, "any", 0, result, reason), "device", "attempt")


def _state_filters(fleet: str) -> list[str]:
    return [pattern(kind, fleet) for kind in _STATES]


def split_update(payload: bytes) -> tuple[messages.UpdateHeader, bytes]:
    """Header and the rest of an update, not validated: an update with wrong bytes must be answered under its key (R4).

    Raises: ProtocolError if there is no readable header.
    """
    if len(payload) < _LENGTH.size:
        raise ProtocolError("the update is cut off")
    length = _LENGTH.unpack_from(payload)[0]
    if length > MOST_CONTROL_BYTES:
        raise RejectedError(f"a header of {length} bytes is more than {MOST_CONTROL_BYTES}", Reason.LENGTH)
    end = _LENGTH.size + length
    return messages.decode(messages.UpdateHeader, payload[_LENGTH.size : end]), payload[end:]


def unix_ms() -> int:
    """The time as messages carry it (M8)."""
    return time.time_ns() // 1_000_000
