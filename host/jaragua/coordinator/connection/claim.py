"""R10: which of two coordinators serves a fleet. A dialogue, so that no single message can decide it. Pure.

Everyone who serves, or is about to, asks on the topic `host/claim` who else does. Who serves answers with the nonce of
the question and a fresh key; only a `take` that repeats such a key ends a coordinator.
"""

from __future__ import annotations

import secrets
from collections import deque
from collections.abc import Callable
from enum import Enum, auto
from typing import Final

from jaragua.wire.messages import HostClaim

#: Keys that were given out and may still be used; questions that may still be answered.
_REMEMBERED: Final = 64
_TOKEN_BYTES: Final = 8


class Role(Enum):
    """Where a coordinator is."""

    ASKING = auto()
    REFUSED = auto()
    """Another one serves."""
    SERVING = auto()
    SUPERSEDED = auto()
    """Another one has taken over."""


class Claim:
    """One coordinator's side. since: Unix milliseconds of its birth; take_over: who serves already is ended."""

    def __init__(self, since: int, *, take_over: bool, token: Callable[[int], bytes] = secrets.token_bytes) -> None:
        self.role = Role.ASKING
        self.was_heard = False
        """Our own question came back: all that was retained before it is known."""
        self.is_free = False
        """Whoever served before has let go."""
        self.since = since
        """If two coordinators serve, the one with the lower number stays."""
        self._take_over = take_over
        self._token = token
        self._who = token(_TOKEN_BYTES)
        self._asked: deque[bytes] = deque(maxlen=_REMEMBERED)
        self._keys: deque[bytes] = deque(maxlen=_REMEMBERED)

    @property
    def who(self) -> bytes:
        """The name under which this coordinator speaks."""
        return self._who

    def ask(self) -> HostClaim:
        """Ask which other coordinator serves."""
        nonce = self._token(_TOKEN_BYTES)
        self._asked.append(nonce)
        return self._say("ask", nonce)

    def serve(self, instead_of: int | None = None) -> None:
        """Nobody else does. instead_of: `since` of one that was taken for gone; should it come back, it has to go."""
        self.role = Role.SERVING
        if instead_of is not None:
            self.since = min(self.since, max(0, instead_of - 1))

    def take(self, message: HostClaim) -> list[HostClaim]:
        """Take in what came on the topic; what is to be said to it."""
        if message.who == self._who:
            self.was_heard = self.was_heard or message.nonce in self._asked
            return []
        if message.says == "ask":
            return self._answered(message) if self.role is Role.SERVING else []
        if message.to != self._who:
            return []
        if message.says == "take":
            return self._taken(message)
        if message.nonce not in self._asked:
            return []
        return self._told(message)

    def _answered(self, question: HostClaim) -> list[HostClaim]:
        self._keys.append(key := self._token(_TOKEN_BYTES))
        return [self._say("serve", question.nonce, to=question.who, key=key)]

    def _taken(self, message: HostClaim) -> list[HostClaim]:
        if self.role is not Role.SERVING or message.key not in self._keys:
            return []
        self.role = Role.SUPERSEDED
        return [self._say("yield", message.nonce, to=message.who)]

    def _told(self, answer: HostClaim) -> list[HostClaim]:
        """Another one serves, or has let go."""
        if answer.says == "yield":
            self.is_free = True
            return []
        if answer.says != "serve" or self.role in (Role.REFUSED, Role.SUPERSEDED):
            return []  # another answer to a question that was put twice changes nothing
        if self.role is Role.ASKING and not self._take_over:
            self.role = Role.REFUSED
            return []
        if self.role is Role.SERVING and (answer.since, answer.who) < (self.since, self._who):
            # Two serve, after an outage or because neither heard the other.
            self.role = Role.SUPERSEDED
            return [self._say("yield", answer.nonce, to=answer.who)]
        return [self._say("take", answer.nonce, to=answer.who, key=answer.key)]

    def _say(self, says: str, nonce: bytes, to: bytes | None = None, key: bytes | None = None) -> HostClaim:
        return HostClaim(says=says, who=self._who, since=self.since, nonce=nonce, to=to, key=key)
