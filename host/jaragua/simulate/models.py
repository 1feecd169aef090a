"""The model a simulation is of: one of the zoo, or one described in a TOML file of one's own."""

from __future__ import annotations

import functools
from dataclasses import replace
from pathlib import Path

import jaragua_models
from jaragua.errors import ModelError
from jaragua.simulate.settings import Simulation
from jaragua_models import Model


@functools.cache
def model_named(name: str) -> Model:
    """The model of that name, or of that file if it ends in .toml. Raises: ModelError."""
    try:
        return jaragua_models.from_toml(Path(name)) if name.endswith(".toml") else jaragua_models.get(name)
    except jaragua_models.ModelError as error:
        raise ModelError(error.message, error.hint) from error


def model_for(simulation: Simulation) -> Model:
    """The model of a simulation: outputs enough for its ways, weights in its engine's format. Raises: ModelError."""
    model = model_named(simulation.task)
    if model.network.classifier and simulation.ways > model.network.outputs:
        model = model.with_outputs(simulation.ways)
    if simulation.engine == "float32":
        return model
    return replace(model, network=replace(model.network, weights=simulation.engine))
