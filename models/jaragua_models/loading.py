"""What the user names -> a network and its weights: a model of the zoo, a task of your own, or a model file."""

from __future__ import annotations

from difflib import get_close_matches
from pathlib import Path

from jaragua_compiler.errors import CompileError
from jaragua_compiler.export.inputs.model_files import LoadedModel, load_file
from jaragua_compiler.export.inputs.source import Source, TrainingDefaults
from jaragua_compiler.export.inputs.weights_file import read_interface
from jaragua_compiler.graph.initial_weights import first_weights
from jaragua_compiler.graph.network import Loss
from jaragua_models.base import Model
from jaragua_models.catalogue import get, names
from jaragua_models.errors import ModelError
from jaragua_models.own_data import from_toml, from_toml_with

ZOO_SEED = 1  # of a zoo model's initial weights
_OWN_DATA = ".toml"


def load_model(model: str, loss: Loss | None = None, start: Path | None = None) -> LoadedModel:
    """A zoo name, the path of a model file, or the TOML file of one's own data (docs/reference/own-data.md).

    The first and the last come with seeded initial weights. loss: of a model file that does not say its own. start:
    weights (safetensors) that are to follow; one's own data are scaled as theirs were. Raises: CompileError;
    ModelError for data.
    """
    found = model_with_tasks(model, start)
    if found is None:
        return load_file(Path(model), loss)
    if loss is not None:
        raise CompileError("--loss is for model files; a model of the zoo names its own loss.", "Leave it out.")
    return _described(found)


def model_with_tasks(model: str, start: Path | None = None) -> Model | None:
    """The model of the zoo, or that of one's own data, scaled as `start` says; None for a model file: it has no tasks.

    Raises: as load_model.
    """
    path = Path(model)
    own_data = path.suffix.lower() == _OWN_DATA
    if is_file(model) and not own_data:
        return None
    return _of_own_data(path, start) if own_data else _of_zoo(model)


def is_file(model: str) -> bool:
    """True if `model` names a file: by its suffix, by a separator in it, or a file of a name the zoo has not."""
    path = Path(model)
    return path.suffix != "" or len(path.parts) != 1 or (path.exists() and model not in names())


def _described(model: Model) -> LoadedModel:
    """A model that is described and was not trained."""
    own = model.defaults
    defaults = TrainingDefaults(own.learning_rate, own.ways, own.shots, own.passes, own.training_passes)
    weights = first_weights(model.network, ZOO_SEED)
    interface = model.interface
    source = Source("random", None, defaults, interface)
    if interface is None:
        return LoadedModel(model.network, weights, source, None, model.tasks.calibration)
    told = (interface.inputs, interface.classes)
    return LoadedModel(model.network, weights, source, None, model.tasks.calibration, *told)


def _of_own_data(path: Path, start: Path | None) -> Model:
    interface = None if start is None else read_interface(start)
    return from_toml(path) if interface is None else from_toml_with(path, interface, str(start))


def _of_zoo(name: str) -> Model:
    known = names()
    if name.partition("@")[0] not in known:  # digits@w8: its network with int8 weights
        matches = get_close_matches(name.lower(), known, n=1)
        suggestion = f"Did you mean {matches[0]!r}? " if matches else ""
        raise CompileError(
            f"there is no model {name!r} in the zoo.", f"{suggestion}It has: {', '.join(known)}; or give a file."
        )
    try:
        return get(name)
    except ModelError as error:
        raise CompileError(error.message, error.hint) from error
