"""What a broker keeps of a fleet now: all retained messages of some topics, read once."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Sequence
from typing import Final

import aiomqtt

from jaragua.errors import BrokerError
from jaragua.node.connection.check import plain_client
from jaragua.node.connection.url import BrokerUrl
from jaragua.reasons import reason_of
from jaragua.wire.topics import CHECK_FILTER

_SECONDS: Final = 30.0
#: Of one reading; what a flood brings beyond it is left.
_MOST_TOPICS: Final = 20_000


async def retained(url: BrokerUrl, filters: Sequence[str]) -> dict[str, bytes]:
    """Topic -> payload of what the broker keeps under the filters. Raises: BrokerError.

    A message of one's own comes back after all that was kept when the subscription was made.
    """
    mark = CHECK_FILTER.replace("+", secrets.token_hex(8))
    try:
        async with asyncio.timeout(_SECONDS), plain_client(url) as client:
            await client.subscribe([(one, 1) for one in (*filters, mark)])
            await client.publish(mark, b"", qos=1)
            return await _until(client, mark)
    except TimeoutError as error:
        raise BrokerError(f"the broker at {url.public} says nothing for {_SECONDS:.0f} s", "try again") from error
    except aiomqtt.MqttError as error:
        message = f"the fleet at {url.public} cannot be read: {reason_of(error)}"
        raise BrokerError(message, "start a broker with `jaragua broker start`, or check the URL") from error


async def _until(client: aiomqtt.Client, mark: str) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    async for message in client.messages:
        topic = str(message.topic)
        if topic == mark:
            break
        if isinstance(message.payload, bytes) and message.payload and len(found) < _MOST_TOPICS:
            found[topic] = message.payload
    return found
