"""Is there a broker, does it speak MQTT 5, and does it let us in?"""

from __future__ import annotations

import asyncio
import secrets
import time

import aiomqtt

from jaragua.errors import BrokerError
from jaragua.node.connection.tls import context_of
from jaragua.node.connection.tls_refusals import in_words, notice_end
from jaragua.node.connection.url import BrokerUrl
from jaragua.reasons import reason_of

_TIMEOUT_SECONDS = 5.0


async def check_broker(url: BrokerUrl) -> float:
    """Send a message through the broker and back; returns its way in milliseconds. BrokerError says what failed."""
    topic = f"jaragua/1/check/{secrets.token_hex(8)}"
    try:
        async with asyncio.timeout(_TIMEOUT_SECONDS), plain_client(url) as client:
            await client.subscribe(topic, qos=1)
            start = time.perf_counter()
            await client.publish(topic, b"", qos=1)
            async for _ in client.messages:
                break
            return 1000.0 * (time.perf_counter() - start)
    except TimeoutError as error:
        raise _failure(url, f"no answer within {_TIMEOUT_SECONDS:.0f} s") from error
    except aiomqtt.MqttError as error:
        raise _failure(url, await asyncio.to_thread(in_words, reason_of(error), url)) from error


def plain_client(url: BrokerUrl) -> aiomqtt.Client:
    """A connection without a session: for what only reads, and for this check."""
    client = aiomqtt.Client(
        url.host,
        url.port,
        username=url.username,
        password=url.password,
        protocol=aiomqtt.ProtocolVersion.V5,
        tls_context=context_of(url),
    )
    notice_end(client)
    return client


def _failure(url: BrokerUrl, reason: str) -> BrokerError:
    return BrokerError(
        f"the broker at {url.public} does not serve: {reason}",
        "start one with `jaragua broker start`, or check the URL",
    )
