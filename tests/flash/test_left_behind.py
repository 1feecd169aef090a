"""M52: what a killed `jaragua flash --fleet` has put on the broker does not stay there."""

from __future__ import annotations

import asyncio
import hashlib

import aiomqtt
import pytest

from jaragua.flash.fleet import sender
from jaragua.flash.fleet.sender import Sender
from jaragua.node.connection.url import parse_broker_url
from jaragua.node.program import ended
from jaragua.wire.topics import TopicKind, build
from jaragua_broker import Broker
from limits import GENEROUS_S

IMAGE = b"an image"
EXPIRES_S = 3
TOPIC = build(TopicKind.BLOB, "home", sha256=hashlib.sha256(IMAGE).hexdigest())


def client(url: str) -> aiomqtt.Client:
    return aiomqtt.Client("127.0.0.1", int(url.rpartition(":")[2]), protocol=aiomqtt.ProtocolVersion.V5)


async def is_there(url: str) -> bool:
    """Whether the broker has the image for who comes now: what it has comes before the answer to the second message."""
    async with client(url) as asker:
        await asker.subscribe([(TOPIC, 1), ("check", 1)])
        await asker.publish("check", b"", qos=1)
        async for message in asker.messages:
            if str(message.topic) == TOPIC:
                return bool(message.payload)
            return False
    return False


def test_m52_an_image_is_renewed_while_its_sender_lives_and_expires_when_it_was_killed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sender, "IMAGE_S", EXPIRES_S)

    async def story(url: str) -> None:
        async with asyncio.timeout(GENEROUS_S), client(url) as watcher:
            await watcher.subscribe(TOPIC, qos=1)
            killed = await Sender(parse_broker_url(url), "home", None).__aenter__()
            await killed.publish(IMAGE)
            for _ in range(sender._RENEWALS + 2):  # so it lives longer than one message does
                assert (await anext(watcher.messages)).payload == IMAGE
            assert await is_there(url)
            assert killed._task is not None
            assert killed._renewing is not None
            await ended(killed._task, killed._renewing)  # as SIGKILL does: nothing is cleared
            while await is_there(url):
                await asyncio.sleep(0.2)

    with Broker() as broker:
        asyncio.run(story(broker.url))


def test_m40_an_image_is_cleared_at_the_end() -> None:
    async def story(url: str) -> None:
        async with Sender(parse_broker_url(url), "home", None) as well:
            await well.publish(IMAGE)
            assert await is_there(url)
        assert not await is_there(url)

    with Broker() as broker:
        asyncio.run(story(broker.url))
