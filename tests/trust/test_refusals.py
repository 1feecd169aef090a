"""G3, G4, G5, G6, G10, G11 against a real mosquitto: each attempt is refused, with its reason in a log."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import socket
import ssl
import warnings
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import aiomqtt
import pytest
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from jaragua.errors import BrokerError
from jaragua.node.connection.check import check_broker
from jaragua.node.connection.session import Participant, Session
from jaragua.node.connection.tls import context_of, identifier_suffix
from jaragua.node.connection.url import BrokerUrl, TlsFiles
from jaragua.node.node import Node, NodeSettings
from jaragua.trust import signing_key
from jaragua.trust.authority import AuthorityFolder, now_utc
from jaragua.trust.signing import Signer
from jaragua.wire import messages
from jaragua.wire.topics import TopicKind, build
from jaragua_broker import Broker
from trust.fleet_authority import FLEET, Log, address, expired_identity, make_authority, secured_broker, until


@dataclass
class Fleet:
    """A broker with its authority."""

    authority: AuthorityFolder
    broker: Broker
    log: Log
    elsewhere: AuthorityFolder
    """Another fleet's authority."""

    def address(self, name: str) -> BrokerUrl:
        return address(self.authority, name, self.broker.url)


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    folder = tmp_path_factory.mktemp("trust")
    authority = make_authority(folder / "trust", "pi-1", "pi-2", "pi-3")
    expired_identity(authority, "old")
    authority.withdraw("pi-3", now_utc())
    elsewhere = make_authority(folder / "elsewhere", "pi-1", hosts=("127.0.0.9",))
    with secured_broker(authority, folder / "data") as broker:
        yield Fleet(authority, broker, Log(folder / "data" / "mosquitto.log"), elsewhere)


def client_of(url: BrokerUrl, identifier: str | None = None) -> aiomqtt.Client:
    return aiomqtt.Client(
        url.host,
        url.port,
        identifier=identifier,
        protocol=aiomqtt.ProtocolVersion.V5,
        tls_context=context_of(url),
        timeout=10,
    )


async def refused_by_the_broker(fleet: Fleet, url: BrokerUrl, *reason: str) -> None:
    """The broker does not let it in, and its log says why."""
    fleet_before = len(fleet.log.text())
    with pytest.raises(BrokerError) as caught:
        await check_broker(url)
    assert caught.value.message.startswith(f"the broker at {url.public} does not serve: ")
    tail = Log(fleet.log.path)
    await tail.says(*reason)
    assert len(fleet.log.text()) > fleet_before


def test_g3_an_identity_of_the_fleet_is_let_in(fleet: Fleet) -> None:
    assert asyncio.run(check_broker(fleet.address("pi-1"))) > 0


def test_g3_a_certificate_of_another_authority_is_refused(fleet: Fleet) -> None:
    other = fleet.elsewhere.identity_folder("pi-1")
    files = TlsFiles(fleet.authority.certificate, other / "certificate.crt", other / "private.key")
    url = replace(fleet.address("pi-1"), files=files)
    asyncio.run(refused_by_the_broker(fleet, url, "certificate verify failed"))


def test_g3_an_expired_certificate_is_refused(fleet: Fleet) -> None:
    asyncio.run(refused_by_the_broker(fleet, fleet.address("old"), "certificate verify failed"))


def test_g3_a_revoked_certificate_is_refused(fleet: Fleet) -> None:
    asyncio.run(refused_by_the_broker(fleet, fleet.address("pi-3"), "certificate verify failed"))


def test_g3_no_certificate_is_refused(fleet: Fleet) -> None:
    url = replace(fleet.address("pi-1"), files=TlsFiles(fleet.authority.certificate))
    asyncio.run(refused_by_the_broker(fleet, url, "peer did not return a certificate"))


def test_g3_a_broker_of_another_authority_is_refused(fleet: Fleet) -> None:
    own = fleet.authority.identity_folder("pi-1")
    files = TlsFiles(fleet.elsewhere.certificate, own / "certificate.crt", own / "private.key")
    with pytest.raises(BrokerError, match="does not serve: its certificate is not of the authority"):
        asyncio.run(check_broker(replace(fleet.address("pi-1"), files=files)))
    asyncio.run(fleet.log.says("alert unknown ca"))


