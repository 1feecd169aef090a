"""The optional packages of the graph, imported when they are needed, with one sentence when they are missing."""

from __future__ import annotations

import importlib
from types import ModuleType

from jaragua.errors import ToolError


def needed(name: str) -> ModuleType:
    """The package of that name. Raises ToolError with the command that installs it."""
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise ToolError(
            f"the knowledge graph needs the package {name}, which is not installed",
            "pip install 'jaragua[semantics]'",
        ) from error
