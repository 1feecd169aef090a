"""The coordinator's connection: one at a time in a fleet, and what it makes of messages it cannot read."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import aiomqtt
import pytest

from jaragua.coordinator.connection.fleet import Arrived, Fleet, FleetEvent, split_update
from jaragua.errors import BrokerError, ProtocolError
from jaragua.wire.messages import HostState, UpdateHeader, decode, encode, pack_update
from jaragua_broker import Broker
from limits import GENEROUS_S


def test_what_a_dead_coordinator_leaves_behind_is_put_right(broker: Broker, fleet: str) -> None:
    """M8: its will says offline, after its successor has said online."""
    topic = f"jaragua/1/{fleet}/host/$state"
    will = encode(HostState(online=False, ts=1, epoch=1, since=1))

    async def everything() -> None:
        async with Fleet(broker.url, fleet), aiomqtt.Client("127.0.0.1", broker.port) as watcher:
            await watcher.publish(topic, will, qos=1, retain=True)
            await watcher.subscribe(topic)
            async with asyncio.timeout(GENEROUS_S):
                async for message in watcher.messages:
                    if decode(HostState, bytes(message.payload)).online:
                        return

    asyncio.run(everything())


@pytest.mark.parametrize(
    ("topic", "payload"),
    [
        ("node/gateway-1/$state", b"\xff"),
        ("node/gateway-1/$state", b"\xa1"),
        ("node/gateway-1/dev/board-1/$state", b"not cbor"),
        ("node/gateway-1/up/run-1/1", b""),
        ("node/gateway-1/up/run-1/1", b"\xff\xff" + bytes(40)),
        ("node/Gateway 1/up/run-1/1", bytes(40)),
        ("node/gateway-1/up/run-1/01", bytes(40)),
    ],
)
def test_a_message_that_cannot_be_read_is_counted_and_dropped(
    broker: Broker, fleet: str, topic: str, payload: bytes
) -> None:
    """R4."""

    async def everything() -> int:
        async with Fleet(broker.url, fleet) as listening, aiomqtt.Client("127.0.0.1", broker.port) as stranger:
            await stranger.publish(f"jaragua/1/{fleet}/{topic}", payload, qos=1)
            async with asyncio.timeout(GENEROUS_S):
                while not listening.rejections.total:
                    await asyncio.sleep(0.01)
            assert listening.is_connected
            assert listening.roster.present() == {}
            return listening.rejections.total

    assert asyncio.run(everything()) == 1


@pytest.mark.parametrize("payload", [b"", b"\0", b"\0\0", b"\x05\0abc", b"\x01\0\xff"])
def test_an_update_without_a_readable_header_is_a_named_error(payload: bytes) -> None:
    with pytest.raises(ProtocolError):
        split_update(payload)


def test_a_broker_url_that_is_none_is_named() -> None:
    with pytest.raises(BrokerError, match="scheme"):
        Fleet("http://example.org", "home")


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(GENEROUS_S):
        while not condition():
            await asyncio.sleep(0.01)


async def send_update(stranger: aiomqtt.Client, fleet: str, number: int) -> None:
    header = UpdateHeader("r1", number, "pi-1", 1, bytes(32), "blob", 4, 0.5, "mse", 0.5, 0, 3, bytes(32))
    await stranger.publish(f"jaragua/1/{fleet}/node/pi-1/up/r1/{number}", pack_update(header, b"abc"), qos=1)


def test_p3_an_update_that_is_waited_for_comes_once_though_two_connections_bring_it(broker: Broker, fleet: str) -> None:
    seen: list[FleetEvent] = []

    def rounds() -> list[int]:
        return sorted(one.header.round for one in seen if isinstance(one, Arrived))

    async def everything() -> None:
        async with (
            Fleet(broker.url, fleet, on_happening=seen.append) as coordinator,
            aiomqtt.Client("127.0.0.1", broker.port) as stranger,
        ):
            coordinator.expect("r1", {("pi-1", "pi-1", 3)})
            await coordinator.flush()
            await send_update(stranger, fleet, 3)
            await send_update(stranger, fleet, 4)  # behind the other copy of 3
            await until(lambda: len(rounds()) == 2)
            coordinator.expect("r1", {("pi-1", "pi-1", 5)})
            await coordinator.flush()
            await send_update(stranger, fleet, 5)
            await send_update(stranger, fleet, 6)
            await until(lambda: len(rounds()) == 4)
            assert rounds() == [3, 4, 5, 6]
            assert coordinator.rejections.total == 0

    asyncio.run(everything())


def test_m6_what_is_waited_for_is_subscribed_to_again_after_the_broker_lost_it(fleet: str) -> None:
    seen: list[FleetEvent] = []

    async def everything(first: Broker) -> None:
        async with Fleet(first.url, fleet, on_happening=seen.append) as coordinator:
            coordinator.expect("r1", {("pi-1", "pi-1", 3)})
            await coordinator.flush()
            port = first.port
            first.stop()
            await until(lambda: not coordinator.is_connected)
            with Broker(port=port):
                await until(lambda: coordinator.is_connected)
                await coordinator.flush()
                async with aiomqtt.Client("127.0.0.1", port) as stranger:
                    await send_update(stranger, fleet, 3)
                    await until(lambda: bool(seen))

    with Broker() as broker:
        asyncio.run(everything(broker))