def test_g3_a_broker_with_another_name_is_refused(fleet: Fleet) -> None:
    """127.0.0.2 reaches no broker here, so a name that leads to this one and is not in its certificate is used."""
    url = replace(fleet.address("pi-1"), host="ip6-localhost")
    context = context_of(url)
    assert context is not None

    with (
        socket.create_connection(("127.0.0.1", url.port)) as line,
        pytest.raises(ssl.SSLCertVerificationError, match="not valid for 'ip6-localhost'"),
    ):
        context.wrap_socket(line, server_hostname=url.host)
    asyncio.run(fleet.log.says("alert bad certificate"))


def test_g3_tls_1_1_is_refused(fleet: Fleet) -> None:
    url = fleet.address("pi-1")
    context = context_of(url)
    assert context is not None
    assert context.minimum_version is ssl.TLSVersion.TLSv1_2
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = ssl.TLSVersion.TLSv1
        context.maximum_version = ssl.TLSVersion.TLSv1_1
    context.set_ciphers("ALL:@SECLEVEL=0")

    async def handshake() -> None:
        await asyncio.open_connection("127.0.0.1", url.port, ssl=context, server_hostname=url.host)

    with pytest.raises((ssl.SSLError, ConnectionError)):
        asyncio.run(handshake())
    asyncio.run(fleet.log.says("unsupported protocol"))


@asynccontextmanager
async def listening(url: BrokerUrl, *topics: str) -> AsyncIterator[list[tuple[str, bytes]]]:
    """What a client gets of these topics while the block lasts."""
    got: list[tuple[str, bytes]] = []
    async with client_of(url) as client:
        for topic in topics:
            await client.subscribe(topic, qos=1)

        async def read() -> None:
            async for message in client.messages:
                got.append((str(message.topic), bytes(message.payload)))

        reader = asyncio.create_task(read())
        try:
            yield got
        finally:
            reader.cancel()


UPDATE_OF_PI_1 = build(TopicKind.UPDATE, FLEET, node="pi-1", run="r", round=1)
COMMAND_OF_PI_1 = build(TopicKind.COMMAND, FLEET, node="pi-1", verb="train")
RUN = build(TopicKind.RUN, FLEET)
ONLY_THE_COORDINATOR = [
    RUN,
    COMMAND_OF_PI_1,
    build(TopicKind.COMMAND, FLEET, node="pi-2", verb="train"),
    build(TopicKind.BLOB, FLEET, sha256="ab" * 32),
    build(TopicKind.DIFFERENCE, FLEET, sha256="ab" * 32),
    build(TopicKind.ACK, FLEET, node="pi-2", run="r", round=1),
    build(TopicKind.HOST_STATE, FLEET),
    build(TopicKind.HOST_CLAIM, FLEET),
]


@pytest.mark.parametrize("topic", [UPDATE_OF_PI_1, build(TopicKind.NODE_STATE, FLEET, node="pi-1"), "other/topic"])
def test_g4_a_forged_topic_is_refused(fleet: Fleet, topic: str) -> None:
    """The coordinator, who reads it, gets what pi-1 sends there and not what pi-2 sends."""
    asyncio.run(_nobody_gets(fleet, topic))


@pytest.mark.parametrize("topic", ONLY_THE_COORDINATOR)
def test_g5_publishing_as_the_coordinator_is_refused(fleet: Fleet, topic: str) -> None:
    asyncio.run(_nobody_gets(fleet, topic))


async def _nobody_gets(fleet: Fleet, topic: str) -> None:
    mark = f"jaragua/1/check/{hashlib.sha256(topic.encode()).hexdigest()[:8]}"
    async with (
        listening(fleet.address("coordinator"), topic, mark) as of_coordinator,
        listening(fleet.address("pi-1"), topic, mark) as of_pi_1,
        client_of(fleet.address("pi-2")) as forger,
    ):
        await forger.publish(topic, b"forged", qos=1, retain=True)
        await forger.publish(mark, b"", qos=1)
        await until(lambda: (mark, b"") in of_coordinator and (mark, b"") in of_pi_1)
        assert of_coordinator == of_pi_1 == [(mark, b"")]
    await fleet.log.says("refused: pi-2 may not write", topic)


