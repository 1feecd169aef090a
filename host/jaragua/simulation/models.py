"""The model a simulation is of: one of the zoo, or one described in a TOML file of one's own."""

from __future__ import annotations

from dataclasses import replace

from jaragua.models import model_named
from jaragua.simulation.settings import Simulation
from jaragua.strategies.registry import find
from jaragua_models import Model

__all__ = ["model_for", "model_named"]


def model_for(simulation: Simulation) -> Model:
    """The model of a simulation: outputs enough for its ways, weights in its engine's format. Raises: ModelError.

    In integers prototypes need no outputs: an image has room for as many as it is told (A12). In float32 they are the
    last layer.
    """
    model = model_named(simulation.task)
    by_prototypes = find(simulation.strategy).PROTOTYPES and simulation.engine != "float32"
    ways = max(simulation.ways, simulation.held_out_ways)
    more = ways > model.network.outputs and not by_prototypes
    if model.network.classifier and more:
        model = model.with_outputs(ways)
    if simulation.engine == "float32":
        return model
    return replace(model, network=replace(model.network, weights=simulation.engine))
