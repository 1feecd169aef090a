"""The coordinator's side of a secure sum as a pure state machine (U3 to U7): no socket, no clock, no file.

Every method takes what happened and the time, and returns the actions that the rim carries out in their order. `Keep`
is to be on the disk before what follows it is sent. Times are milliseconds of any clock that never goes back.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, TypeAlias

from jaragua.bases.value import Value
from jaragua.privacy import lists, shamir
from jaragua.privacy.errors import SecureError
from jaragua.privacy.lists import Reader, Roster
from jaragua.privacy.opening import SecretsFound, secrets_of, unmasked
from jaragua.privacy.participant import Stage
from jaragua.privacy.secrets import SEALED_BYTES, Key
from jaragua.privacy.words import Integers, WordLayout

#: U7.1: deadlines in a row without enough answers before the run stops.
MAX_DEADLINES: Final = 4
#: U7.3: to the first repetition of a question that is not answered, and at most between two.
_REPEATED_AFTER_MS, _REPEATED_AT_LAST_MS = 2000, 32_000
_ORDER: Final = (Stage.SHARES, Stage.MASKED, Stage.OPENED)


class Kept(Value):
    """What the store keeps of a sum: an answer, or with an empty device the end of a stage: names, comma between."""

    stage: str
    device: str
    content: bytes


class Keep(Value):
    """Write it down."""

    kept: Kept


class Ask(Value):
    """Send a question to the node of a device."""

    device: str
    stage: Stage
    body: bytes


class Complete(Value):
    """The sum is known: int64 [parameters]; liars: devices that answered wrong shares."""

    total: Integers
    survivors: tuple[str, ...]
    liars: tuple[str, ...]


class TooFew(Value):
    """The sum cannot go on by itself."""

    message: str
    missing: tuple[str, ...]


Action: TypeAlias = Keep | Ask | Complete | TooFew


class Exchange:
    """One sum. Call `start` once, then `answer`, `connected`, `tick` as things happen, until `Complete`."""

    def __init__(
        self, key: Key, roster: Roster, layout: WordLayout, deadline_ms: int, kept: Sequence[Kept] = ()
    ) -> None:
        """key: run and round; its device is not looked at. kept: what the store has of this sum (U7.2)."""
        self._key, self._roster, self._layout = key, roster, layout
        self._stage_ms = deadline_ms
        self._answers: dict[Stage, dict[str, bytes]] = {stage: {} for stage in _ORDER}
        self._ends: dict[Stage, tuple[str, ...]] = {}
        for one in kept:
            if one.device:
                self._answers[Stage(one.stage)][one.device] = one.content
            else:
                self._ends[Stage(one.stage)] = tuple(one.content.decode().split(","))
        self._stage = next(stage for stage in _ORDER if stage not in self._ends)
        self._deadline_ms = self._repeat_ms = 0
        self._pause_ms = _REPEATED_AFTER_MS
        self._in_vain = 0
        self.is_over = False

    @property
    def round(self) -> int:
        """Of the sum."""
        return self._key.round

    @property
    def stage(self) -> Stage:
        """What is asked for now."""
        return self._stage

    @property
    def asked(self) -> tuple[str, ...]:
        """Devices of this stage."""
        if self._stage is Stage.SHARES:
            return self._roster.devices
        return self._ends[Stage.SHARES if self._stage is Stage.MASKED else Stage.MASKED]

    @property
    def missing(self) -> tuple[str, ...]:
        """Devices that have not answered."""
        return tuple(one for one in self.asked if one not in self._answers[self._stage])

    def start(self, now_ms: int) -> list[Action]:
        """Ask, or ask again what the store says is open."""
        return self._begin_stage(now_ms)

    def answer(self, device: str, stage: str, content: bytes, now_ms: int) -> list[Action]:
        """An answer came. Raises: SecureError for one that nobody asked for, or of another form (U6.5)."""
        if any(device in answers for asked, answers in self._answers.items() if asked == stage):
            return []  # questions are repeated, and so are their answers
        if self.is_over or stage != self._stage or device not in self.asked:
            raise SecureError(f"nobody asked {device} for {stage} now")
        self._check(content)
        self._answers[self._stage][device] = content
        kept: list[Action] = [Keep(Kept(self._stage, device, content))]
        return kept + (self._end_stage(now_ms) if not self.missing else [])

    def connected(self, device: str) -> list[Action]:
        """U7.3: it may not have seen the question."""
        return [self._ask(device)] if not self.is_over and device in self.missing else []

    def next_tick_ms(self) -> int:
        """When `tick` is to be called next."""
        return min(self._deadline_ms, self._repeat_ms)

    def tick(self, now_ms: int) -> list[Action]:
        """Time has passed (U7.1, U7.3)."""
        if self.is_over:
            return []
        if now_ms >= self._deadline_ms:
            return self._deadline(now_ms)
        if now_ms >= self._repeat_ms:
            self._pause_ms = min(2 * self._pause_ms, _REPEATED_AT_LAST_MS)
            self._repeat_ms = now_ms + self._pause_ms
            return [self._ask(device) for device in self.missing]
        return []

    def _begin_stage(self, now_ms: int) -> list[Action]:
        self._pause_ms = _REPEATED_AFTER_MS
        self._deadline_ms, self._repeat_ms = now_ms + self._stage_ms, now_ms + self._pause_ms
        return [self._ask(device) for device in self.missing] or self._end_stage(now_ms)

    def _deadline(self, now_ms: int) -> list[Action]:
        came = len(self._answers[self._stage])
        if came >= self._roster.threshold:
            return self._end_stage(now_ms)
        self._in_vain += 1
        if self._in_vain >= MAX_DEADLINES:
            message = (
                f"the secure sum of round {self._key.round} has {came} of the {self._roster.threshold} answers "
                f"({self._stage}) it needs after {self._in_vain} deadlines"
            )
            return [TooFew(message, self.missing)]
        return self._begin_stage(now_ms)

    def _end_stage(self, now_ms: int) -> list[Action]:
        """With all answers, or enough at the deadline."""
        if self._stage is Stage.OPENED:
            return self._complete()
        came = tuple(sorted(self._answers[self._stage]))
        self._ends[self._stage] = came
        kept = Keep(Kept(self._stage, "", ",".join(came).encode()))
        self._stage, self._in_vain = _ORDER[_ORDER.index(self._stage) + 1], 0
        return [kept, *self._begin_stage(now_ms)]

    def _complete(self) -> list[Action]:
        self.is_over = True
        masked = {one: self._answers[Stage.MASKED][one] for one in self._ends[Stage.MASKED]}
        found = self._secrets()
        total = unmasked(self._key, self._roster, masked, found, self._layout)
        return [Complete(total, tuple(masked), found.liars)]

    def _secrets(self) -> SecretsFound:
        included = self._ends[Stage.SHARES]
        answers = {one: Reader(data).shares(included) for one, data in self._answers[Stage.OPENED].items()}
        return secrets_of(self._roster, included, self._ends[Stage.MASKED], answers)

    # ---- questions ----

    def _ask(self, device: str) -> Ask:
        body = self._roster.data
        if self._stage is not Stage.SHARES:
            included = self._ends[Stage.SHARES]
            sealed = (self._sealed(of, device) for of in included if of != device)
            body += lists.places(self._roster, included) + b"".join(sealed)
        if self._stage is Stage.OPENED:
            body += lists.places(self._roster, self._ends[Stage.MASKED])
        return Ask(device, self._stage, body)

    def _sealed(self, of: str, to: str) -> bytes:
        place = self._roster.place(to) - (self._roster.place(of) < self._roster.place(to))
        return self._answers[Stage.SHARES][of][place * SEALED_BYTES : (place + 1) * SEALED_BYTES]

    def _check(self, content: bytes) -> None:
        sizes: Mapping[Stage, int] = {
            Stage.SHARES: (len(self._roster) - 1) * SEALED_BYTES,
            Stage.MASKED: self._layout.byte_count,
            Stage.OPENED: len(self._ends.get(Stage.SHARES, ())) * shamir.SHARE_BYTES,
        }
        if len(content) != sizes[self._stage]:
            raise SecureError(f"an answer of {len(content)} bytes came, {sizes[self._stage]} are asked for")
