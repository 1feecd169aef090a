"""Two connections to a broker that stand and fall together, and come again whenever the broker goes away (M6).

All that anyone may write to, known by its wildcards, comes on the *wide* connection. What is published, and topics that
few know, have the other one: what waits there does not wait behind a flood, here or in the broker (P3).

What is to be sent waits here until the broker has acknowledged it. Retained messages are remembered and published
again on each connect, so a broker that lost everything is filled again by whoever is connected to it.

A message is handed to the listener while the client library reads it, before it is acknowledged and before the next is
read. Nothing queues in this process (P3). A gate decides which messages are read at all, before the library sees them.
"""

from __future__ import annotations

import asyncio
import logging
import math
import random
import socket
import time
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Container, Hashable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from itertools import count, islice
from typing import Any, Final, NamedTuple, Protocol, cast

import aiomqtt
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.subscribeoptions import SubscribeOptions

from jaragua.bases.value import Value
from jaragua.errors import BrokerError
from jaragua.node.connection.expiry_watch import watch_expiry
from jaragua.node.connection.paced_reading import PacedReading
from jaragua.node.connection.publisher import (
    LONGEST_BYTES,
    MOST_UNDER_WAY,
    NO_PROPERTIES,
    Publisher,
    encoded_length,
)
from jaragua.node.connection.sieve import Gate, Sieve
from jaragua.node.connection.sieved_socket import keep_identifiers_apart, sieve_of, sieved_socket_of
from jaragua.node.connection.tls import context_of, identifier_suffix
from jaragua.node.connection.tls_refusals import in_words, notice_end
from jaragua.node.connection.url import BrokerUrl
from jaragua.node.program import ended
from jaragua.reasons import reason_of
from jaragua.trust.signing import Signer, Verifier
from jaragua.wire.rejections import RejectedError

LOGGER = logging.getLogger(__name__)
# The client library's own words about a lost connection: this module says it better.
_CLIENT_LOGGER = logging.getLogger(f"{__name__}.client")
_CLIENT_LOGGER.setLevel(logging.ERROR)

QOS = 1
_KEEPALIVE_SECONDS = 15
# Messages are small and answered at once: without this, one in flight holds the next back for 40 ms.
_SOCKET_OPTIONS = ((socket.IPPROTO_TCP, socket.TCP_NODELAY, 1),)
_BACKOFF_FIRST_SECONDS = 0.1
_BACKOFF_CEILING_SECONDS = 5.0
# A connection that ends sooner than this did not do any good: the pauses go on growing.
_STEADY_SECONDS = 3.0
_SHORT_CONNECTIONS_UNTIL_WARNING = 5
_REASON_SECONDS = 1.0
# How long the broker keeps commands for a node that is away; each command carries its own expiry, too.
_BROKER_KEEPS_SECONDS = 300
# Reason codes of MQTT 5.0, 2.4.
_FAILURE = 0x80
_SESSION_TAKEN_OVER = 0x8E
#: A broker that starts or is busy says these (unavailable, busy, quota exceeded, rate exceeded): it is tried again.
_PASSING = frozenset({0x88, 0x89, 0x97, 0x9F})
#: The broker drops what is larger instead of sending it: far more than the weights of a microcontroller's network.
LARGEST_PACKET_BYTES = 16 * 2**20
#: Messages that wait for the broker's acknowledgement at once, and how long each, and each other request, may.
_MOST_IN_FLIGHT = 64
_ANSWER_SECONDS = 30.0
#: M16.8: on the wide connection, so that a flood does not take all of a participant's time.
_MOST_OF_A_FLOOD = 64
#: Of one request to the broker.
_MOST_FILTERS = 50
#: A retained message of ours that another client overwrites is published again so much later, so once a second at most.
_RESTORED_AFTER_SECONDS = 1.0
#: Messages without a key that wait to be sent; the oldest is given up for one more.
_MOST_WITHOUT_KEY = 256

