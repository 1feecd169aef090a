"""What an aggregator does with updates: parse them, and check the content of those whose round it was told of. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from jaragua.coordinator.aggregator.frames import CheckedUpdate
from jaragua.coordinator.rounds import validation
from jaragua.coordinator.rounds.validation import Expected, Question
from jaragua.coordinator.weights.codec import ModelCodec
from jaragua.coordinator.weights.formats import Formats
from jaragua.coordinator.weights.update_check import UpdateCheck
from jaragua.strategies import ClientWork
from jaragua.wire.messages import UpdateHeader


class Incoming(NamedTuple):
    """An update as it came."""

    node: str
    header: UpdateHeader
    blob: bytes
    payload_bytes: int


class KnownRound(NamedTuple):
    """What updates of a round are checked against.

    starts: the hash of each form of its start, by the name of the form; the model's own first. most_samples: M11.
    """

    starts: Mapping[str, bytes]
    most_samples: int


def form_of(encoding: str, codec: ModelCodec) -> str:
    """The name of the form that an update started from."""
    return "f32" if encoding == "f32" else codec.architecture.hex()


class Checker:
    """Of one run, whose strategy sends no differences."""

    def __init__(self, run: str, formats: Formats, work: ClientWork) -> None:
        self._run = run
        self._rounds: dict[int, KnownRound] = {}
        check = UpdateCheck(formats, work, self._hash_for, lambda: 0)
        self._expected = Expected(formats.own.model.metric, lambda number: self._rounds[number].most_samples, check)

    def learn(self, rounds: Mapping[int, KnownRound]) -> None:
        """The rounds of which an update can count now; those before are forgotten."""
        self._rounds = dict(rounds)

    def checked(self, updates: Sequence[Incoming]) -> list[CheckedUpdate]:
        """All of them, in their order."""
        known = [one for one in updates if self._knows(one.header)]
        questions = [
            Question(one.header, one.blob, list(self._rounds[one.header.round].starts.values())) for one in known
        ]
        verdicts = iter(validation.contents(questions, self._expected))
        return [CheckedUpdate(*one, next(verdicts) if self._knows(one.header) else None) for one in updates]

    def _knows(self, header: UpdateHeader) -> bool:
        return header.run == self._run and header.round in self._rounds

    def _hash_for(self, header: UpdateHeader, codec: ModelCodec) -> bytes:
        return self._rounds[header.round].starts.get(form_of(header.encoding, codec), b"")
