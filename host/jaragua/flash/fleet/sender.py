"""The connection of `jaragua flash --fleet`: reads who is there, publishes images, and follows their way."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import secrets
import time
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Final, Self

from jaragua.errors import BrokerError, ProtocolError
from jaragua.flash.fleet.course import Course, Courses
from jaragua.node.connection.session import Gates, Incoming, Participant, Reply, Session
from jaragua.node.connection.url import BrokerUrl
from jaragua.node.program import ended
from jaragua.observe.fleet_view import FleetView
from jaragua.observe.observer import ObserverGate, now_ms
from jaragua.trust.signing import Signer
from jaragua.wire.messages import FlashReport, NodeState, decode, encode
from jaragua.wire.rejections import RejectedError
from jaragua.wire.topics import CHECK_FILTER, TopicError, TopicKind, build, parse, pattern

_READ: Final = (TopicKind.HOST_STATE, TopicKind.NODE_STATE, TopicKind.DEVICE_STATE, TopicKind.DEVICE_DESCRIPTION)
_SETTLE_S: Final = 15.0
_FLUSH_S: Final = 30.0
_LOOK_S: Final = 0.5
#: A command that a gateway has not got by then is dropped by the broker; it is sent again (M47).
_EXPIRY_S: Final = 60
#: M52: an image that is not published again is dropped by the broker after so long.
IMAGE_S: Final = 600
_RENEWALS: Final = 3

OnReport = Callable[[Course], None]


class Sender:
    """`async with Sender(url, fleet, signer) as sender:` all that was retained is known then. Raises: BrokerError."""

    def __init__(self, url: BrokerUrl, fleet: str, signer: Signer | None) -> None:
        self.view = FleetView()
        self._url = url
        self._fleet = fleet
        self._epoch = 0
        self._courses = Courses([])
        self._on_report: OnReport = lambda course: None
        token = secrets.token_hex(4)
        self._reply_topic = build(TopicKind.FLASHED, fleet, asker=token)
        self._check_topic = CHECK_FILTER.replace("+", token)
        self._settled = asyncio.Event()
        self._published: dict[str, bytes] = {}
        identifier = f"jaragua-{fleet}-flash-{token}"
        participant = Participant(url, identifier, None, self._next_epoch, signer=signer)
        self._session = Session(participant, self, Gates(ObserverGate(), ObserverGate()))
        self._session.listen(*(pattern(kind, fleet) for kind in _READ), self._reply_topic, self._check_topic)
        self._task: asyncio.Task[None] | None = None
        self._renewing: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._session.run())
        self._renewing = asyncio.create_task(self._renew())
        settled = asyncio.create_task(self._settled.wait())
        try:
            await asyncio.wait({self._task, settled}, timeout=_SETTLE_S, return_when=asyncio.FIRST_COMPLETED)
        finally:
            settled.cancel()
        if not self._settled.is_set():
            task = self._task
            await ended(task, self._renewing)
            if not task.cancelled():
                task.result()
            raise BrokerError(f"the broker at {self._url.public} does not answer", "check that it is an MQTT 5 broker")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Takes the images off the broker."""
        if self._renewing is not None:
            await ended(self._renewing)
        for topic in self._published:
            self._session.clear(topic)
        with contextlib.suppress(asyncio.CancelledError):
            await self._session.flush(_FLUSH_S)
        if self._task is not None:
            await ended(self._task)

    async def publish(self, data: bytes) -> bytes:
        """Retain an image or a start until the end (M40, M52); returns its hash."""
        sha256 = hashlib.sha256(data).digest()
        topic = build(TopicKind.BLOB, self._fleet, sha256=sha256.hex())
        if topic not in self._published:
            self._published[topic] = data
            self._session.retain(topic, data, IMAGE_S)
            await self._session.flush(_FLUSH_S)
        return sha256

    async def _renew(self) -> None:
        """M52: as long as this process lives, the broker has its images."""
        while True:
            await asyncio.sleep(IMAGE_S / _RENEWALS)
            for topic, data in self._published.items():
                self._session.retain(topic, data, IMAGE_S)

    async def follow(self, courses: Sequence[Course], on_report: OnReport) -> None:
        """Send the commands, and wait until all are over. on_report: called with what is new. Raises: BrokerError."""
        self._courses, self._on_report = Courses(courses), on_report
        for course in courses:
            course.sent_s = course.heard_s = time.monotonic()  # builds took their time
        self._send(courses)
        while not self._courses.are_over:
            if self._task is not None and self._task.done():
                self._task.result()
            await asyncio.sleep(_LOOK_S)
            self._send(self._courses.due(time.monotonic()))

    def _send(self, courses: Sequence[Course]) -> None:
        for course in courses:
            topic = build(TopicKind.COMMAND, self._fleet, node=course.gateway, verb="flash")
            reply = Reply(self._reply_topic, course.command.id)
            key = (course.gateway, course.command.device)
            self._session.command(topic, encode(course.command), _EXPIRY_S, key, reply)

    # ---- Listener ----

    def connected(self) -> None:
        """Our own question comes back behind everything that was retained."""
        self._session.send(self._check_topic, b"", key="check")

    def received(self, message: Incoming) -> None:
        """See `Listener`."""
        if message.topic == self._check_topic:
            self._settled.set()
        elif message.topic == self._reply_topic:
            self._heard(message.payload)
        else:
            self.view.take(message.topic, message.payload, now_ms())
            self._node_is(message)

    def _heard(self, payload: bytes) -> None:
        """P1: what is no report changes nothing."""
        with contextlib.suppress(ProtocolError):
            course = self._courses.heard(decode(FlashReport, payload), time.monotonic())
            if course is not None:
                self._on_report(course)

    def _node_is(self, message: Incoming) -> None:
        with contextlib.suppress(TopicError, ProtocolError):
            topic = parse(message.topic)
            if topic.kind is TopicKind.NODE_STATE and message.payload:
                state = decode(NodeState, message.payload).state
                self._send(self._courses.gateway_is(topic.node, state, time.monotonic()))

    def dropped(self, count: int, topic: str) -> None:
        """See `Listener`."""

    def refused(self, topic: str, error: RejectedError) -> None:
        """See `Listener`; nothing is verified here."""

    def _next_epoch(self) -> int:
        self._epoch += 1
        return self._epoch