UserProperties = Sequence[tuple[str, str]]
#: A payload, or how to make it from the epoch of the connection it goes out on (M8).
Payload = bytes | Callable[[int], bytes]


class Incoming(NamedTuple):
    """A message from the broker."""

    topic: str
    payload: bytes
    response_topic: str | None = None
    correlation: bytes | None = None
    is_retained: bool = False
    """Sent because of a subscription, not because it was published now."""
    properties: tuple[tuple[str, str], ...] = ()
    """User properties: a signature, if it has one (M19)."""


class Reply(Value):
    """Where and under which name the answer to a command is wanted (MQTT 5, request and response)."""

    topic: str
    correlation: bytes


class _Outgoing(NamedTuple):
    topic: str
    payload: Payload
    retain: bool = False
    response_topic: str | None = None
    correlation: bytes | None = None
    expiry_seconds: int | None = None

    def packed_properties(self, signed: UserProperties = ()) -> bytes:
        """As they stand in a packet (MQTT 5.0, 2.2.2), with their length. signed: user properties of a signature."""
        if not signed and self.response_topic is None and self.correlation is None:
            seconds = self.expiry_seconds
            return NO_PROPERTIES if seconds is None else b"\x05\x02" + seconds.to_bytes(4, "big")
        packed = b""
        if self.expiry_seconds is not None:
            packed += b"\x02" + self.expiry_seconds.to_bytes(4, "big")
        for identifier, value in ((b"\x08", self.response_topic), (b"\x09", self.correlation)):
            if value is not None:
                content = value.encode() if isinstance(value, str) else value
                packed += identifier + len(content).to_bytes(2, "big") + content
        for name, text in signed:
            for number, content in enumerate((name.encode(), text.encode())):
                packed += (b"" if number else b"\x26") + len(content).to_bytes(2, "big") + content
        return encoded_length(len(packed)) + packed

    def properties(self, signed: UserProperties = ()) -> Properties | None:
        """signed: user properties of a signature."""
        if self.response_topic is None and self.correlation is None and self.expiry_seconds is None and not signed:
            return None
        properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
        if self.response_topic is not None:
            properties.ResponseTopic = self.response_topic
        if self.correlation is not None:
            properties.CorrelationData = self.correlation
        if self.expiry_seconds is not None:
            properties.MessageExpiryInterval = self.expiry_seconds
        if signed:
            properties.UserProperty = list(signed)
        return properties


class Listener(Protocol):
    """The owner of a session. Both calls return at once: they are made from the event loop's reader.

    What a peer sent must not make them raise (P1): what they raise ends `Session.run`.
    """

    def connected(self) -> None:
        """The broker is there (again); subscriptions are made, retained messages are on their way."""
        ...

    def received(self, message: Incoming) -> None:
        """A message of one of the subscriptions."""
        ...

    def dropped(self, count: int, topic: str) -> None:
        """So many messages were not admitted by the gate; topic: of the last one, as it was sent."""
        ...

    def refused(self, topic: str, error: RejectedError) -> None:
        """A message without a valid signature was not given on; only called with a verifier."""
        ...


@asynccontextmanager
async def _connection(client: aiomqtt.Client) -> AsyncIterator[aiomqtt.Client]:
    """As `async with client`; but cancelled while it connects, it still closes what the connecting thread opens."""
    connecting = asyncio.ensure_future(client.__aenter__())
    try:
        await asyncio.shield(connecting)
    except asyncio.CancelledError:
        with suppress(aiomqtt.MqttError):
            await connecting
            await client.__aexit__(None, None, None)
        raise
    try:
        yield client
    finally:
        await client.__aexit__(None, None, None)


class _Handover(asyncio.Queue[Any]):
    """In the place of the client library's queue: gives each message on at once, and keeps only errors of doing so.

    The library would catch them; so whoever waits for the next message gets them.
    """

    def __init__(self, take: Callable[[aiomqtt.Message], None]) -> None:
        super().__init__()
        self._take = take

    def put_nowait(self, item: aiomqtt.Message) -> None:
        try:
            self._take(item)
        except Exception as error:  # noqa: BLE001
            super().put_nowait(error)

    async def get(self) -> Any:
        raise await super().get()


