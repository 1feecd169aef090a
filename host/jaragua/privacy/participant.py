"""A device's side of a secure sum (U2 to U6): what its node answers, and what it has answered before. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

from jaragua.privacy import shamir
from jaragua.privacy.errors import SecureError
from jaragua.privacy.lists import Reader, Roster
from jaragua.privacy.noise import discrete_gaussian
from jaragua.privacy.secrets import Key, Secrets, SharePair
from jaragua.privacy.streams import Stream
from jaragua.privacy.words import Integers, WordLayout, Words
from jaragua.wire.rejections import shown


class Stage(StrEnum):
    """What the coordinator asks for, and the `encoding` of the answer."""

    SHARES = "sealed"
    MASKED = "masked"
    OPENED = "opened"


@dataclass(frozen=True)
class Commitments:
    """SHA-256 of the lists that were answered, b"" of those that were not (U6.1)."""

    roster: bytes = b""
    included: bytes = b""
    survivors: bytes = b""


@dataclass(frozen=True)
class Contribution:
    """What a device adds: int64 [parameters], how it is sent, and the variance of its noise (U10.3)."""

    numbers: Integers
    layout: WordLayout
    noise: int = 0


class Question:
    """A question of the coordinator, read: the roster; included devices and their shares; survivors."""

    def __init__(self, stage: Stage, body: bytes, device: str) -> None:
        """Raises: SecureError if it is none that this device may answer (U6.2)."""
        reader = Reader(body)
        self.roster = reader.roster()
        if device not in self.roster:
            raise SecureError(f"the list of devices has no {device}")
        self.included: tuple[str, ...] = ()
        self.survivors: tuple[str, ...] = ()
        self.sealed: Mapping[str, bytes] = {}
        if stage is not Stage.SHARES:
            self.included = self._checked(reader.devices(self.roster), self.roster.devices, device)
            self.sealed = reader.sealed([one for one in self.included if one != device])
        if stage is Stage.OPENED:
            self.survivors = self._checked(reader.devices(self.roster), self.included, device)
        reader.end()

    def _checked(self, devices: tuple[str, ...], among: tuple[str, ...], own: str) -> tuple[str, ...]:
        if len(devices) < self.roster.threshold:
            raise SecureError(f"a list of {len(devices)} devices is shorter than {self.roster.threshold}")
        if own not in devices:
            raise SecureError(f"a list of devices has no {own}")
        if set(devices) - set(among):
            raise SecureError(f"a list names {shown(min(set(devices) - set(among)))}, which is not in the one before")
        return devices


class Participant:
    """One device in one sum. `answer` gives bytes that depend on nothing but the secret and the question."""

    def __init__(self, key: Key, secret: bytes, done: Commitments | None = None) -> None:
        """done: what was answered before."""
        self._key = key
        self._secrets = Secrets(secret, key)
        self.done = done or Commitments()
        """What has been answered; to be written down before an answer is sent."""

    def announcement(self) -> bytes:
        """The keys (U2.2)."""
        return self._secrets.public.data

    def answer(self, stage: Stage, body: bytes, contribution: Contribution) -> bytes:
        """The answer to a question. Raises: SecureError if it is not answered (U6); then nothing has changed."""
        question = Question(stage, body, self._key.device)
        if question.roster.keys(self._key.device) != self._secrets.public:
            raise SecureError(f"the list has other keys of {self._key.device} than it sent")
        done = self._committed(question)
        if stage is Stage.SHARES:
            found = self._shares(question.roster)
        elif stage is Stage.MASKED:
            self._pairs(question)  # whoever's shares do not open is told before the update is sent
            found = contribution.layout.write(self._masked(question, contribution))
        else:
            found = self._opened(question)
        self.done = done
        return found

    def _committed(self, question: Question) -> Commitments:
        """U6.1. Raises: SecureError for a list that differs from the one answered before."""
        done = self.done
        for name, found in (
            ("roster", question.roster.sha256),
            ("included", _hash_of(question.included)),
            ("survivors", _hash_of(question.survivors)),
        ):
            known = getattr(done, name)
            if found and known and found != known:
                raise SecureError(f"{self._key.device} has answered another list of devices of this round ({name})")
            done = replace(done, **{name: found or known})
        return done

    def _shares(self, roster: Roster) -> bytes:
        return b"".join(
            self._secrets.seal(self._pair_for(roster, one), one, roster.keys(one), roster.sha256)
            for one in roster.others(self._key.device)
        )

    def _pair_for(self, roster: Roster, device: str) -> SharePair:
        return self._secrets.share_pair(roster.threshold, roster.place(device) + 1, roster.sha256)

    def _pairs(self, question: Question) -> dict[str, SharePair]:
        """This device's shares of each included one's secrets."""
        roster, own = question.roster, self._key.device
        return {
            one: self._pair_for(roster, own)
            if one == own
            else self._secrets.open(question.sealed[one], one, roster.keys(one), roster.sha256)
            for one in question.included
        }

    def _masked(self, question: Question, contribution: Contribution) -> Words:
        layout, own = contribution.layout, self._key.device
        numbers = contribution.numbers + self._noise(contribution)
        found = layout.plus(layout.words(numbers), layout.mask(self._secrets.seed))
        for other in question.included:
            if other != own:
                mask = layout.mask(self._secrets.pair_mask(other, question.roster.keys(other)))
                found = layout.plus(found, mask) if own < other else layout.minus(found, mask)
        return found

    def _noise(self, contribution: Contribution) -> Integers:
        return discrete_gaussian(Stream(self._secrets.noise_key), contribution.noise, len(contribution.numbers))

    def _opened(self, question: Question) -> bytes:
        pairs = self._pairs(question)
        return b"".join(
            shamir.write(pairs[one].seed if one in question.survivors else pairs[one].mask_key)
            for one in question.included
        )


def _hash_of(devices: tuple[str, ...]) -> bytes:
    return hashlib.sha256(",".join(devices).encode()).digest() if devices else b""
