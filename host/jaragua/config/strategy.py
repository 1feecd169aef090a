"""The strategy that a configuration describes, and whether a fleet can run it."""

from __future__ import annotations

from jaragua import strategies
from jaragua.config.problems import Problem
from jaragua.config.schema import RunConfig
from jaragua.errors import ConfigurationError
from jaragua.models import facts_of, model_named
from jaragua.strategies.robust import aggregation_of


def strategy_of(config: RunConfig) -> strategies.Strategy:
    """The run's strategy with the run's numbers. Raises: ConfigurationError, ModelError."""
    settings = strategies.Settings(
        rounds=config.run.rounds,
        alpha=config.strategy.alpha,
        alpha_final=config.strategy.alpha_final,
        learning_rate=config.client.learning_rate,
        passes=config.client.passes,
        batch=config.client.batch,
        least_loss=config.client.least_loss,
        memory=config.client.memory,
        facts=facts_of(model_named(config.model.name)),
        options=config.strategy.options,
        aggregation=aggregation_of(
            config.strategy.combine, config.strategy.trim, config.strategy.clip, config.strategy.near
        ),
    )
    return strategies.create(config.strategy.name, settings)


def strategy_problems(config: RunConfig) -> list[Problem]:
    """Why the strategy cannot be made, or cannot be run by a fleet."""
    try:
        reason = strategies.fleet_obstacle(strategy_of(config))
    except ConfigurationError as error:
        return [Problem(_place_of(error), error.message, error.hint)]
    if not reason:
        return []
    message = f"a fleet cannot run '{config.strategy.name}': {reason}"
    hint = "`jaragua simulate` can; docs/reference/strategies.md says which run where"
    return [Problem(("strategy", "name"), message, hint)]


def _place_of(error: ConfigurationError) -> tuple[str, str]:
    """A memory is the client's; whatever else makes no sense came with the strategy. The number's name comes first."""
    return ("client", "memory") if error.message.startswith("memory ") else ("strategy", "name")