class Gates(NamedTuple):
    """Which messages the listener gets of each of the two connections; None: all."""

    own: Gate | None = None
    wide: Gate | None = None


NO_GATES: Final = Gates()


class Participant(Value):
    """Who connects to which broker."""

    url: BrokerUrl
    identifier: str
    """The broker knows its connections as this, and this with `-wide` behind it."""
    will: tuple[str, Payload] | None
    """Topic and payload that the broker publishes, retained, when the connection is lost; None: nothing."""
    next_epoch: Callable[[], int]
    """A number that rises with each connection."""
    patience_seconds: float | None = 3.0
    """How long the first connection is tried before BrokerError, None for ever; once there has been one, for ever."""
    absent_hint: str = "start one with `jaragua broker start`, or check --broker"
    """What the user can do if there never was a connection."""
    signer: Signer | None = None
    """Signs what is published (G10)."""
    verifier: Verifier | None = None
    """Checks what only the coordinator may say (G10, G11)."""
    keeps_session: bool = True
    """Whether the broker keeps what comes for it for a while when the connection is lost."""
    pause_seconds: float = 0.0
    """Between two reads of the connection that is not wide (M16.9); 0: it is read whenever something comes."""


class Session:
    """The connections of one participant. gates: which messages the listener gets."""

    def __init__(self, participant: Participant, listener: Listener, gates: Gates = NO_GATES) -> None:
        self._participant = participant
        self._listener = listener
        self._gates = gates
        self._has_connected = False
        self._complaints: set[str] = set()
        self._client: aiomqtt.Client | None = None
        self._wide_client: aiomqtt.Client | None = None
        self._epoch = 0
        self._subscriptions: set[str] = set()
        self._wide: list[str] = []
        self._followed: frozenset[str] = frozenset()
        self._told: set[str] = set()
        """Topics that are or were followed and that the broker knows."""
        self._retained: dict[str, _Outgoing] = {}
        self._guarded: list[str] = []
        self._on_overwritten: Callable[[str], None] = lambda topic: None
        self._overwritten: set[str] = set()
        self._restoring: asyncio.TimerHandle | None = None
        self._outgoing: dict[Hashable, _Outgoing] = {}
        self._without_key: deque[Hashable] = deque()
        self._wake = asyncio.Event()
        self._flushed = asyncio.Event()
        self._names = count()
        # Known to the owner of the private key alone: a session of the broker belongs to its identifier (G6).
        self._identifier = participant.identifier + identifier_suffix(participant.url)
        self._publisher: Publisher[_Outgoing] | None = None
        self._receive_maximum = MOST_UNDER_WAY
        """Messages under way that the broker takes, by its last CONNACK."""
        self._failed: asyncio.Future[None] | None = None

    @property
    def is_connected(self) -> bool:
        """Whether there is a connection now, as far as is known."""
        return self._client is not None

    def retain(self, topic: str, payload: Payload, expiry_seconds: int | None = None) -> None:
        """Publish a retained message, now and on each connect; it replaces the topic's last one.

        expiry_seconds: after which the broker drops it, None for never.
        """
        self._retained[topic] = _Outgoing(topic, payload, retain=True, expiry_seconds=expiry_seconds)
        self._enqueue(("retained", topic), self._retained[topic])

    def send(self, topic: str, payload: bytes, key: Hashable = None, correlation: bytes | None = None) -> None:
        """Publish as soon as there is a connection; an unsent message with the same key is replaced.

        Of messages without a key a bounded number waits; the oldest is given up.
        """
        name = ("named", key) if key is not None else self._new_name()
        self._enqueue(name, _Outgoing(topic, payload, correlation=correlation))

    def send_if_connected(self, topic: str, payload: bytes, expiry_seconds: int) -> None:
        """Publish what is worthless later; only the latest of a topic waits."""
        if self.is_connected:
            self._enqueue(("fleeting", topic), _Outgoing(topic, payload, expiry_seconds=expiry_seconds))

    def command(
        self, topic: str, payload: bytes, expiry_seconds: int, key: Hashable, reply: Reply | None = None
    ) -> None:
        """Publish a command that the broker drops after `expiry_seconds`; an unsent one with that key is replaced."""
        message = _Outgoing(
            topic,
            payload,
            response_topic=reply.topic if reply else None,
            correlation=reply.correlation if reply else None,
            expiry_seconds=max(1, expiry_seconds),
        )
        self._enqueue(("command", key), message)

    def clear(self, topic: str) -> None:
        """Take a retained message off the broker, once."""
        self._retained.pop(topic, None)
        self._enqueue(("retained", topic), _Outgoing(topic, b"", retain=True))

    def guard(self, on_overwritten: Callable[[str], None], *topic_filters: str) -> None:
        """Publish again what another client overwrites of our retained messages under these filters; before `run`.

        on_overwritten: called with the topic of each such message; it returns at once and raises nothing.
        """
        self._guarded, self._on_overwritten = list(topic_filters), on_overwritten

    def listen(self, *topic_filters: str) -> None:
        """Subscribe on the wide connection; before `run`."""
        self._wide += topic_filters

    async def read_again(self, *topic_filters: str) -> None:
        """Have what is retained under these of the wide connection sent once more, if there is a connection."""
        await self._tell(self._wide_client, lambda client: _subscribe(client, topic_filters))

    def follow(self, topics: frozenset[str]) -> None:
        """Subscribe to just these topics in place of those before, ahead of what is published next."""
        self._followed = topics
        self._wake.set()

    async def subscribe(self, topic_filter: str) -> None:
        """Subscribe, now and on each connect."""
        self._subscriptions.add(topic_filter)
        await self._tell(self._client, lambda client: _subscribe(client, [topic_filter]))

    async def unsubscribe(self, topic_filter: str) -> None:
        """End a subscription."""
        self._subscriptions.discard(topic_filter)
        await self._tell(self._client, lambda client: _unsubscribe(client, [topic_filter]))

    async def run(self) -> None:
        """Stay connected until cancelled. BrokerError: the first connection failed, or another process has our name."""
        expiry = asyncio.ensure_future(watch_expiry(self._participant.url))
        try:
            await self._stay_connected()
        finally:
            await ended(expiry)
            self._forget_restoring()

    async def _stay_connected(self) -> None:
        attempts = _Backoff()
        deadline = _from_now(self._participant.patience_seconds)
        while True:
            try:
                await self._one_connection(attempts)
            except (aiomqtt.MqttError, OSError) as error:
                reason = await asyncio.to_thread(in_words, reason_of(error), self._participant.url)
                self._give_up_if_hopeless(error, reason, deadline)
                self._complain(reason)
            if attempts.ended() == _SHORT_CONNECTIONS_UNTIL_WARNING:
                LOGGER.warning(
                    "connections as %s end at once: does another process use that name?", self._participant.identifier
                )
            await attempts.pause()

    def _forget_restoring(self) -> None:
        if self._restoring is not None:
            self._restoring.cancel()
            self._restoring = None

    async def flush(self, timeout_seconds: float) -> bool:
        """Wait until all that was to be sent is with the broker; False if that did not happen in time."""
        self._flushed.clear()
        self._wake.set()
        try:
            await asyncio.wait_for(self._flushed.wait(), timeout_seconds)
        except TimeoutError:
            return False
        return True

    def _complain(self, reason: str) -> None:
        """Say why there is no connection, each reason once an outage."""
        if reason not in self._complaints:
            self._complaints.add(reason)
            what = "no connection to" if self._has_connected else "waiting for"
            LOGGER.info("%s the broker at %s (%s), trying again", what, self._participant.url.public, reason)

    def _refused(self, code: object) -> None:
        """The broker did not take a message: said once while a connection lasts."""
        reason = f"{code}"
        if reason not in self._complaints:
            self._complaints.add(reason)
            hint = "a node may write below its own name alone: is --node the name in its certificate?"
            LOGGER.warning("the broker at %s refuses messages (%s); %s", self._participant.url.public, reason, hint)

    def _new_name(self) -> Hashable:
        name = ("numbered", next(self._names))
        self._without_key.append(name)
        if len(self._without_key) > _MOST_WITHOUT_KEY:
            self._outgoing.pop(self._without_key.popleft(), None)
        return name

    def _enqueue(self, key: Hashable, message: _Outgoing) -> None:
        self._outgoing[key] = message
        self._wake.set()

    async def _tell(
        self, client: aiomqtt.Client | None, request: Callable[[aiomqtt.Client], Awaitable[object]]
    ) -> None:
        """Make a request if there is a connection; if it breaks, the next connect makes up for it."""
        if client is None:
            return
        try:
            await request(client)
        except aiomqtt.MqttError as error:
            LOGGER.debug("request to the broker failed: %s", error)

    async def _one_connection(self, attempts: _Backoff) -> None:
        """Connect, serve until the connection breaks (MqttError) or we are cancelled (clean DISCONNECT)."""
        self._epoch = self._participant.next_epoch()
        async with AsyncExitStack() as stack:
            if self._wide:
                wide = self._make_client(f"{self._identifier}-wide", self._gates.wide, at_once=_MOST_OF_A_FLOOD)
                self._wide_client = await stack.enter_async_context(_connection(wide))
            client = self._make_client(self._identifier, self._gates.own, self._make_will())
            self._client = await stack.enter_async_context(_connection(client))
            client.pending_calls_threshold = 1000
            own = sieved_socket_of(client)
            self._publisher = None if own is None else Publisher(own.send_between, self._receive_maximum)
            try:
                await self._serve(client, attempts)
            finally:
                self._client = self._wide_client = None
                self._take_back_what_is_under_way()

    async def _serve(self, client: aiomqtt.Client, attempts: _Backoff) -> None:
        clients = [client] if self._wide_client is None else [self._wide_client, client]
        readers = [asyncio.create_task(self._read(one)) for one in clients]
        tasks = [*readers, asyncio.create_task(self._write(client, attempts))]
        self._failed = failed = asyncio.get_running_loop().create_future()
        try:
            await asyncio.wait([*tasks, failed], return_when=asyncio.FIRST_COMPLETED)
            if not failed.done():
                # A write fails because the connection is gone; why it is gone, the reader knows.
                await asyncio.wait(readers, timeout=_REASON_SECONDS, return_when=asyncio.FIRST_COMPLETED)
        finally:
            await ended(*tasks)
            # All are asked, also when we are cancelled: both connections break when the broker goes.
            over = [one for one in (failed, *tasks) if one.done() and not one.cancelled()]
            errors = [error for one in over if (error := one.exception()) is not None]
        # What the listener raised goes before the end of a connection, which is tried again.
        for error in sorted(errors, key=lambda error: isinstance(error, aiomqtt.MqttError | OSError)):
            raise error

    async def _read(self, client: aiomqtt.Client) -> None:
        """Until the connection is gone (MqttError) or the listener failed; `_take` gets the messages."""
        async for _ in client.messages:
            pass

    def _take(self, message: aiomqtt.Message) -> None:
        properties, topic = message.properties, str(message.topic)
        named = tuple(getattr(properties, "UserProperty", ()))
        if self._is_guarded(topic):
            if not message.retain:  # what was retained before we connected is replaced anyway
                self._restore(topic)
            return
        verifier = self._participant.verifier
        if verifier is not None:
            try:
                verifier.check(topic, bytes(message.payload), dict(named))
            except RejectedError as error:
                self._listener.refused(topic, error)
                return
        self._listener.received(
            Incoming(
                topic=topic,
                payload=bytes(message.payload),
                response_topic=getattr(properties, "ResponseTopic", None),
                correlation=getattr(properties, "CorrelationData", None),
                is_retained=bool(message.retain),
                properties=named,
            )
        )

    def _make_sieve(self, gate: Gate) -> Sieve:
        return Sieve(
            gate,
            lambda count, topic: self._dropped(count, topic.decode(errors="replace")),
            self._take_past_the_library,
            lambda identifiers: None if self._publisher is None else self._publisher.acknowledged(identifiers),
        )

    def _take_past_the_library(self, topic: bytes, payload: bytes) -> None:
        """A message that the gate wants at once; what the listener raises ends `run`, as of any other message."""
        try:
            self._listener.received(Incoming(topic.decode(errors="replace"), payload))
        except Exception as error:  # noqa: BLE001
            if self._failed is not None and not self._failed.done():
                self._failed.set_exception(error)

    def _dropped(self, count: int, topic: str) -> None:
        self._listener.dropped(count, topic)
        if self._is_guarded(topic):
            self._restore(topic)

    def _is_guarded(self, topic: str) -> bool:
        """The wide connection has no guarded topics, and who guards none gets messages on its own topics."""
        return bool(self._guarded) and topic in self._retained

    def _restore(self, topic: str) -> None:
        self._on_overwritten(topic)
        self._overwritten.add(topic)
        if self._restoring is None:
            self._restoring = asyncio.get_running_loop().call_later(_RESTORED_AFTER_SECONDS, self._restore_all)

    def _restore_all(self) -> None:
        self._restoring = None
        for topic in self._overwritten & self._retained.keys():
            self._enqueue(("retained", topic), self._retained[topic])
        self._overwritten.clear()

    async def _write(self, client: aiomqtt.Client, attempts: _Backoff) -> None:
        if self._wide_client is not None:
            await _subscribe(self._wide_client, self._wide)
        self._told |= self._followed
        await _subscribe(client, [*self._subscriptions, *self._followed])
        await _subscribe(client, self._guarded, no_local=True)
        for topic, message in self._retained.items():
            self._outgoing.setdefault(("retained", topic), message)
        LOGGER.info("connected to the broker at %s", self._participant.url.public)
        attempts.began()
        self._has_connected = True
        self._complaints.clear()
        self._listener.connected()
        while True:
            await self._write_all(client)
            await self._stop_following(client)
            if self._outgoing:
                continue  # something was said meanwhile: who waits in `flush` waits for that, too
            self._flushed.set()
            await self._wake.wait()
            self._wake.clear()

    async def _write_all(self, client: aiomqtt.Client) -> None:
        """In their order, many at once: while others flood the broker, each acknowledgement takes its time."""
        if self._publisher is not None:
            await self._publish_all(client, self._publisher)
            return
        while self._outgoing:
            await self._start_following(client)
            batch = list(islice(self._outgoing.items(), _MOST_IN_FLIGHT))
            results = await asyncio.gather(
                *(self._write_one(client, key, message) for key, message in batch), return_exceptions=True
            )
            for result in results:
                if isinstance(result, BaseException):
                    raise result

    async def _publish_all(self, client: aiomqtt.Client, publisher: Publisher[_Outgoing]) -> None:
        """Until all that waits is with the broker."""
        while self._outgoing or publisher.under_way:
            await self._start_following(client)
            # Not one by one from the front: a dictionary looks past all that was taken out there before.
            for key in list(islice(self._outgoing, publisher.room)):
                message = self._outgoing.pop(key, None)
                if message is None:  # given up while a long one was written
                    continue
                payload = message.payload if isinstance(message.payload, bytes) else message.payload(self._epoch)
                if len(payload) > LONGEST_BYTES:
                    publisher.flush()
                    self._outgoing[key] = message
                    await self._write_one(client, key, message)
                else:
                    signed = self._signed(message.topic, payload)
                    publisher.add(key, message, payload, message.packed_properties(signed))
            publisher.flush()
            try:
                if publisher.under_way:
                    await publisher.until_moved(_ANSWER_SECONDS)
            except TimeoutError:
                raise aiomqtt.MqttError("the broker does not acknowledge what is published") from None

    def _take_back_what_is_under_way(self) -> None:
        """What the broker has not acknowledged is sent again on the next connection, ahead of what was said since."""
        if self._publisher is None:
            return
        self._publisher.end()
        again = dict(self._publisher.under_way.values())
        self._outgoing = {**again, **self._outgoing}
        self._publisher = None

    async def _start_following(self, client: aiomqtt.Client) -> None:
        if new := self._followed - self._told:
            self._told |= new
            await _subscribe(client, list(new))

    async def _stop_following(self, client: aiomqtt.Client) -> None:
        await self._start_following(client)
        old = list(self._told - self._followed)
        self._told -= set(old)
        await _unsubscribe(client, old)

    async def _write_one(self, client: aiomqtt.Client, key: Hashable, message: _Outgoing) -> None:
        payload = message.payload if isinstance(message.payload, bytes) else message.payload(self._epoch)
        signed = self._signed(message.topic, payload)
        await client.publish(
            message.topic,
            payload,
            qos=QOS,
            retain=message.retain,
            properties=message.properties(signed),
            timeout=_ANSWER_SECONDS,
        )
        # Replaced meanwhile by a newer one: that one is still to be sent.
        if self._outgoing.get(key) is message:
            del self._outgoing[key]

    def _signed(self, topic: str, payload: bytes) -> UserProperties:
        signer = self._participant.signer
        return () if signer is None else signer.properties(topic, payload)

    def _make_will(self) -> aiomqtt.Will | None:
        if self._participant.will is None:
            return None
        topic, payload = self._participant.will
        will = payload if isinstance(payload, bytes) else payload(self._epoch)
        return aiomqtt.Will(topic, will, qos=QOS, retain=True)

    def _make_client(
        self, identifier: str, gate: Gate | None, will: aiomqtt.Will | None = None, at_once: int = MOST_UNDER_WAY
    ) -> aiomqtt.Client:
        """at_once: messages that the broker sends before it has acknowledgements."""
        properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
        keeps = self._participant.keeps_session
        properties.SessionExpiryInterval = _BROKER_KEEPS_SECONDS if keeps else 0
        properties.MaximumPacketSize = LARGEST_PACKET_BYTES
        properties.ReceiveMaximum = at_once
        client = aiomqtt.Client(
            self._participant.url.host,
            self._participant.url.port,
            username=self._participant.url.username,
            password=self._participant.url.password,
            identifier=identifier,
            queue_type=cast("type[asyncio.Queue[aiomqtt.Message]]", lambda maxsize: _Handover(self._take)),
            logger=_CLIENT_LOGGER,
            protocol=aiomqtt.ProtocolVersion.V5,
            will=will,
            clean_start=not keeps,
            properties=properties,
            keepalive=_KEEPALIVE_SECONDS,
            socket_options=_SOCKET_OPTIONS,
            tls_context=context_of(self._participant.url),
        )
        if gate is not None:
            seconds = self._participant.pause_seconds if identifier == self._identifier else 0.0
            sieve_of(client, lambda: self._make_sieve(gate), PacedReading(client, seconds) if seconds else None)
        self._watch_refusals(client)
        self._watch_receive_maximum(client)
        _ignore_answers_nobody_waits_for(client)
        notice_end(client)
        return client

    def _watch_refusals(self, client: aiomqtt.Client) -> None:
        """aiomqtt takes a refused message for one that was sent; the user has to know, once a connection."""
        library = client._client
        acknowledged = library.on_publish

        def watched(*values: Any) -> None:
            code = getattr(values[3], "value", 0)
            if code >= _FAILURE:
                self._refused(values[3])
            if acknowledged is not None:
                acknowledged(*values)

        library.on_publish = watched

    def _watch_receive_maximum(self, client: aiomqtt.Client) -> None:
        """MQTT 5.0, 3.2.2.3.3: the library keeps what the broker says to itself."""
        library = client._client
        connected = library.on_connect

        def watched(*values: Any) -> None:
            self._receive_maximum = getattr(values[4], "ReceiveMaximum", MOST_UNDER_WAY)
            if connected is not None:
                connected(*values)

        library.on_connect = watched

    def _give_up_if_hopeless(self, error: Exception, reason: str, deadline: float) -> None:
        """reason: of the error, in words."""
        code = _reason_code(error)
        if code == _SESSION_TAKEN_OVER:
            raise BrokerError(
                f"another process has connected to {self._participant.url.public} as {self._participant.identifier}",
                "give each node a name of its own with --node",
            ) from error
        if self._has_connected:
            return
        refused = code is not None and code not in _PASSING
        if refused or asyncio.get_running_loop().time() >= deadline:
            raise BrokerError(
                f"there is no connection to the broker at {self._participant.url.public}: {reason}",
                self._participant.absent_hint,
            ) from error


