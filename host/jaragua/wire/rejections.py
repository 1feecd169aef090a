"""What a receiver does with what it cannot use: name it, count it, say so at a bounded rate, go on (protocol.md, P)."""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Final

from jaragua.errors import ProtocolError
from jaragua.printable import printable

LOGGER = logging.getLogger(__name__)
#: P4: between two log lines of one reason.
SECONDS_BETWEEN_LINES: Final = 10.0
#: P4: of what a peer sent.
LONGEST_TEXT: Final = 200


class Reason(StrEnum):
    """P2: why a message was not used."""

    TOPIC = "topic"
    """The topic is none of Jaragua's, or does not belong to the message."""
    LENGTH = "length"
    """Longer than any message of its kind, or cut off."""
    FORMAT = "format"
    """Not the message that belongs there: damaged, of another version, or a field outside its range."""
    EPOCH = "epoch"
    """An epoch that no clock can have given (M8)."""
    CROWD = "crowd"
    """More nodes or devices than a receiver keeps (P3)."""
    IMPOSTOR = "impostor"
    """On a topic that only this process may write."""
    UNASKED = "unasked"
    """An answer to no question."""
    MODEL = "model"
    """It names a model that this node has not, or one that the zoo has not."""
    COMMAND = "command"
    """A command that the device cannot carry out: not with its network, its data or its image."""
    FLOOD = "flood"
    """Well-formed, but more of it than a peer may send at once (P3)."""
    SIGNATURE = "signature"
    """Without the coordinator's signature (G10)."""
    REPLAY = "replay"
    """The coordinator signed it earlier, for another moment (G11)."""
    STRANGER = "stranger"
    """Of a node or a device that is no member of the fleet (G8)."""
    SECURE = "secure"
    """A question of a secure sum that a node does not answer (U6)."""
    STATISTICS = "statistics"
    """Statistics of rows that do not count for a run's scaling (R27)."""
    UPDATE = "update"
    """An update that was answered with `rejected` and its reason (R4)."""


class RejectedError(ProtocolError):
    """A message that is not used, and the name of why."""

    reason = Reason.FORMAT

    def __init__(self, message: str, reason: Reason | None = None) -> None:
        super().__init__(message)
        self.reason = reason or type(self).reason


class Rejections:
    """Counters by reason. Say who speaks with `who`; `clock` gives seconds and never goes back."""

    def __init__(self, who: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._who = who
        self._clock = clock
        self._counts: Counter[Reason] = Counter()
        self._said: dict[Reason, tuple[float, int]] = {}
        """By reason: when the last line was written, and the count then."""

    @property
    def total(self) -> int:
        """All that was rejected."""
        return self._counts.total()

    def counts(self) -> Mapping[str, int]:
        """Numbers by the names of reasons, sorted; reasons that never applied are left out."""
        return {str(reason): self._counts[reason] for reason in sorted(self._counts)}

    def add(self, reason: Reason, where: str, why: object = "", count: int = 1) -> None:
        """Count so many; write a line if none of that reason was written lately. where, why: may hold what was sent."""
        self._counts[reason] += count
        now = self._clock()
        last, before = self._said.get(reason, (-SECONDS_BETWEEN_LINES, 0))
        if now - last < SECONDS_BETWEEN_LINES:
            return
        self._said[reason] = (now, self._counts[reason])
        more = self._counts[reason] - before - 1
        also = f" ({more} more of this kind since the last line)" if more else ""
        LOGGER.warning("%s rejected a message on %s, %s: %s%s", self._who, shown(where), reason, shown(why), also)


def shown(what: object) -> str:
    """What a peer sent, for people: one line, control characters escaped, cut to LONGEST_TEXT."""
    text = str(what)
    text = text if len(text) <= LONGEST_TEXT else text[: LONGEST_TEXT - 3] + "..."
    return printable(text)
