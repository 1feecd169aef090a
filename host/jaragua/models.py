"""The model that a name stands for: one of the zoo, or one described in a TOML file of one's own (tasks.md)."""

from __future__ import annotations

import functools
import math
from pathlib import Path

import jaragua_models
from jaragua.errors import DataError, ModelError
from jaragua.strategies import ModelProperties
from jaragua_compiler import plan
from jaragua_models import Model

NO_IMAGE = "no image for a board can be built for one yet"
WITHOUT_BOARDS = "let a Pi train it (jaragua client --model FILE.toml), simulate it, or take a model of the zoo"


def properties_of(model: Model) -> ModelProperties:
    """What a strategy may know of the model."""
    shapes = plan(model.network).shapes
    numbers = [sum(math.prod(part) for part in layer) for layer in shapes]
    return ModelProperties(model.own_labels, numbers[-1] / sum(numbers), len(shapes))


def is_file(name: str) -> bool:
    """Whether a name is that of a TOML file."""
    return name.endswith(".toml")


def is_in_zoo(name: str) -> bool:
    """Whether an image for a board can be built for that model: one of the zoo, in any format of weights."""
    return name.partition("@")[0] in jaragua_models.names()


def model_of_images(name: str) -> Model:
    """The model of the zoo that an image is built for. Raises: ModelError, also for a file of one's own."""
    if is_file(name):
        raise ModelError(f"{name} is a task of your own: {NO_IMAGE}", WITHOUT_BOARDS)
    return model_named(name)


def zoo_model_named(name: str) -> Model:
    """The model of the zoo of that name, which may come from a network: no file is looked for. Raises: ModelError."""
    try:
        return jaragua_models.get(name)
    except jaragua_models.ModelError as error:
        raise ModelError(error.message, error.hint) from error


@functools.cache
def model_named(name: str) -> Model:
    """The model of that name, or of that file if it ends in .toml. Raises: ModelError; DataError if it has no data."""
    if not is_file(name):
        return zoo_model_named(name)
    try:
        return jaragua_models.from_toml(Path(name))
    except jaragua_models.DataError as error:
        raise DataError(error.message, error.hint) from error
    except jaragua_models.ModelError as error:
        raise ModelError(error.message, error.hint) from error
