"""M6: how the two connections of a session end, on a real broker: nothing is left to the event loop's own words."""

from __future__ import annotations

import asyncio
import gc
import logging
from itertools import count
from typing import Any

import pytest
from fleet_bench import run, until

from jaragua.node.connection import session as module
from jaragua.node.connection.session import Incoming, Participant, Session
from jaragua.node.connection.url import parse_broker_url
from jaragua.node.program import ended
from jaragua.wire.rejections import RejectedError
from jaragua_broker import Broker


class Heard:
    """A listener that counts its connections, and raises what it is told to."""

    def __init__(self) -> None:
        self.connections = 0
        self.messages = 0
        self.raises: Exception | None = None

    def connected(self) -> None:
        self.connections += 1

    def received(self, message: Incoming) -> None:
        self.messages += 1
        if self.raises is not None:
            raise self.raises

    def dropped(self, count: int, topic: str) -> None:
        raise AssertionError(topic)

    def refused(self, topic: str, error: RejectedError) -> None:
        raise AssertionError(topic) from error


def session_of(broker: Broker, heard: Heard, name: str) -> Session:
    epochs = count(1)
    made = Session(Participant(parse_broker_url(broker.url), name, None, lambda: next(epochs)), heard)
    made.listen("ends/wide/+")
    return made


async def words_of_the_loop(said: list[dict[str, Any]]) -> None:
    """What asyncio says of tasks and futures whose errors nobody has asked for."""
    await asyncio.sleep(0)
    gc.collect()
    assert [one["message"] for one in said] == []


def test_m6_the_error_of_each_connection_is_asked_for_when_the_broker_goes() -> None:
    async def story() -> None:
        said: list[dict[str, Any]] = []
        asyncio.get_running_loop().set_exception_handler(lambda loop, context: said.append(context))
        heard = Heard()
        with Broker() as broker:
            session = session_of(broker, heard, "both-break")
            task = asyncio.create_task(session.run())
            await until(lambda: heard.connections == 1)
        await until(lambda: not session.is_connected)
        await ended(task)
        del task
        await words_of_the_loop(said)

    run(story())


def test_m6_what_the_listener_raised_ends_the_session_although_the_broker_is_gone(broker: Broker) -> None:
    """The end of a connection is tried again, so it must not hide the other error."""

    async def story() -> None:
        said: list[dict[str, Any]] = []
        asyncio.get_running_loop().set_exception_handler(lambda loop, context: said.append(context))
        heard = Heard()
        session = session_of(broker, heard, "raises")
        task = asyncio.create_task(session.run())
        await until(lambda: heard.connections == 1)
        heard.raises = ArithmeticError("of the listener")
        session.send("ends/wide/1", b"1")
        session.send("ends/wide/2", b"2")
        with pytest.raises(ArithmeticError, match="of the listener"):
            await asyncio.wait_for(task, 30)
        del task
        await words_of_the_loop(said)

    run(story())


@pytest.mark.parametrize("request_of", ["_subscribe", "_unsubscribe"])
def test_m6_the_answer_to_a_request_that_was_cancelled_is_no_error(
    broker: Broker, caplog: pytest.LogCaptureFixture, request_of: str
) -> None:
    async def story() -> None:
        heard = Heard()
        session = session_of(broker, heard, f"cancelled{request_of}")
        task = asyncio.create_task(session.run())
        await until(lambda: heard.connections == 1)
        client = session._client
        assert client is not None
        pending = client._pending_subscribes if request_of == "_subscribe" else client._pending_unsubscribes
        asked = asyncio.create_task(getattr(module, request_of)(client, ["ends/cancelled"]))
        while not pending and not asked.done():
            await asyncio.sleep(0)  # one turn: the request is sent, and no answer has come in it
        await ended(asked)
        assert asked.cancelled()
        # The broker answers in order: the answer to the first request has come before the one to this.
        await session.subscribe("ends/after")
        await ended(task)

    with caplog.at_level(logging.WARNING):
        run(story())
    assert [one.getMessage() for one in caplog.records] == []
