"""M16.5: messages that go past the client library: packets, identifiers, what is under way, and what is sent again."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, cast

import pytest
from paho.mqtt.client import Client, MQTTv5
from paho.mqtt.enums import CallbackAPIVersion

from jaragua.node.connection.publisher import MOST_UNDER_WAY, Publisher, publish_packet
from jaragua.node.connection.session import _MOST_OF_A_FLOOD, Incoming, Participant, Session, _Outgoing
from jaragua.node.connection.sieve import FIRST_OWN_IDENTIFIER
from jaragua.node.connection.url import parse_broker_url
from jaragua.node.program import ended
from jaragua.wire.rejections import RejectedError
from jaragua_broker import Broker, configuration
from limits import GENEROUS_S

SIGNED = (("jrg-key", "a" * 40), ("jrg-signature", "ä" * 9))


@dataclass
class Socket:
    """Takes so many writes, then nothing until it is told to."""

    takes: bool = True
    sent: bytes = b""
    waiting: bytes = b""

    def send(self, packets: bytes) -> bool:
        self.waiting += packets
        if self.takes:
            self.sent, self.waiting = self.sent + self.waiting, b""
        return not self.waiting


def as_the_library_sends(message: _Outgoing, payload: bytes, identifier: int) -> bytes:
    """The packet that paho-mqtt makes of the same."""
    client, packets = Client(CallbackAPIVersion.VERSION2, protocol=MQTTv5), []
    client._sock = cast("Any", object())  # it has a connection
    client._packet_queue = lambda command, packet, *more: packets.append(bytes(packet))  # type: ignore[method-assign]
    client._send_publish(
        identifier, message.topic.encode(), payload, 1, message.retain, properties=message.properties(SIGNED)
    )
    client._sock = None
    return cast(bytes, packets[-1])


@pytest.mark.parametrize("size", [0, 1, 127, 128, 16_383, 16_384])
@pytest.mark.parametrize(
    "message",
    [
        _Outgoing("a/b", b""),
        _Outgoing("ä/b", b"", retain=True),
        _Outgoing("a/b", b"", expiry_seconds=77),
        _Outgoing("a/b", b"", response_topic="r/1", correlation=b"\x00\x01", expiry_seconds=2**31),
    ],
    ids=["plain", "retained", "expiry", "all"],
)
def test_a_packet_is_the_librarys(message: _Outgoing, size: int) -> None:
    payload, identifier = bytes(size), 0x8123
    ours, theirs = (
        publish_packet(message, payload, identifier, message.packed_properties(SIGNED)),
        as_the_library_sends(message, payload, identifier),
    )
    assert len(ours) == len(theirs)
    assert sorted(ours) == sorted(theirs)  # the order of properties is free
    assert ours[:4] == theirs[:4]


def test_so_many_are_under_way_and_no_more_until_the_broker_acknowledges() -> None:
    async def story() -> None:
        socket = Socket()
        publisher: Publisher[_Outgoing] = Publisher(socket.send)
        for number in range(MOST_UNDER_WAY):
            assert publisher.room
            publisher.add(number, _Outgoing("a", b"x"), b"x")
        publisher.flush()
        assert not publisher.room
        assert socket.sent.count(b"\x00\x01a") == MOST_UNDER_WAY
        assert min(publisher.under_way) == FIRST_OWN_IDENTIFIER
        publisher.acknowledged([FIRST_OWN_IDENTIFIER + 3])
        publisher.acknowledged([FIRST_OWN_IDENTIFIER + 3] * 2)  # a broker that says it twice
        assert publisher.room == 1
        with pytest.raises(TimeoutError):
            await publisher.until_moved(0.01)

    asyncio.run(story())


def test_m16_5_a_broker_that_takes_fewer_gets_fewer(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The receive maximum of its CONNACK is the number of messages under way."""
    monkeypatch.setattr(configuration, "Limits", partial(configuration.Limits, max_inflight_messages=7))
    publisher: Publisher[_Outgoing] = Publisher(Socket().send, 7)
    for number in range(7):
        assert publisher.room
        publisher.add(number, _Outgoing("a", b"x"), b"x")
    assert not publisher.room

    class Quiet:
        def __init__(self) -> None:
            self.is_connected = asyncio.Event()

        def connected(self) -> None:
            self.is_connected.set()

        def received(self, message: Incoming) -> None: ...

        def dropped(self, count: int, topic: str) -> None: ...

        def refused(self, topic: str, error: RejectedError) -> None: ...

    async def found(url: str) -> int:
        quiet = Quiet()
        session = Session(Participant(parse_broker_url(url), "fewer", None, lambda: 1), quiet)
        running = asyncio.create_task(session.run())
        try:
            await asyncio.wait_for(quiet.is_connected.wait(), GENEROUS_S)
            return session._receive_maximum
        finally:
            await ended(running)

    with Broker(data_dir=tmp_path) as broker:
        assert asyncio.run(found(broker.url)) == 7


def test_m16_8_a_wide_connection_has_fewer_messages_under_way() -> None:
    """The receive maximum that each connection asks for."""
    session = Session(Participant(parse_broker_url("mqtt://127.0.0.1"), "wide", None, lambda: 1), cast("Any", None))

    async def asked(**options: int) -> int:
        found: int = session._make_client("x", None, **options)._properties.ReceiveMaximum
        return found

    assert asyncio.run(asked()) == MOST_UNDER_WAY
    assert asyncio.run(asked(at_once=_MOST_OF_A_FLOOD)) == 64


def test_identifiers_begin_again_and_pass_over_those_under_way() -> None:
    publisher: Publisher[_Outgoing] = Publisher(Socket().send)
    publisher.add("first", _Outgoing("a", b""), b"")
    for number in range(FIRST_OWN_IDENTIFIER, 0xFFFF):
        publisher.add(number, _Outgoing("a", b""), b"")
        publisher.acknowledged([number + 1])
    publisher.add("last", _Outgoing("a", b""), b"")
    assert {key for key, _ in publisher.under_way.values()} == {"first", "last"}
    assert set(publisher.under_way) == {FIRST_OWN_IDENTIFIER, FIRST_OWN_IDENTIFIER + 1}


def test_what_the_socket_does_not_take_goes_soon() -> None:
    async def story() -> None:
        socket = Socket(takes=False)
        publisher: Publisher[_Outgoing] = Publisher(socket.send)
        publisher.add("a", _Outgoing("a", b""), b"")
        publisher.flush()
        assert socket.sent == b""
        socket.takes = True
        async with asyncio.timeout(30):
            while not socket.sent:
                await asyncio.sleep(0.005)
        publisher.end()

    asyncio.run(story())
