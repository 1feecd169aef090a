"""What `jaragua export-litert` does: a model, its plan, and the file that trains it."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path

from jaragua_compiler.errors import CompileError
from jaragua_compiler.export.models import load_model
from jaragua_compiler.litert.training_file import TrainingFile, read_training_file
from jaragua_compiler.network import Loss
from jaragua_compiler.plan import plan


class TensorFlowMissing(CompileError):
    """The export needs it."""


def export(model: str, path: Path | None = None, loss: Loss | None = None) -> TrainingFile:
    """Write the training file of a zoo model or a model file, whole or not at all; path: none is NETWORK.tflite.

    A file's own weights are where its variables start; a client sets them anew in every round. Raises CompileError if
    the model cannot be read or the file cannot be written, TensorFlowMissing.
    """
    network, weights = load_model(model, loss)
    layout = plan(network)
    _require_tensorflow()
    from jaragua_compiler.litert.convert import convert

    target = path or Path(f"{network.name}.tflite")
    _write(target, convert(layout, weights))
    return read_training_file(target)


def _require_tensorflow() -> None:
    if importlib.util.find_spec("tensorflow") is None:
        raise TensorFlowMissing(
            "TensorFlow is not installed; only the export needs it, devices that train do not.",
            "Run it in the environment that `tools/setup/setup.sh keras` makes, or pip install 'jaragua[tensorflow]'.",
        )
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # of its log, errors are enough


def _write(path: Path, content: bytes) -> None:
    part = path.with_name(path.name + ".part")
    try:
        part.write_bytes(content)
        part.replace(path)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise CompileError(f"{path} cannot be written: {error.strerror or error}.", "Give another --out.") from error
