"""M16.9: what comes within a pause is read together; nothing is left unread, and a connection that ends is noticed."""

from __future__ import annotations

import asyncio
import itertools
import time
from pathlib import Path

import pytest

from jaragua.node.connection import session as sessions
from jaragua.node.connection.paced_reading import PacedReading
from jaragua.node.connection.session import Gates, Incoming, Participant, Session
from jaragua.node.connection.sieve import Verdict
from jaragua.node.connection.url import parse_broker_url
from jaragua.node.program import ended
from jaragua.wire.rejections import RejectedError
from jaragua_broker import Broker
from limits import GENEROUS_S

PAUSE_S, MESSAGES, FILTER = 0.05, 300, "a/+"


class Everything:
    """A gate that takes all of it."""

    def admits(self, topic: bytes, head: bytes, now_s: float, *, is_retained: bool) -> Verdict:
        return Verdict.TAKEN


class Listener:
    """Counts what comes. wanted: messages."""

    def __init__(self, wanted: int) -> None:
        self.topics: list[str] = []
        self.times_connected = 0
        self.is_connected, self.has_all = asyncio.Event(), asyncio.Event()
        self._wanted = wanted

    def connected(self) -> None:
        self.times_connected += 1
        self.is_connected.set()

    def received(self, message: Incoming) -> None:
        self.topics.append(message.topic)
        if len(self.topics) == self._wanted:
            self.has_all.set()

    def dropped(self, count: int, topic: str) -> None: ...

    def refused(self, topic: str, error: RejectedError) -> None: ...


def test_m16_9_what_comes_in_a_pause_is_read_at_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Every message comes, in its order. Between two reads of something there is a pause, however busy the machine."""
    read_s: list[float] = []
    pause = PacedReading.pause

    def watched(self: PacedReading, number: int) -> None:
        read_s.append(time.monotonic())
        pause(self, number)

    monkeypatch.setattr(PacedReading, "pause", watched)

    async def story(url: str) -> list[str]:
        reader, writer = Listener(MESSAGES), Listener(0)
        participants = (
            Participant(parse_broker_url(url), "reader", None, lambda: 1, pause_seconds=PAUSE_S),
            Participant(parse_broker_url(url), "writer", None, lambda: 1),
        )
        reading = Session(participants[0], reader, Gates(own=Everything()))
        writing = Session(participants[1], writer)
        await reading.subscribe(FILTER)
        tasks = [asyncio.create_task(one.run()) for one in (reading, writing)]
        try:
            for one in (reader, writer):
                await asyncio.wait_for(one.is_connected.wait(), GENEROUS_S)
            for number in range(MESSAGES):
                writing.send(f"a/{number}", b"x")
                assert await writing.flush(GENEROUS_S)
            await asyncio.wait_for(reader.has_all.wait(), GENEROUS_S)
        finally:
            await ended(*tasks)
        return reader.topics

    with Broker(data_dir=tmp_path) as broker:
        assert asyncio.run(story(broker.url)) == [f"a/{number}" for number in range(MESSAGES)]
    assert len(read_s) > 1
    assert min(after - before for before, after in itertools.pairwise(read_s)) >= PAUSE_S * 0.9


def test_m16_9_a_broker_that_ends_in_a_pause_is_noticed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """And the next connection is read as well."""
    monkeypatch.setattr(sessions, "_BACKOFF_CEILING_SECONDS", 0.2)

    async def story() -> int:
        with Broker(data_dir=tmp_path / "first") as broker:
            port = broker.port
            listener = Listener(1)
            participant = Participant(parse_broker_url(broker.url), "r", None, lambda: 1, pause_seconds=PAUSE_S)
            session = Session(participant, listener, Gates(own=Everything()))
            await session.subscribe(FILTER)
            running = asyncio.create_task(session.run())
            await asyncio.wait_for(listener.is_connected.wait(), GENEROUS_S)
        listener.is_connected.clear()
        try:
            with Broker(port=port, data_dir=tmp_path / "second"):
                await asyncio.wait_for(listener.is_connected.wait(), GENEROUS_S)
                session.send("a/b", b"x")
                await asyncio.wait_for(listener.has_all.wait(), GENEROUS_S)
        finally:
            await ended(running)
        return listener.times_connected

    assert asyncio.run(story()) == 2
