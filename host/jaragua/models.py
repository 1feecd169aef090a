"""The model that a name stands for: one of the zoo, or one described in a TOML file of one's own (tasks.md)."""

from __future__ import annotations

import functools
import itertools
import math
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Final, get_args

import jaragua_models
from jaragua.errors import DataError, ModelError
from jaragua.strategies import ModelProperties
from jaragua_compiler import Dense, Flatten, Network, plan
from jaragua_compiler.errors import CompileError
from jaragua_compiler.export.inputs.interface import ModelInterface
from jaragua_compiler.export.inputs.weights_file import read_interface
from jaragua_compiler.graph.network import WeightFormat
from jaragua_models import HasValidation, LeavesOneOut, Model, ShiftsPictures, TaskSource
from jaragua_models.own_data import from_toml_with


def properties_of(model: Model) -> ModelProperties:
    """What a strategy may know of the model."""
    shapes = plan(model.network).shapes
    numbers = [sum(math.prod(part) for part in layer) for layer in shapes]
    own = model.recommended or model.defaults
    head, classifier = numbers[-1] / sum(numbers), model.network.classifier
    prototypes = own.temperature, own.refine_passes, own.episode_queries, own.adapt_by_steps
    return ModelProperties(model.own_labels, head, len(shapes), classifier, *prototypes)


def other_formats(model: Model) -> Iterator[Model]:
    """The model with its weights in each other integer format (R14), and in each with its last layer alone to train
    (R35). One that some layer cannot have is left out.
    """
    architecture = plan(model.network).architecture
    whole = replace(model.network, held=0)
    for weights, trains_head in itertools.product(get_args(WeightFormat), (False, True)):
        try:
            network = replace(whole, weights=weights)
            network = network.training_head() if trains_head else network
            if plan(network).architecture != architecture:
                yield replace(model, network=network)
        except CompileError:
            continue


def training_head(model: Model) -> Model:
    """The model with its last layer alone to train (R35). Raises: ModelError if it has no other."""
    try:
        return replace(model, network=model.network.training_head())
    except CompileError as error:
        raise ModelError(error.message, error.hint) from error


def is_file(name: str) -> bool:
    """Whether a name is that of a TOML file."""
    return name.endswith(".toml")


def absolute(name: str, folder: Path | None = None) -> str:
    """The name of a model of the zoo, or the absolute path of a task's file: the same from any working directory.

    folder: what a path is relative to; default: the working directory. VALIDATION, LINEAR and SHIFTED stay before it.
    """
    if not is_file(name):
        return name
    before = _BEFORE_A_NAME.match(name)
    kind = before[0] if before else ""
    path = Path(name.removeprefix(kind))
    return kind + str(path.absolute() if folder is None else (folder.absolute() / path).resolve())


def zoo_model_named(name: str) -> Model:
    """The model of the zoo of that name, which may come from a network: no file is looked for. Raises: ModelError."""
    try:
        return jaragua_models.get(name)
    except jaragua_models.ModelError as error:
        raise ModelError(error.message, error.hint) from error


#: Before a name: the model with a validation set within its training data in place of the held-out tasks.
VALIDATION: Final = "validation:"
#: What begins with this stands for another model than its name alone.
VARIANT: Final = re.compile(r"(?:validation(?:-\d+)?|linear|metric|shifted):")
_BEFORE_A_NAME: Final = re.compile(f"(?:{VARIANT.pattern})*")
_LEAVING_OUT: Final = re.compile(r"validation-(\d+):")
#: Before a name: the model without hidden layers, which is logistic regression by gradient steps.
LINEAR: Final = "linear:"
#: Before a name: the model with one hidden layer in place of its own: linear, square, the identity at first (A2.8). So
#: prototypes of it are those of the inputs before training, which learns a metric.
METRIC: Final = "metric:"
#: Before a name: the model that trains on pictures shifted at random.
SHIFTED: Final = "shifted:"


def leaving_out(number: int) -> str:
    """Before a name: the model with one training device in place of the held-out ones (D11)."""
    return f"validation-{number}:"


def _variant_of(name: str) -> Model:
    kind, _, plain = name.partition(":")
    model = model_named(plain)
    if f"{kind}:" == LINEAR:
        return replace(model, network=_without_hidden_layers(model.network))
    if f"{kind}:" == METRIC:
        return replace(model, network=_with_metric(model.network))
    if f"{kind}:" == SHIFTED:
        return replace(model, tasks=_with_shifts(model, plain))
    turn = _LEAVING_OUT.match(name)
    try:
        return replace(model, tasks=_validation_of(model, plain, int(turn[1]) if turn else None))
    except jaragua_models.ModelError as error:
        raise DataError(f"there is no validation set within the training data: {error.message}", error.hint) from error


def _with_shifts(model: Model, plain: str) -> TaskSource:
    if isinstance(model.tasks, ShiftsPictures):
        return model.tasks.with_shifts()
    message = f"'{plain}' has no pictures that can be shifted"
    raise ModelError(message, "give its source the method of ShiftsPictures (docs/reference/tasks.md)")


def _validation_of(model: Model, plain: str, excluded: int | None) -> TaskSource:
    """excluded: the place of the training device that is the validation set; None: a part of the training data."""
    if excluded is None and isinstance(model.tasks, HasValidation):
        return model.tasks.for_validation()
    if excluded is not None and isinstance(model.tasks, LeavesOneOut) and excluded < model.tasks.owners():
        return model.tasks.leaving_out(excluded)
    kind = "HasValidation" if excluded is None else "LeavesOneOut"
    message = f"'{plain}' has no such validation set: its tasks do not say how training data are parted"
    raise ModelError(message, f"give their source the method of {kind} (docs/reference/tasks.md)")


def _without_hidden_layers(network: Network) -> Network:
    flatten = (Flatten(),) if isinstance(network.inputs, tuple) else ()
    return replace(network, layers=(*flatten, network.layers[-1]), held=0)


def _with_metric(network: Network) -> Network:
    bare = _without_hidden_layers(network)
    inputs = math.prod(network.inputs) if isinstance(network.inputs, tuple) else network.inputs
    return replace(bare, layers=(*bare.layers[:-1], Dense(inputs), bare.layers[-1]))


@functools.cache
def model_named(name: str) -> Model:
    """The model of that name, or of that file if it ends in .toml; VALIDATION, LINEAR and SHIFTED may stand before it.

    Raises: ModelError; DataError if it has no data.
    """
    if name.startswith((VALIDATION, LINEAR, METRIC, SHIFTED)) or _LEAVING_OUT.match(name):
        return _variant_of(name)
    if not is_file(name):
        return zoo_model_named(name)
    try:
        return jaragua_models.from_toml(Path(name))
    except jaragua_models.ModelError as error:
        raise _translated(error) from error


def model_started(name: str, start: Path | None) -> Model:
    """The model for weights in a safetensors file: one's own data have the scaling that the weights were trained with.

    Raises: ModelError; DataError; CompileError if the weights are of other data.
    """
    interface = read_interface(start) if start is not None and is_file(name) else None
    return model_named(name) if interface is None else model_with(name, interface, str(start))


def model_with(name: str, interface: ModelInterface, origin: str) -> Model:
    """The model of a TOML file with the scaling that `origin` tells. Raises: as `model_started`."""
    try:
        return from_toml_with(name, interface, origin)
    except jaragua_models.ModelError as error:
        raise _translated(error) from error


def _translated(error: jaragua_models.ModelError) -> ModelError | DataError:
    kind = DataError if isinstance(error, jaragua_models.DataError) else ModelError
    return kind(error.message, error.hint)
