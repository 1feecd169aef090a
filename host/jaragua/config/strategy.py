"""The strategy that a configuration describes, and whether a fleet can run it."""

from __future__ import annotations

from jaragua import strategies
from jaragua.config.problems import Problem
from jaragua.errors import ConfigurationError
from jaragua.models import model_named, properties_of
from jaragua.settings import RunConfig, training_of
from jaragua.strategies.robust import aggregation_of
from jaragua.strategies.server_optimiser import optimiser_of


def strategy_of(config: RunConfig) -> strategies.Strategy:
    """The run's strategy with the run's numbers. Raises: ConfigurationError, ModelError."""
    settings = strategies.Settings(
        rounds=config.run.rounds,
        alpha=config.strategy.alpha,
        alpha_final=config.strategy.alpha_final,
        training=training_of(config.client),
        properties=properties_of(model_named(config.model.name)),
        options=config.strategy.options,
        aggregation=aggregation_of(config.strategy),
        optimiser=optimiser_of(config.strategy),
    )
    return strategies.create(config.strategy.name, settings)


def strategy_problems(config: RunConfig, *, fleet: bool) -> list[Problem]:
    """Why the strategy cannot be made, or cannot be run by a fleet."""
    try:
        reason = strategies.fleet_obstacle(strategy_of(config))
    except ConfigurationError as error:
        return [Problem(_place_of(error), error.message, error.hint)]
    if not reason or not fleet:
        return []
    message = f"a fleet cannot run '{config.strategy.name}': {reason}"
    hint = "`jaragua simulate` can; docs/reference/strategies.md says which run where"
    return [Problem(("strategy", "name"), message, hint)]


def _place_of(error: ConfigurationError) -> tuple[str, str]:
    """Where a refused number stands: the message begins with its name."""
    for place in (("client", "replay_buffer_size"), ("strategy", "server_optimiser")):
        if error.message.startswith(f"{place[1]} "):
            return place
    return ("strategy", "name")
