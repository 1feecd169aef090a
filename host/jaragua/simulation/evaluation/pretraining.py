"""A classifier of all training classes, trained in one place, and what new devices start from (`pretrained`).

A server trains in float32, whatever the devices compute in: integers end at 511 classes (A5.5), Omniglot has 4,800.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np

from jaragua.coordinator.weights.codec import ModelCodec
from jaragua.errors import ConfigurationError, RunError
from jaragua.simulation.clients.engine import VirtualFleet
from jaragua.simulation.clients.numpy_clients import float_fleet
from jaragua.simulation.models import model_for, task_model
from jaragua.simulation.settings import Simulation
from jaragua.strategies import Strategy, Vector
from jaragua.strategies.registry import find, work_of
from jaragua.strategies.vectors import flat, layers_of, shared_blocks
from jaragua_compiler import initial_weights
from jaragua_models import KnowsClasses, Model, ModelError

#: Of the largest weight of a layer: no format rounds by more, so what lacks more was cut off.
_MOST_LOST: Final = 1 / 8


def trains_by_class(simulation: Simulation) -> bool:
    """Whether training knows classes by what they are, and not by what a task calls them."""
    return find(simulation.strategy).TRUE_CLASSES


def check(simulation: Simulation, strategy: Strategy) -> None:
    """Raises: ConfigurationError if true classes are wanted, and there are none to train on."""
    if not strategy.TRUE_CLASSES:
        return
    if not task_model(simulation).own_labels:
        message = f"'{simulation.strategy}' is for labels of a task's own: those of '{simulation.task}' mean the same"
        raise ConfigurationError(f"{message} in every task", "take 'transfer', which trains on them as they are")
    if work_of(strategy, 1).compressed:
        message = (
            f"'{simulation.strategy}' sends nothing but raw samples: upload_fraction, download_fraction and delta_bits"
        )
        raise ConfigurationError(f"{message} would change nothing", "leave them out")
    try:
        classifier_for(simulation)
    except ModelError as error:
        raise ConfigurationError(f"'{simulation.strategy}': {error.message}", error.hint) from error


def source_for(simulation: Simulation) -> KnowsClasses:
    """The source of tasks with true classes. Raises: ModelError if the task has none."""
    source = task_model(simulation).tasks
    if not isinstance(source, KnowsClasses):
        message = f"The tasks of '{simulation.task}' do not tell which class a sample is of."
        raise ModelError(message, "Give their source the methods of KnowsClasses (docs/reference/tasks.md).")
    return source


def outputs_of(simulation: Simulation) -> int:
    """How many classes are trained on, 0 if training does not know them. Raises: ModelError."""
    return source_for(simulation).training_classes() if trains_by_class(simulation) else 0


def classifier_for(simulation: Simulation) -> Model:
    """The devices' model with an output for every training class. Raises: ModelError."""
    return model_for(simulation).with_outputs(source_for(simulation).training_classes())


class Server:
    """Where the classifier is trained."""

    def __init__(self, simulation: Simulation, codec: ModelCodec, cache: Path) -> None:
        """codec: of the devices' model. Raises: ToolError."""
        model = classifier_for(simulation)
        self.fleet: VirtualFleet = float_fleet(model, 1, cache)  # one place, so one thread
        self.first: Vector = flat(initial_weights(model.network, simulation.seed))
        self._devices_first = codec.initial(simulation.seed)
        self._shapes = codec.plan.shapes

    def start_of(self, vector: Vector) -> Vector:
        """What new devices start from: the classifier's hidden layers, and their own last layer as first drawn."""
        hidden = sum(shared_blocks(self._shapes, local_layers=1))
        return np.concatenate([vector[:hidden], self._devices_first[hidden:]])


def require_held(fleet: VirtualFleet, codec: ModelCodec, vector: Vector) -> None:
    """Raises: RunError if the devices' format cuts off weights that were learned in float32."""
    shapes = codec.plan.shapes
    held = layers_of(fleet.numbers(fleet.start(vector)), shapes)
    for number, ((weights, _), (rounded, _)) in enumerate(zip(layers_of(vector, shapes), held, strict=True)):
        largest = float(np.abs(weights).max())
        if (np.abs(weights) - np.abs(rounded)).max() > _MOST_LOST * largest:
            message = f"layer {number} was trained to weights of {largest:.3g}, more than the devices' format holds"
            raise RunError(message, "take a smaller --learning-rate")
