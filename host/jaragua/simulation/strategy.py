"""The strategy of a simulation, and what a new device does under it."""

from __future__ import annotations

from dataclasses import asdict, replace

from jaragua import strategies
from jaragua.models import properties_of
from jaragua.settings import training_of
from jaragua.simulation.models import model_for
from jaragua.simulation.settings import Simulation
from jaragua.strategies import ClientWork, Settings, Strategy
from jaragua.strategies.base import check_work
from jaragua.strategies.registry import find, options_of
from jaragua.strategies.robust import aggregation_of
from jaragua.strategies.server_optimiser import optimiser_of


def with_options(simulation: Simulation) -> Simulation:
    """The same with the strategy's own options filled in, so that records and saved states say what was done."""
    own = options_of(find(simulation.strategy), properties_of(model_for(simulation)))
    return replace(simulation, options=own | simulation.options)


def create_strategy(simulation: Simulation) -> Strategy:
    """The strategy with the simulation's numbers. Raises: ConfigurationError."""
    settings = Settings(
        rounds=simulation.rounds,
        alpha=simulation.alpha,
        alpha_final=simulation.alpha_final,
        training=training_of(simulation),
        properties=properties_of(model_for(simulation)),
        options=simulation.options,
        aggregation=aggregation_of(simulation),
        optimiser=optimiser_of(simulation),
    )
    return strategies.create(simulation.strategy, settings)


def adaptation_of(simulation: Simulation) -> ClientWork:
    """What a new device does with its support set. Raises: ConfigurationError for numbers that make no sense."""
    asked = simulation.evaluation.learning_rate
    rate = simulation.learning_rate if asked is None else asked
    held_out = simulation.evaluation
    own = {"learning_rate": rate, "passes": held_out.passes, "batch": held_out.batch}
    steps = ClientWork(**(asdict(training_of(simulation)) | own))
    return check_work(create_strategy(simulation).adaptation(steps))
