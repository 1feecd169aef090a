"""Reads a fleet's topics from a broker into a view: it publishes nothing, has no will and takes no name of a node."""

from __future__ import annotations

import secrets
import time
from typing import Final

from jaragua.node.connection.lanes import Lane, Lanes
from jaragua.node.connection.session import Gates, Incoming, Participant, Session
from jaragua.node.connection.sieve import Verdict
from jaragua.node.connection.url import BrokerUrl
from jaragua.observe.fleet_view import FleetView
from jaragua.wire.rejections import RejectedError
from jaragua.wire.topics import TopicKind, build, pattern

_READ: Final = (
    TopicKind.HOST_STATE,
    TopicKind.RUN,
    TopicKind.NODE_STATE,
    TopicKind.DEVICE_STATE,
    TopicKind.DEVICE_DESCRIPTION,
    TopicKind.TELEMETRY,
    TopicKind.UPDATE,
    TopicKind.ACK,
    TopicKind.REPLY,
)
#: P3: what is read of a flood. Retained states of a large fleet come at once.
_RETAINED: Final = Lane("retained", 1000, 16_384, "retained messages that a subscription brings")
_OTHERS: Final = Lane("others", 300, 4096, "all else")
_ABSENT: Final = "start one with `jaragua broker start`, or check --broker"


class ObserverGate:
    """So many messages a second of all kinds together, beside those that a subscription brings. See `Gate`."""

    def __init__(self) -> None:
        self._lanes = Lanes()

    def admits(self, topic: bytes, head: bytes, now_s: float, *, is_retained: bool) -> Verdict:
        """See `Gate`."""
        return Verdict.of(is_read=self._lanes.has_room(_RETAINED if is_retained else _OTHERS, now_s))


class Observer:
    """`await Observer(url, fleet).run()` until cancelled; `view` is there at any time.

    Errors: BrokerError if the first connection fails.
    """

    def __init__(self, url: BrokerUrl, fleet: str, patience_seconds: float | None = 3.0) -> None:
        """patience_seconds: for the first connection; None: for ever."""
        self.url = url
        self.fleet = fleet
        self.view = FleetView()
        self._read_input = b""
        self._birth = 0
        identifier = f"jaragua-{fleet}-observer-{secrets.token_hex(4)}"
        participant = Participant(self.url, identifier, None, self._next_epoch, patience_seconds, _ABSENT)
        self._session = Session(participant, self, Gates(ObserverGate(), ObserverGate()))
        self._session.listen(*(pattern(kind, fleet) for kind in _READ))

    @property
    def is_connected(self) -> bool:
        """Whether the broker is there now."""
        return self._session.is_connected

    async def run(self) -> None:
        """Stay connected until cancelled. Raises: BrokerError."""
        await self._session.run()

    def connected(self) -> None:
        """See `Listener`."""
        self.view.changes += 1

    def received(self, message: Incoming) -> None:
        """See `Listener`."""
        self.view.take(message.topic, message.payload, now_ms())
        wanted = self.view.run.input if self.view.run else None
        if wanted and wanted != self._read_input:
            self._read_input = wanted
            self._session.follow(frozenset({build(TopicKind.BLOB, self.fleet, sha256=wanted.hex())}))

    def dropped(self, count: int, topic: str) -> None:
        """See `Listener`."""
        self.view.dropped(count, topic)

    def refused(self, topic: str, error: RejectedError) -> None:
        """See `Listener`; an observer verifies nothing."""

    def _next_epoch(self) -> int:
        self._birth += 1
        return self._birth


def now_ms() -> int:
    """Unix milliseconds."""
    return time.time_ns() // 1_000_000


def ago(seen_ms: int, at_ms: int) -> str:
    """How long ago something was seen, in words."""
    if not seen_ms:
        return "never"
    seconds = max(0, at_ms - seen_ms) // 1000
    for size, name in ((86_400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds // size} {name} ago"
    return f"{seconds} s ago"