def test_g4_reading_another_s_commands_is_refused(fleet: Fleet) -> None:
    async def reads() -> None:
        own = build(TopicKind.COMMAND, FLEET, node="pi-2", verb="train")
        everything = "jaragua/#"
        async with (
            listening(fleet.address("pi-2"), COMMAND_OF_PI_1, own, everything) as got,
            client_of(fleet.address("coordinator")) as coordinator,
        ):
            await coordinator.publish(COMMAND_OF_PI_1, b"secret", qos=1)
            await coordinator.publish(own, b"for pi-2", qos=1)
            await until(lambda: (own, b"for pi-2") in got)
            assert {payload for _, payload in got} == {b"for pi-2"}
        await fleet.log.says("refused: pi-2 may not read", COMMAND_OF_PI_1)
        await fleet.log.says("refused: pi-2 may not read", everything)
        assert f"pi-2 may not read all of {own}" not in fleet.log.text()

    asyncio.run(reads())


class Listener:
    """What a session brings."""

    def __init__(self) -> None:
        self.got: list[bytes] = []
        self.connections = 0

    def connected(self) -> None:
        self.connections += 1

    def received(self, message: Any) -> None:
        self.got.append(message.payload)

    def dropped(self, count: int, topic: str) -> None: ...

    def refused(self, topic: str, error: Exception) -> None: ...


def test_g6_a_session_is_not_taken_by_another_identity(fleet: Fleet) -> None:
    """pi-2 connects under the identifier that pi-1 had without a key; pi-1's session goes on and gets its command."""

    async def steal() -> None:
        url, listener = fleet.address("pi-1"), Listener()
        will = build(TopicKind.NODE_STATE, FLEET, node="pi-1"), b"gone"
        session = Session(Participant(url, "jaragua-home-pi-1", will, lambda: 1), listener)
        session.listen(COMMAND_OF_PI_1)
        running = asyncio.create_task(session.run())
        try:
            await until(lambda: listener.connections == 1)
            for identifier in ("jaragua-home-pi-1", "jaragua-home-pi-1-wide"):
                async with client_of(fleet.address("pi-2"), identifier):
                    pass
            async with client_of(fleet.address("coordinator")) as coordinator:
                await coordinator.publish(COMMAND_OF_PI_1, b"for pi-1", qos=1)
                await until(lambda: listener.got == [b"for pi-1"])
            assert listener.connections == 1
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)

    asyncio.run(steal())
    own, other = (identifier_suffix(fleet.address(name)) for name in ("pi-1", "pi-2"))
    assert len(own) == 17
    assert own != other


# ---- what the coordinator signs ----

BLOB = b"weights"
BLOB_HASH = hashlib.sha256(BLOB).digest()


def announcement(run: str) -> bytes:
    return messages.encode(messages.RunState(run, 1, 2, "training", "digits", "00", BLOB_HASH, 0, 1))


def properties_of(pairs: list[tuple[str, str]]) -> Properties:
    found = Properties(PacketTypes.PUBLISH)
    found.UserProperty = pairs
    return found


@dataclass
class Signed:
    """A node that verifies, and a client with all rights at the broker, as a broker's own operator has them."""

    node: Node
    broker_side: aiomqtt.Client

    async def publish(self, topic: str, payload: bytes, pairs: list[tuple[str, str]]) -> None:
        await self.broker_side.publish(topic, payload, qos=1, properties=properties_of(pairs) if pairs else None)

    @property
    def run(self) -> str:
        return self.node._run.run if self.node._run is not None else ""


@asynccontextmanager
async def verifying_node(fleet: Fleet, data: Path) -> AsyncIterator[Signed]:
    key = signing_key.public_key(fleet.authority.folder / "coordinator.pub")
    settings = NodeSettings(
        fleet.address("pi-1"), FLEET, "pi-1", "pi", model="digits", data_dir=data, coordinator_key=key
    )
    node = Node(settings)
    async with client_of(fleet.address("coordinator")) as coordinator:
        running = asyncio.create_task(node.run())
        try:
            await until(lambda: node._session.is_connected and node._session._has_connected)
            yield Signed(node, coordinator)
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)


