"""Which models there are: every folder of this package is one, and its `MODEL` says what it is."""

import difflib
import importlib
import pkgutil
from pathlib import Path

from jaragua_models.base import Model
from jaragua_models.errors import ModelError


def names() -> list[str]:
    """The models of the zoo, sorted; nothing is imported and no data is read."""
    return sorted(module.name for module in pkgutil.iter_modules([str(Path(__file__).parent)]) if module.ispkg)


def get(name: str) -> Model:
    """The model of that name; its data is read when its first task is drawn. Raises: ModelError if there is none."""
    if name not in names():
        raise ModelError(f"There is no model {name!r} in the zoo.", _suggestion(name))
    model: Model = importlib.import_module(f"jaragua_models.{name}").MODEL
    return model


def _suggestion(name: str) -> str:
    near = difflib.get_close_matches(name.lower(), names(), n=1)
    listing = f"The zoo has: {', '.join(names())}."
    return f"Did you mean {near[0]!r}? {listing}" if near else listing
