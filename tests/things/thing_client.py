"""A client of Things over MQTT that is given a Thing Description and nothing else: no topic, no message of Jaragua."""

from __future__ import annotations

import asyncio
import json
import re
import ssl
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote, urlsplit

import aiomqtt
import cbor2
import jsonschema

SECONDS = 60.0


@dataclass(frozen=True)
class Credentials:
    """What a person adds to a description: a user with a password, or certificates."""

    user: str | None = None
    password: str | None = None
    tls: ssl.SSLContext | None = None


class ThingClient:
    """One Thing; `async with` connects to the broker that its forms name."""

    def __init__(self, description: dict[str, Any], credentials: Credentials | None = None) -> None:
        self._description = description
        credentials = credentials or Credentials()
        first = next(iter(description["properties"].values()))["forms"][0]["href"]
        broker = urlsplit(first)
        scheme = description["securityDefinitions"][description["security"][0]]["scheme"]
        assert (scheme == "basic") == (credentials.user is not None)
        assert (broker.scheme == "mqtts") == (credentials.tls is not None)
        self._client = aiomqtt.Client(
            broker.hostname or "",
            broker.port or 1883,
            username=credentials.user,
            password=credentials.password,
            tls_context=credentials.tls,
        )
        self._waiting: dict[str, asyncio.Queue[bytes]] = {}
        self._reading: asyncio.Task[None] | None = None

    async def __aenter__(self) -> ThingClient:
        await self._client.__aenter__()
        self._reading = asyncio.create_task(self._read())
        return self

    async def __aexit__(self, *error: object) -> None:
        assert self._reading is not None
        self._reading.cancel()
        await asyncio.wait([self._reading])
        await self._client.__aexit__(None, None, None)

    async def read(self, name: str) -> Any:
        """The value of a property that the broker keeps."""
        return await self._first_value(name, "readproperty")

    async def observe(self, name: str) -> Any:
        """The next value of a property."""
        return await self._first_value(name, "observeproperty")

    async def subscribe(self, name: str, **variables: str) -> Subscription:
        """An event, from now on."""
        event = self._description["events"][name]
        return await self._subscribed(event["forms"], "subscribeevent", event["data"], variables)

    async def invoke(self, name: str, argument: Any, **variables: str) -> None:
        """An action, whose input is published."""
        action = self._description["actions"][name]
        jsonschema.validate(argument, action["input"])
        await self.invoke_unchecked(name, argument, **variables)

    async def invoke_unchecked(self, name: str, argument: Any, **variables: str) -> None:
        """The same with an input that the description may forbid."""
        form = form_for(self._description["actions"][name]["forms"], "invokeaction")
        assert form["mqv:controlPacket"] == "publish"
        await self._client.publish(topic_of(form, variables), packed(form, argument), qos=int(form["mqv:qos"]))

    async def _first_value(self, name: str, operation: str) -> Any:
        affordance = self._description["properties"][name]
        subscription = await self._subscribed(affordance["forms"], operation, affordance, {})
        return await subscription.next()

    async def _subscribed(
        self, forms: list[dict[str, Any]], operation: str, schema: dict[str, Any], variables: dict[str, str]
    ) -> Subscription:
        form = form_for(forms, operation)
        assert form["mqv:controlPacket"] == "subscribe"
        topic = topic_of(form, variables)
        assert topic == filled(form["mqv:filter"], variables)
        queue = self._waiting[topic] = asyncio.Queue()
        await self._client.subscribe(topic, qos=int(form["mqv:qos"]))
        return Subscription(queue, form, schema)

    async def _read(self) -> None:
        async for message in self._client.messages:
            queue = self._waiting.get(str(message.topic))
            if queue is not None:
                queue.put_nowait(bytes(message.payload))


@dataclass(frozen=True)
class Subscription:
    """What comes on the topic of one form, checked against the description's schema."""

    queue: asyncio.Queue[bytes]
    form: dict[str, Any]
    schema: dict[str, Any]

    async def next(self) -> Any:
        async with asyncio.timeout(SECONDS):
            value = unpacked(self.form, await self.queue.get())
        kept = ("type", "properties", "required", "items", "enum")
        jsonschema.validate(value, {key: self.schema[key] for key in kept if key in self.schema})
        return value


def form_for(forms: list[dict[str, Any]], operation: str) -> dict[str, Any]:
    return next(form for form in forms if operation in ([form["op"]] if isinstance(form["op"], str) else form["op"]))


def topic_of(form: dict[str, Any], variables: dict[str, str]) -> str:
    return unquote(filled(urlsplit(form["href"]).path, variables)).removeprefix("/")


def filled(template: str, variables: dict[str, str]) -> str:
    return re.sub(r"\{(\w+)\}", lambda found: variables[found[1]], template)


def packed(form: dict[str, Any], value: Any) -> bytes:
    return json.dumps(value).encode() if form["contentType"] == "application/json" else cbor2.dumps(value)


def unpacked(form: dict[str, Any], payload: bytes) -> Any:
    return json.loads(payload) if form["contentType"] == "application/json" else cbor2.loads(payload)
