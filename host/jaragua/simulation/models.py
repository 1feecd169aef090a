"""The model a simulation is of: one of the zoo, or one described in a TOML file of one's own."""

from __future__ import annotations

from dataclasses import replace

from jaragua.models import model_named
from jaragua.simulation.settings import Simulation
from jaragua_models import Model

__all__ = ["model_for", "model_named"]


def model_for(simulation: Simulation) -> Model:
    """The model of a simulation: outputs enough for its ways, weights in its engine's format. Raises: ModelError."""
    model = model_named(simulation.task)
    if model.network.classifier and simulation.ways > model.network.outputs:
        model = model.with_outputs(simulation.ways)
    if simulation.engine == "float32":
        return model
    return replace(model, network=replace(model.network, weights=simulation.engine))
