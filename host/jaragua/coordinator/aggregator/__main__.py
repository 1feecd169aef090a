"""`python -m jaragua.coordinator.aggregator`: an aggregator; its coordinator starts it and ends it with its stdin."""

from __future__ import annotations

import asyncio
import os
import pickle
import secrets
import sys
from collections import deque
from typing import Any, Final

from jaragua.coordinator.aggregator import frames
from jaragua.coordinator.aggregator.checker import Checker, Incoming, KnownRound
from jaragua.coordinator.aggregator.setup import Setup
from jaragua.coordinator.connection.fleet import split_update, unix_ms
from jaragua.coordinator.connection.gate import RoundsGate
from jaragua.coordinator.weights.codec import ModelCodec
from jaragua.coordinator.weights.formats import Formats
from jaragua.errors import ProtocolError
from jaragua.models import model_named
from jaragua.node.connection.session import Gates, Participant, Session
from jaragua.node.connection.session import Incoming as Message
from jaragua.node.program import ended
from jaragua.wire.rejections import Reason, RejectedError
from jaragua.wire.topics import TopicError, TopicKind, parse, pattern

#: P3: what waits for the coordinator, at the pipe.
_MOST_BYTES: Final = 16 * 1024 * 1024
#: R19: checked at once.
_MOST_AT_ONCE: Final = 256


class Aggregator:
    """One process. out: frames to the coordinator."""

    def __init__(self, setup: Setup, out: asyncio.WriteTransport) -> None:
        self._out = out
        formats = Formats(ModelCodec(model_named(setup.model)), alone=setup.work.compressed)
        self._checker = Checker(setup.run, formats, setup.work)
        self._gate = RoundsGate(setup.fleet, (), all_updates=True)
        self._waiting: deque[Incoming] = deque()
        self._is_scheduled = False
        identifier = f"jaragua-{setup.fleet}-aggregator-{secrets.token_hex(4)}"
        participant = Participant(setup.url, identifier, None, unix_ms, patience_seconds=None, keeps_session=False)
        self.session = Session(participant, self, Gates(own=self._gate))
        self._filter = f"$share/jaragua-{setup.fleet}/{pattern(TopicKind.UPDATE, setup.fleet)}"

    async def serve(self, orders: asyncio.StreamReader) -> None:
        """Until the coordinator closes the pipe. Raises: BrokerError."""
        await self.session.subscribe(self._filter)
        running = asyncio.create_task(self.session.run())
        obeying = asyncio.create_task(self._obey(orders))
        try:
            await asyncio.wait({running, obeying}, return_when=asyncio.FIRST_COMPLETED)
            if running.done():
                running.result()
        finally:
            await ended(running, obeying)

    async def _obey(self, orders: asyncio.StreamReader) -> None:
        while (order := await frames.read(orders)) is not None:
            if order[0] == frames.ROUND:
                self._checker.learn({number: KnownRound(*known) for number, known in order[1].items()})
            elif order[0] == frames.EXPECT:
                self._gate.missing = order[1]

    # ---- what the session calls ----

    def connected(self) -> None:
        """The broker is there, and the subscription is made."""
        self._say(frames.READY)

    def received(self, message: Message) -> None:
        """An update; what is not understood is counted by the coordinator (P1)."""
        try:
            self._take(message)
        except TopicError as error:
            self._reject(Reason.TOPIC, message.topic, error)
        except RejectedError as error:
            self._reject(error.reason, message.topic, error)
        except ProtocolError as error:
            self._reject(Reason.FORMAT, message.topic, error)

    def dropped(self, count: int, topic: str) -> None:
        """What the gate did not admit."""
        self._reject(Reason.FLOOD, topic, "more of this kind than is read", count)

    def refused(self, topic: str, error: RejectedError) -> None:
        """Nothing here is signed."""
        self._reject(error.reason, topic, error)

    # ---- inside ----

    def _take(self, message: Message) -> None:
        topic = parse(message.topic)
        if topic.kind is not TopicKind.UPDATE:
            raise TopicError("an aggregator reads updates alone")
        header, blob = split_update(message.payload)
        if (header.run, header.round) != (topic.run, topic.round):
            raise RejectedError(f"its header is of run {header.run!r}, round {header.round}", Reason.TOPIC)
        if self._out.get_write_buffer_size() > _MOST_BYTES:
            raise RejectedError("the coordinator has more waiting than it can take", Reason.FLOOD)
        self._waiting.append(Incoming(topic.node, header, blob, len(message.payload)))
        if len(self._waiting) >= _MOST_AT_ONCE:
            self._hand_on()
        elif not self._is_scheduled:
            self._is_scheduled = True
            asyncio.get_running_loop().call_soon(self._hand_on)

    def _hand_on(self) -> None:
        """What was read of the socket at once is checked at once."""
        self._is_scheduled = False
        updates = list(self._waiting)
        self._waiting.clear()
        if updates:
            self._say(frames.UPDATES, [frames.packed(one) for one in self._checker.checked(updates)])

    def _reject(self, reason: Reason, where: str, why: object, count: int = 1) -> None:
        self._say(frames.REJECTED, str(reason), where, str(why), count)

    def _say(self, *message: Any) -> None:
        self._out.write(frames.frame(message))


async def main() -> None:
    """Serve the coordinator that started this process."""
    loop = asyncio.get_running_loop()
    orders = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(orders), os.fdopen(os.dup(0), "rb"))
    out, _ = await loop.connect_write_pipe(asyncio.Protocol, os.fdopen(os.dup(1), "wb"))
    sys.stdout = sys.stderr
    first = await frames.read(orders)
    if first is None:
        return
    await Aggregator(pickle.loads(first[1]), out).serve(orders)


if __name__ == "__main__":
    asyncio.run(main())