def _ignore_answers_nobody_waits_for(client: aiomqtt.Client) -> None:
    """Of requests that were given up or cancelled: the library takes them for errors, with a traceback each."""
    library = client._client

    def watched(answered: Callable[..., None] | None, pending: Container[int]) -> Callable[..., None]:
        def on_answer(*values: Any) -> None:
            if answered is not None and values[2] in pending:
                answered(*values)

        return on_answer

    library.on_subscribe = watched(library.on_subscribe, client._pending_subscribes)
    library.on_unsubscribe = watched(library.on_unsubscribe, client._pending_unsubscribes)


async def _subscribe(client: aiomqtt.Client, topic_filters: Sequence[str], *, no_local: bool = False) -> None:
    """With few requests: what is retained then comes before what is published meanwhile.

    no_local: what this client publishes itself does not come back.
    """
    options = SubscribeOptions(qos=QOS, noLocal=no_local)
    for first in range(0, len(topic_filters), _MOST_FILTERS):
        some = topic_filters[first : first + _MOST_FILTERS]
        keep_identifiers_apart(client)
        await client.subscribe([(one, options) for one in some], timeout=_ANSWER_SECONDS)


async def _unsubscribe(client: aiomqtt.Client, topic_filters: Sequence[str]) -> None:
    for first in range(0, len(topic_filters), _MOST_FILTERS):
        keep_identifiers_apart(client)
        await client.unsubscribe(list(topic_filters[first : first + _MOST_FILTERS]), timeout=_ANSWER_SECONDS)


