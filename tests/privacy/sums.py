"""A secure sum in one process: devices that answer questions, without a broker."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field

import numpy as np

from jaragua.privacy.errors import SecureError
from jaragua.privacy.exchange import Action, Ask, Complete, Exchange, Keep, Kept
from jaragua.privacy.lists import Roster
from jaragua.privacy.participant import Contribution, Participant, Stage
from jaragua.privacy.secrets import Key, PublicKeys
from jaragua.privacy.words import Integers, WordLayout

RUN, ROUND, DEADLINE_MS = "run-1", 3, 1000


def key_of(device: str) -> Key:
    return Key(RUN, ROUND, device, 1)


@dataclass
class Sum:
    """Devices named d0, d1, … with numbers of their own. lost: which do not answer a stage."""

    count: int
    generator: np.random.Generator
    wide: int = 4
    narrow: int = 40
    noise: int = 0
    lost: Callable[[str, Stage], bool] = lambda device, stage: False
    participants: dict[str, Participant] = field(default_factory=dict)
    numbers: dict[str, Integers] = field(default_factory=dict)
    kept: list[Kept] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.layout = WordLayout(np.arange(self.narrow + self.wide) >= self.narrow)
        for place in range(self.count):
            device = f"d{place:03}"
            self.participants[device] = Participant(key_of(device), self.generator.bytes(32))
            small = self.generator.integers(-65535, 65536, self.narrow)
            large = self.generator.integers(-(2**31), 2**31, self.wide)
            self.numbers[device] = np.concatenate([small, large])
        keys = {one: PublicKeys.read(made.announcement()) for one, made in self.participants.items()}
        self.roster = Roster(keys)

    def exchange(self, kept: Sequence[Kept] = ()) -> Exchange:
        return Exchange(key_of(""), self.roster, self.layout, DEADLINE_MS, kept)

    def contribution(self, device: str) -> Contribution:
        return Contribution(self.numbers[device], self.layout, self.noise)

    def answer(self, ask: Ask) -> bytes | None:
        if self.lost(ask.device, ask.stage):
            return None
        return self.participants[ask.device].answer(ask.stage, ask.body, self.contribution(ask.device))

    def play(self, exchange: Exchange, stop_after: int = 1_000_000) -> Complete | None:
        """To the end, or until so much was kept: a coordinator that is killed there."""
        now = 0
        waiting: list[Action] = list(exchange.start(now))
        while True:
            while waiting:
                action = waiting.pop(0)
                if isinstance(action, Complete):
                    return action
                if isinstance(action, Keep):
                    self.kept.append(action.kept)
                    if len(self.kept) >= stop_after:
                        return None
                elif isinstance(action, Ask):
                    content = self.answer(action)
                    if content is not None:
                        waiting += exchange.answer(action.device, action.stage, content, now)
                else:
                    raise SecureError(action.message)
            now = exchange.next_tick_ms()
            waiting = list(exchange.tick(now))

    def total(self, devices: Collection[str]) -> Integers:
        return sum((self.numbers[one] for one in devices), np.zeros(self.narrow + self.wide, np.int64))