def signer_of(fleet: Fleet, now_ms: int) -> Signer:
    return signing_key.open_signer(fleet.authority.folder / "signing.key", now_ms)


def counts(node: Node) -> dict[str, int]:
    return dict(node._rejections.counts())


def test_g10_what_is_not_signed_is_not_used(fleet: Fleet, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Of one who has all rights at the broker but not the coordinator's key: nothing, damaged, or moved elsewhere."""
    caplog.set_level(logging.WARNING)

    async def forge() -> None:
        signer = signer_of(fleet, 1_000)
        async with verifying_node(fleet, tmp_path) as signed:
            await signed.publish(RUN, announcement("unsigned"), [])
            await until(lambda: counts(signed.node).get("signature", 0) >= 1)
            pairs = signer.properties(RUN, announcement("true"))
            await signed.publish(RUN, announcement("changed"), pairs)
            await signed.publish(COMMAND_OF_PI_1, announcement("true"), pairs)
            await signed.publish(RUN, announcement("x"), [("jaragua-stamp", "x"), ("jaragua-signature", "é")])
            await until(lambda: counts(signed.node).get("signature", 0) >= 4)
            assert signed.run == ""
            await signed.publish(RUN, announcement("true"), pairs)
            await until(lambda: signed.run == "true")

    asyncio.run(forge())
    assert "signature: it is not signed" in caplog.text


def test_g11_a_replayed_announcement_is_refused(fleet: Fleet, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Sent by one who has all rights at the broker; also after the node was started again."""
    caplog.set_level(logging.WARNING)

    async def replay() -> None:
        first, second = signer_of(fleet, 2_000), signer_of(fleet, 3_000)
        old, new = first.properties(RUN, announcement("old")), second.properties(RUN, announcement("new"))
        async with verifying_node(fleet, tmp_path) as signed:
            await signed.publish(RUN, announcement("old"), old)
            await until(lambda: signed.run == "old")
            await signed.publish(RUN, announcement("new"), new)
            await until(lambda: signed.run == "new")
            await signed.publish(RUN, announcement("old"), old)
            await until(lambda: counts(signed.node).get("replay", 0) >= 1)
            assert signed.run == "new"
        async with verifying_node(fleet, tmp_path) as signed:
            await signed.publish(RUN, announcement("old"), old)
            await until(lambda: counts(signed.node).get("replay", 0) >= 1)
            assert signed.run == ""

    asyncio.run(replay())
    assert "replay: it was signed as 2000.1, before 3000.1" in caplog.text


def test_g11_a_replayed_blob_is_refused(fleet: Fleet, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Its bytes are those of its name, and its signature is genuine: of an earlier generation."""
    caplog.set_level(logging.WARNING)
    topic = build(TopicKind.BLOB, FLEET, sha256=BLOB_HASH.hex())

    async def replay() -> None:
        first, second = signer_of(fleet, 4_000), signer_of(fleet, 5_000)
        old, new = first.properties(topic, BLOB), second.properties(RUN, announcement("new"))
        async with verifying_node(fleet, tmp_path) as signed:
            await signed.publish(RUN, announcement("new"), new)
            await until(lambda: signed.run == "new")
            fetching = asyncio.create_task(signed.node._blobs.fetch(BLOB_HASH, 20.0))
            await until(lambda: topic in signed.node._session._subscriptions)
            await signed.broker_side.publish(topic, BLOB, qos=1, retain=True, properties=properties_of(old))
            await until(lambda: counts(signed.node).get("replay", 0) >= 1)
            assert not fetching.done()
            fresh = properties_of(second.properties(topic, BLOB))
            await signed.broker_side.publish(topic, BLOB, qos=1, retain=True, properties=fresh)
            assert await fetching == BLOB

    asyncio.run(replay())
    assert "replay: it was signed in generation 4000, before 5000" in caplog.text
