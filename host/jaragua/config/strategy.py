"""The strategy that a configuration describes, and whether a fleet can run it."""

from __future__ import annotations

from jaragua import strategies
from jaragua.config.problems import Problem
from jaragua.config.schema import RunConfig
from jaragua.errors import ConfigurationError
from jaragua.models import model_named, properties_of
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
        loss_threshold=config.client.loss_threshold,
        replay_buffer_size=config.client.replay_buffer_size,
        properties=properties_of(model_named(config.model.name)),
        options=config.strategy.options,
        aggregation=aggregation_of(
            config.strategy.combine,
            config.strategy.trim,
            config.strategy.norm_clip_factor,
            config.strategy.outlier_factor,
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
    """Where a refused number stands: the message begins with its name."""
    return ("client", "replay_buffer_size") if error.message.startswith("replay_buffer_size ") else ("strategy", "name")
