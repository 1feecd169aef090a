"""Which models there are: every folder of this package but two is one, and its `MODEL` says what it is.

A folder's name is the model's with `_` for `-`.
"""

import difflib
import importlib
import pkgutil
from dataclasses import replace
from pathlib import Path

from jaragua_compiler import CompileError
from jaragua_models.base import Model
from jaragua_models.errors import ModelError

#: Behind a model's name: the form of it that trains the last layer alone.
HEAD = "head"
_NOT_MODELS = frozenset({"data", "own_data"})
"""Folders that models are made with: files of data sets, and tasks described in a TOML file."""


def names() -> list[str]:
    """The models of the zoo, sorted; nothing is imported and no data is read."""
    folders = (module.name for module in pkgutil.iter_modules([str(Path(__file__).parent)]) if module.ispkg)
    return sorted(folder.replace("_", "-") for folder in folders if folder not in _NOT_MODELS)


def get(name: str) -> Model:
    """The model of that name; its data is read when its first task is drawn. Raises: ModelError if there is none.

    `digits@w8` is the model `digits`, under that name, with weights in another format than its own; `digits@w8-head`
    and `digits@head` train the last layer alone (R35).
    """
    plain, _, form = name.partition("@")
    if plain not in names():
        raise ModelError(f"There is no model {plain!r} in the zoo.", _suggestion(plain))
    model: Model = importlib.import_module(f"jaragua_models.{plain.replace('-', '_')}").MODEL
    return _in_form(model, form) if "@" in name else model


def _in_form(model: Model, form: str) -> Model:
    weights, dash, part = form.partition("-")
    if form == HEAD:
        weights, part = model.network.weights, HEAD
    elif dash and part != HEAD:
        raise ModelError(
            f"There is no form {form!r} of a model.", f"forms are {HEAD}, w8, w16, w8-{HEAD} and w16-{HEAD}"
        )
    try:
        network = replace(model.network, weights=weights)  # type: ignore[arg-type]
        return replace(model, network=network.training_head() if part == HEAD else network)
    except CompileError as error:
        raise ModelError(f"{model.name}@{form}: {error.message}", error.hint) from error


def _suggestion(name: str) -> str:
    if Path(name).suffix:
        return "Your own data take a file NAME.toml that says what they are (docs/reference/own-data.md)."
    matches = difflib.get_close_matches(name.lower(), names(), n=1)
    listing = f"The zoo has: {', '.join(names())}."
    return f"Did you mean {matches[0]!r}? {listing}" if matches else listing
