"""The LiteRT runtime that is installed: `ai-edge-litert`, or the older `tflite-runtime`."""

from __future__ import annotations

import importlib
import importlib.util
from pathlib import Path
from typing import Any

import numpy as np

from jaragua_compiler.errors import CompileError

#: Packages that hold an `Interpreter`, the newer first.
_PACKAGES = ("ai_edge_litert", "tflite_runtime")


class RuntimeMissing(CompileError):
    """No package with an interpreter can be imported."""


def runtime_name() -> str:
    """The package that will be used. Raises RuntimeMissing if there is none that works."""
    for package in _PACKAGES:
        if importlib.util.find_spec(package) is not None:
            _check_numpy(package)
            return package
    raise RuntimeMissing("no LiteRT runtime is installed.", "Install one: pip install ai-edge-litert.")


def open_interpreter(path: Path) -> Any:
    """An interpreter of the file, on one thread: the networks are too small for more to help.

    Raises RuntimeMissing; CompileError if the file cannot be loaded.
    """
    package = runtime_name()
    try:
        module = importlib.import_module(f"{package}.interpreter")
    except ImportError as error:
        raise RuntimeMissing(f"{package} cannot be imported: {error}.", "Install it again.") from error
    try:
        return module.Interpreter(model_path=str(path), num_threads=1)
    except (ValueError, RuntimeError) as error:
        reason = " ".join(str(error).split())[:200]
        raise CompileError(f"{path} cannot be loaded by {package}: {reason}.", "Export it again.") from error


def _check_numpy(package: str) -> None:
    """tflite-runtime was built for NumPy 1: with NumPy 2 its import fails in the middle."""
    if package == "tflite_runtime" and int(np.__version__.split(".")[0]) >= 2:
        raise RuntimeMissing(
            f"tflite-runtime does not work with NumPy {np.__version__}.",
            "Install an older one: pip install 'numpy<2'; or take ai-edge-litert in its place.",
        )
