"""The model a simulation is of: one of the zoo, or one described in a TOML file of one's own."""

from __future__ import annotations

import functools
from dataclasses import replace

from jaragua.models import is_file, model_named, model_with, properties_of
from jaragua.simulation.settings import Simulation
from jaragua.strategies.registry import find
from jaragua_compiler.export.inputs.interface import ModelInterface
from jaragua_models import Model

__all__ = ["model_for", "model_named", "task_model", "with_scaling_of"]


def task_model(simulation: Simulation) -> Model:
    """The model of a simulation's task, with the scaling of its first weights if they have another one (R22).

    Raises: ModelError, DataError.
    """
    if not simulation.interface:
        return model_named(simulation.task)
    return _scaled(simulation.task, simulation.interface)


@functools.cache
def _scaled(task: str, interface: str) -> Model:
    return model_with(task, ModelInterface.from_json(interface), "--start")


def with_scaling_of(simulation: Simulation, told: ModelInterface | None, origin: str) -> Simulation:
    """The simulation in the scaling of first weights of one's own data (R22.2).

    told: what the weights were trained with, None if nothing is known; origin: whose weights, for messages. A model of
    the zoo has no scaling of its own. Raises: ModelError; DataError if the weights are of other data.
    """
    if told is None or not is_file(simulation.task):
        return simulation
    if model_with(simulation.task, told, origin).interface == model_named(simulation.task).interface:
        return simulation
    return replace(simulation, interface=told.to_json())


def model_for(simulation: Simulation) -> Model:
    """The model of a simulation: outputs enough for its ways, weights in its engine's format. Raises: ModelError.

    In integers prototypes need no outputs: an image has room for as many as it is told (A12). In float32 they are the
    last layer.
    """
    model = task_model(simulation)
    ways = _ways_with_outputs(simulation, model)
    if model.network.classifier and ways > model.network.outputs:
        model = model.with_outputs(ways)
    if simulation.engine == "float32":
        return model
    return replace(model, network=replace(model.network, weights=simulation.engine))


def enrolled_classes(simulation: Simulation) -> int:
    """Labels that a new device may enrol; 0 if it enrols nothing."""
    model = task_model(simulation)
    return max(simulation.held_out_ways, model.network.outputs) if _enrols(simulation, model) else 0


def _ways_with_outputs(simulation: Simulation, model: Model) -> int:
    """Of training and of new devices; without those that prototypes stand for."""
    if not find(simulation.strategy).PROTOTYPES or simulation.engine == "float32":
        return max(simulation.ways, simulation.held_out_ways)
    return 0 if _enrols(simulation, model) else simulation.held_out_ways


def _enrols(simulation: Simulation, model: Model) -> bool:
    """Whether a new device does, by the strategy's options and their defaults for the model."""
    kind = find(simulation.strategy)
    return kind.enrols(kind.own_options(properties_of(model)) | simulation.options)
