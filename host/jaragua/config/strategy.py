"""The strategy that a configuration describes, and whether a fleet can run it."""

from __future__ import annotations

from jaragua import strategies
from jaragua.config.privacy import privacy_problems
from jaragua.config.problems import Problem
from jaragua.errors import ConfigurationError
from jaragua.models import model_named, properties_of
from jaragua.settings import RunConfig, training_of
from jaragua.strategies.registry import work_of
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
        strategy = strategy_of(config)
        reason = strategies.fleet_obstacle(strategy)
        nothing_left = _nothing_left(config, strategy)
    except ConfigurationError as error:
        return [Problem(_place_of(error), error.message, error.hint)]
    if nothing_left:
        return nothing_left
    private = privacy_problems(config, strategy, fleet=fleet)
    if private or not reason or not fleet:
        return private
    message = f"a fleet cannot run '{config.strategy.name}': {reason}"
    hint = "`jaragua simulate` can; docs/reference/strategies.md says which run where"
    return [Problem(("strategy", "name"), message, hint)]


def _nothing_left(config: RunConfig, strategy: strategies.Strategy) -> list[Problem]:
    """A round that enrols every sample of a class has none to train on."""
    if not strategy.PROTOTYPES or not strategy.TRAINS or not config.run.rounds:
        return []
    enrolled = work_of(strategy, 1).enrolled_shots
    if not enrolled or config.client.shots > enrolled:
        return []
    message = (
        f"{config.client.shots} is too few for '{config.strategy.name}', which enrols {enrolled} and trains on others"
    )
    return [Problem(("client", "shots"), message, f"at least {enrolled + 1}")]


def _place_of(error: ConfigurationError) -> tuple[str, str]:
    """Where a refused number stands: the message begins with its name."""
    for place in (("client", "replay_buffer_size"), ("strategy", "server_optimiser")):
        if error.message.startswith(f"{place[1]} "):
            return place
    return ("strategy", "name")
