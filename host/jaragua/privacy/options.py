"""What `[privacy]` can be combined with (U8), and how the sums of a run are made. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from jaragua.privacy.clipping import LARGEST_SUM
from jaragua.privacy.groups import LEAST_GROUP
from jaragua.privacy.lists import LEAST_DEVICES
from jaragua.privacy.rounds import MOST_OF_CLIENTS
from jaragua.settings import PrivacySettings
from jaragua.strategies import Strategy
from jaragua.strategies.algorithms.fed_avg import FedAvg
from jaragua.strategies.registry import work_of

#: U1.2: the largest change of a number of 16 bits.
LARGEST_STEP: Final = 2**16 - 1
NOISE_ON: Final = ("coordinator", "devices")
#: `strategy.combine` that are sums, and whether samples are weights.
_SUMS: Final = {"mean": False, "sample-weighted-mean": True}
_EACH: Final = "needs each update by itself, which a sum hides"


@dataclass(frozen=True)
class Obstacle:
    """A setting that does not go with `[privacy]`. place: section and key."""

    place: tuple[str, str]
    message: str
    remedy: str


@dataclass(frozen=True)
class Round:
    """What of a run's settings decides whether its rounds can be sums."""

    combine: str
    norm_clip_factor: float
    buffer: int
    clients: int
    quorum: int
    samples: int
    """Of a device in a round, the most: ways · shots · passes."""


def counts_samples(strategy: Strategy, combine: str) -> bool | None:
    """Whether the mean of a round is weighted by samples; None if it is no mean."""
    if combine != "own":
        return _SUMS.get(combine)
    kind = type(strategy)
    if kind.aggregate is not Strategy.aggregate or kind.optimised is not Strategy.optimised:
        return None
    return {Strategy.combine: False, FedAvg.combine: True}.get(kind.combine)


def obstacles(privacy: PrivacySettings, strategy: Strategy, settings: Round) -> Iterator[Obstacle]:
    """Why a run's rounds cannot be private sums, a sentence each (U8)."""
    yield from _own_obstacles(privacy)
    if not privacy.sums:
        return
    yield from _of_the_strategy(strategy, settings)
    if settings.buffer:
        text = "a buffer takes updates of several rounds, and a sum is of one"
        yield Obstacle(("round", "buffer"), text, "0, or leave [privacy] out")
    if privacy.secure_aggregation:
        yield from _of_masks(settings)
    weight = settings.samples if counts_samples(strategy, settings.combine) else 1
    most = LARGEST_SUM // (weight * LARGEST_STEP)
    if privacy.clip or (privacy.group or MOST_OF_CLIENTS * settings.clients) <= most:
        return
    if privacy.group:
        text = f"a sum of {privacy.group} devices, each counted {weight} times, does not fit 32 bits (U1.2)"
        yield Obstacle(("privacy", "group"), text, f"at most {most}")
    else:
        text = f"a sum of {settings.clients} devices, each counted {weight} times, does not fit 32 bits (U1.2)"
        remedy = f"at most {most // MOST_OF_CLIENTS}, or privacy.group"
        yield Obstacle(("strategy", "clients_per_round"), text, remedy)


def _own_obstacles(privacy: PrivacySettings) -> Iterator[Obstacle]:
    if privacy.noise_on not in NOISE_ON:
        text = f"there is no '{privacy.noise_on}'"
        yield Obstacle(("privacy", "noise_on"), text, f"known: {', '.join(NOISE_ON)}")
    if privacy.noise_multiplier and not privacy.clip:
        text = f"noise of {privacy.noise_multiplier:g} times clip = 0 is none"
        yield Obstacle(("privacy", "noise_multiplier"), text, "set privacy.clip")
    if privacy.noise_on == "devices" and not privacy.secure_aggregation:
        text = "the noise of one device hides nothing of its update from the coordinator"
        yield Obstacle(("privacy", "noise_on"), text, "coordinator, or privacy.secure_aggregation = true")
    if privacy.group and not privacy.secure_aggregation:
        yield Obstacle(
            ("privacy", "group"), "groups are those of secure sums", "0, or privacy.secure_aggregation = true"
        )
    if 0 < privacy.group < LEAST_GROUP:
        text = f"groups of at most {privacy.group} devices hide too little"
        yield Obstacle(("privacy", "group"), text, f"0, or at least {LEAST_GROUP}")
    if privacy.group and privacy.noise_on == "devices":
        text = "the noise of a group's devices is not enough for the group's own sum"
        yield Obstacle(("privacy", "group"), text, "0, or privacy.noise_on = 'coordinator'")


def _of_the_strategy(strategy: Strategy, settings: Round) -> Iterator[Obstacle]:
    if counts_samples(strategy, settings.combine) is None:
        if settings.combine != "own":
            yield Obstacle(("strategy", "combine"), f"{settings.combine} {_EACH}", "own, or mean")
        else:
            yield Obstacle(("strategy", "name"), f"its class {_EACH}", "a strategy whose round is a mean")
    if settings.norm_clip_factor:
        yield Obstacle(
            ("strategy", "norm_clip_factor"), f"a median of norms {_EACH}", "0; privacy.clip is a fixed norm"
        )
    if work_of(strategy, 1).compressed:
        yield Obstacle(("strategy", "name"), "it sends differences, a sum is of weights", "another strategy")


def _of_masks(settings: Round) -> Iterator[Obstacle]:
    for place, value in ((("strategy", "clients_per_round"), settings.clients), (("round", "quorum"), settings.quorum)):
        if value < LEAST_DEVICES:
            text = f"a secure sum of {value} devices hides too little"
            yield Obstacle(place, text, f"at least {LEAST_DEVICES}")
