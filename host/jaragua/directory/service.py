"""Reads the Thing Descriptions of a fleet from its broker and offers them to the graph (semantics.md, S4.1)."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from typing import Any, Final

import aiomqtt

from jaragua.node.connection.check import plain_client
from jaragua.node.connection.url import BrokerUrl
from jaragua.printable import printable
from jaragua.reasons import reason_of
from jaragua.semantics.graph.store import GraphStore
from jaragua.semantics.things.thing_triples import MOST_BYTES, BrokenDescriptionError, read_description
from jaragua.wire.topics import Topic, TopicError, TopicKind, parse, pattern

LOGGER = logging.getLogger(__name__)
_KINDS: Final = (TopicKind.NODE_DESCRIPTION, TopicKind.DEVICE_DESCRIPTION)
#: Topics whose newest description waits to be checked; what a flood brings beyond it is counted and left.
_MOST_WAITING: Final = 20_000
_AGAIN_SECONDS: Final = 1.0


@dataclass
class Counters:
    """Since the start: descriptions that entered or were known, that were refused, removed, or not looked at."""

    taken: int = 0
    refused: int = 0
    removed: int = 0
    dropped: int = 0


class Directory:
    """Keeps a graph current. One writer a graph: the store's folder is locked."""

    def __init__(self, store: GraphStore, fleet: str) -> None:
        self.counters = Counters()
        self._store = store
        self._fleet = fleet
        self._waiting: dict[str, bytes] = {}
        self._wake = asyncio.Event()
        self._idle = asyncio.Event()

    async def run(self, url: BrokerUrl) -> None:
        """Serve until cancelled; a lost broker is tried again. BrokerError never ends it: it is said."""
        worker = asyncio.create_task(self._work())
        try:
            while True:
                try:
                    await self._listen(url)
                except aiomqtt.MqttError as error:
                    LOGGER.warning("no broker at %s: %s; tried again", url.public, reason_of(error))
                    await asyncio.sleep(_AGAIN_SECONDS)
        finally:
            worker.cancel()
            await asyncio.gather(worker, return_exceptions=True)

    async def settled(self) -> None:
        """Wait until nothing waits to be checked."""
        await self._idle.wait()

    async def _listen(self, url: BrokerUrl) -> None:
        async with plain_client(url) as client:
            for kind in _KINDS:
                await client.subscribe(pattern(kind, self._fleet), qos=1)
            LOGGER.info("the graph follows fleet %s at %s", self._fleet, url.public)
            async for message in client.messages:
                self._take(str(message.topic), message.payload)

    def _take(self, topic: str, payload: Any) -> None:
        """The newest payload of a topic waits; an older one is not looked at."""
        content = payload if isinstance(payload, bytes) else bytes(str(payload), "utf-8")
        if topic not in self._waiting and len(self._waiting) >= _MOST_WAITING:
            self.counters.dropped += 1
            return
        self._waiting[topic] = content[: MOST_BYTES + 1]  # one more byte than allowed is refused as such
        self._idle.clear()
        self._wake.set()

    async def _work(self) -> None:
        while True:
            if not self._waiting:
                self._idle.set()
                self._wake.clear()
                await self._wake.wait()
            topic = next(iter(self._waiting))
            await asyncio.to_thread(self.offer, topic, self._waiting.pop(topic))

    def offer(self, topic: str, payload: bytes) -> None:
        """One description; what is wrong with it is counted and said, and nothing else stops."""
        try:
            place = parse(topic)
        except TopicError:
            self.counters.dropped += 1
            return
        if not payload:
            self._store.remove(topic)
            self.counters.removed += 1
            LOGGER.info("%s left the graph", topic)
            return
        sentences = self._store.offer_thing(payload, topic, wrong_place(place, payload))
        if sentences:
            self.counters.refused += 1
            LOGGER.warning("%s is refused: %s", topic, printable("; ".join(sentences)))
        else:
            self.counters.taken += 1


def wrong_place(place: Topic, payload: bytes) -> list[str]:
    """Sentences if a description says that it is of another fleet, node or device than its topic."""
    try:
        document = read_description(payload)
    except BrokenDescriptionError:
        return []  # the graph says what is wrong with it
    wanted = {"jrg:fleet": place.fleet, "jrg:node": place.node, "jrg:device": place.device}
    return [
        f"{term} is {document[term]!r}, the topic is of {value}"
        for term, value in wanted.items()
        if value and document.get(term, value) != value
    ]
