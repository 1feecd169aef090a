"""Bytes and processor time of a secure sum (docs/results/privacy.md), in one process, without a broker."""

from __future__ import annotations

import secrets
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from jaragua.privacy.exchange import Action, Ask, Complete, Exchange
from jaragua.privacy.lists import Roster
from jaragua.privacy.participant import Contribution, Participant, Stage
from jaragua.privacy.secrets import Key, PublicKeys
from jaragua.privacy.words import WordLayout


@dataclass
class Cost:
    """Of one device in one round: bytes it sends and reads; of the coordinator: seconds of all devices."""

    devices: int
    parameters: int
    dropped: int
    sent_bytes: float = 0.0
    read_bytes: float = 0.0
    device_seconds: dict[str, float] = field(default_factory=lambda: defaultdict(float))
    coordinator_seconds: float = 0.0


def measured(devices: int, parameters: int, biases: int, dropped: int) -> Cost:
    """One sum; the last `dropped` devices do not send their vectors. Bytes are without headers of messages and MQTT."""
    cost = Cost(devices, parameters, dropped)
    names = [f"device-{number:05}" for number in range(devices)]
    participants = {name: Participant(Key("run", 1, name, 1), secrets.token_bytes(32)) for name in names}
    layout = WordLayout(np.arange(parameters) >= parameters - biases)
    part = Contribution(np.ones(parameters, np.int64), layout)
    began = time.process_time()
    keys = {name: PublicKeys.read(one.announcement()) for name, one in participants.items()}
    cost.device_seconds["keys"] = (time.process_time() - began) / devices
    exchange = Exchange(Key("run", 1, "", 0), Roster(keys), layout, 1000)
    now, waiting = 0, list(_timed(cost, lambda: exchange.start(0)))
    gone = set(names[devices - dropped :])
    while True:
        while waiting:
            action = waiting.pop(0)
            if isinstance(action, Complete):
                cost.sent_bytes += sum(map(len, [one.data for one in keys.values()])) / devices
                return cost
            if isinstance(action, Ask) and not (action.stage is not Stage.SHARES and action.device in gone):
                waiting += _answered(cost, exchange, participants[action.device], action, part, now)
        now = exchange.next_tick_ms()
        waiting = list(_timed(cost, lambda: exchange.tick(now)))  # noqa: B023 (called at once)


def _answered(
    cost: Cost, exchange: Exchange, participant: Participant, ask: Ask, part: Contribution, now_ms: int
) -> Sequence[Action]:
    began = time.process_time()
    content = participant.answer(ask.stage, ask.body, part)
    cost.device_seconds[ask.stage] += (time.process_time() - began) / cost.devices
    cost.sent_bytes += len(content) / cost.devices
    cost.read_bytes += len(ask.body) / cost.devices
    return _timed(cost, lambda: exchange.answer(ask.device, ask.stage, content, now_ms))


def _timed(cost: Cost, work: Callable[[], Sequence[Action]]) -> Sequence[Action]:
    began = time.process_time()
    found = work()
    cost.coordinator_seconds += time.process_time() - began
    return found


def line(cost: Cost) -> str:
    """A row of the table."""
    milliseconds = 1000 * sum(cost.device_seconds.values())
    return (
        f"| {cost.devices} | {cost.parameters:,} | {cost.dropped} | {cost.sent_bytes:,.0f} | {cost.read_bytes:,.0f} "
        f"| {milliseconds:.1f} | {1000 * cost.coordinator_seconds:.0f} |"
    )


HEAD = (
    "| devices | numbers | dropped | bytes a device sends | reads | ms of a device | ms of the coordinator |\n"
    "|---|---|---|---|---|---|---|"
)