class _Backoff:
    """Pauses that double up to a ceiling, with a random part so that a fleet does not come back all at once."""

    def __init__(self) -> None:
        self._seconds = _BACKOFF_FIRST_SECONDS
        self._began_at: float | None = None
        self._short_connections = 0

    def began(self) -> None:
        """There is a connection."""
        self._began_at = time.monotonic()

    def ended(self) -> int:
        """An attempt is over; returns how many connections in a row were short."""
        if self._began_at is not None and time.monotonic() - self._began_at >= _STEADY_SECONDS:
            self._seconds, self._short_connections = _BACKOFF_FIRST_SECONDS, 0
        elif self._began_at is not None:
            self._short_connections += 1
        self._began_at = None
        return self._short_connections

    async def pause(self) -> None:
        """Wait before the next attempt."""
        await asyncio.sleep(self._seconds * random.uniform(0.5, 1.0))
        self._seconds = min(2 * self._seconds, _BACKOFF_CEILING_SECONDS)


def _from_now(seconds: float | None) -> float:
    """The event loop's time in so many seconds; None: never."""
    return math.inf if seconds is None else asyncio.get_running_loop().time() + seconds


def _reason_code(error: BaseException) -> int | None:
    """The MQTT 5 reason code the broker gave for refusing or ending a connection, if it gave one."""
    for candidate in (error, error.__cause__):
        value = getattr(getattr(candidate, "rc", None), "value", None)
        # Smaller ones are the client library's own numbers, of a lost socket for instance.
        if isinstance(value, int) and value >= _FAILURE:
            return value
    return None
