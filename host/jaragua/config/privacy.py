"""What of a run's file does not go with its `[privacy]`."""

from __future__ import annotations

from jaragua import strategies
from jaragua.config.problems import Problem
from jaragua.privacy.options import Round, obstacles
from jaragua.settings import RunConfig


def privacy_problems(config: RunConfig, strategy: strategies.Strategy, *, fleet: bool) -> list[Problem]:
    """U8, a problem each. fleet: the file's `[simulation]` is not looked at."""
    settings = Round(
        combine=config.strategy.combine,
        norm_clip_factor=config.strategy.norm_clip_factor,
        buffer=config.round.buffer,
        clients=config.strategy.clients_per_round,
        quorum=config.round.quorum,
        samples=config.client.ways * config.client.shots * (config.client.passes or 1),
    )
    problems = [Problem(one.place, one.message, one.remedy) for one in obstacles(config.privacy, strategy, settings)]
    if config.privacy.sums and not fleet:
        problems += _float_problems(config)
    return problems


def _float_problems(config: RunConfig) -> list[Problem]:
    why = "devices in float32 have no integers to add up"
    found = []
    if config.simulation.engine == "float32":
        found.append(Problem(("simulation", "engine"), why, "w16 or w8"))
    if config.simulation.float_fraction:
        found.append(Problem(("simulation", "float_fraction"), why, "0"))
    return found
