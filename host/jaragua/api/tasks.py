"""`load_task`: a model of the zoo or one's own data, with the tasks that devices learn."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from jaragua.api.one_tree import one_tree
from jaragua.models import is_file, model_named
from jaragua_compiler import Network
from jaragua_models import Defaults, Metric, Model, Task


@dataclass(frozen=True)
class LearningTask:
    """What there is to learn: a network, and a task of its own for every device and seed. `load_task` makes one.

    Equal arguments give equal samples, bit for bit, here, in simulations and on the nodes of a fleet.
    """

    source: str
    """A name of the zoo, or the absolute path of a TOML file: what `simulate` and `compile_network` take, too."""
    model: Model = field(repr=False, compare=False)
    """The whole entry: network, task source and defaults."""

    @property
    def name(self) -> str:
        """Its name, for example `digits`."""
        return self.model.name

    @property
    def summary(self) -> str:
        """What it is, in one line."""
        return self.model.summary

    @property
    def network(self) -> Network:
        """The network that is trained; `network.input_size` and `network.outputs` are the sizes of its vectors."""
        return self.model.network

    @property
    def defaults(self) -> Defaults:
        """Ways, shots, learning rate, rounds and more, where nobody says another."""
        return self.model.defaults

    @property
    def metric(self) -> Metric:
        """What it is evaluated by: `accuracy` (0..1, larger is better) or `mse` (mean squared error, smaller is)."""
        return self.model.metric

    @one_tree()
    def train(self, device: str, seed: int, *, ways: int | None = None, shots: int | None = None) -> Task:
        """The task that a device trains on under a seed.

        Args:
            device: Name of the device; its data are always the same.
            seed: Every seed is another task or another choice of samples; a round has one for each device.
            ways: Classes of the task. None: the default.
            shots: Support samples of each class. None: as many as in a round of training by default.

        Returns:
            `support` to train on and `query` to test on, which share no sample. Each has `x`, float32
            [samples, inputs], and `y`: labels int64 [samples], or targets float32 [samples, outputs] of a regression.
            A support set has ways · shots samples.

        Raises:
            jaragua.errors.DataError: The data are missing, or too few for such a task.
            jaragua.errors.ModelError: The task cannot have so many ways.
        """
        told = self.defaults
        return self.model.tasks.train_task(device, seed, ways or told.ways, shots or told.shots_of_a_round)

    @one_tree()
    def held_out(
        self, seed: int, *, ways: int | None = None, shots: int | None = None, queries: int | None = None
    ) -> Task:
        """A task from data that no device ever trains on.

        Args:
            seed: Every seed is another task.
            ways: Classes of the task. None: the default.
            shots: Support samples of each class. None: the default of a new device.
            queries: Samples of the query set, all classes together. None: the default.

        Returns:
            `support` and `query`, with the shapes that `train` describes.

        Raises:
            jaragua.errors.DataError: The data are missing, or too few for such a task.
            jaragua.errors.ModelError: The task cannot have so many ways.
        """
        told = self.defaults
        asked = (ways or told.ways, shots or told.shots, queries or told.queries)
        return self.model.tasks.held_out_task(seed, *asked)

    @one_tree()
    def typical_inputs(self) -> NDArray[np.float32]:
        """Inputs of training data, float32 [samples, inputs], from which the formats of integers are estimated.

        Raises: jaragua.errors.DataError: the data are missing.
        """
        return self.model.tasks.calibration()


@one_tree()
def load_task(name_or_toml: str | os.PathLike[str]) -> LearningTask:
    """A task by its name in the zoo, or the one that a TOML file describes.

    Args:
        name_or_toml: A name (`digits`; `digits@w8` has int8 weights), or the path of a file that ends in `.toml` and
            has a `[task]` section (Models and tasks, "Your own data"). A file is read anew by every call.

    Returns:
        The task; its data are read when the first samples are drawn.

    Raises:
        jaragua.errors.ModelError: There is no such name, or the file is none of a task.
        jaragua.errors.DataError: The data that the file names are missing or damaged.
    """
    name = os.fspath(name_or_toml)
    if is_file(name):
        model_named.cache_clear()
        name = str(Path(name).absolute())
    return LearningTask(name, model_named(name))
