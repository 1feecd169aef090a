"""Libraries that only some files need: they are no dependency of a device's client."""

import importlib
from pathlib import Path
from types import ModuleType

from jaragua_models.errors import DataError


def needs(module: str, extra: str, file: Path) -> ModuleType:
    """The module. Raises: DataError that names the file and the extra of pyproject.toml that brings the module."""
    try:
        return importlib.import_module(module)
    except (ImportError, OSError) as error:  # OSError: soundfile without its library
        package = module.partition(".")[0]
        message = f"{file}: reading it needs the package {package}, which is not installed."
        raise DataError(message, f"Install the extra: pip install 'jaragua[{extra}]'.") from error
