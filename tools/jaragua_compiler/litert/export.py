"""What `jaragua export-litert` does: a model, its plan, and the file that trains it."""

from __future__ import annotations

import importlib.util
import os
from contextlib import suppress
from pathlib import Path

from jaragua_compiler.errors import CompileError
from jaragua_compiler.export.inputs.model_files import LoadedModel
from jaragua_compiler.litert.training_file import TrainingFile, read_training_file
from jaragua_compiler.planning.plan import plan

#: After four bytes, in every LiteRT file.
_SIGNATURE = b"TFL3"


class TensorFlowMissing(CompileError):
    """The export needs it."""


def export(loaded: LoadedModel, path: Path | None = None) -> TrainingFile:
    """Write the training file of a model, whole or not at all; path: none is NETWORK.tflite.

    A file's own weights are where its variables start; a client sets them anew in every round. Raises:
    CompileError if the file cannot be written, TensorFlowMissing.
    """
    layout = plan(loaded.network)
    target = path or Path(f"{loaded.network.name}.tflite")
    _check_place(target)
    _require_tensorflow()
    from jaragua_compiler.litert.convert import convert

    _write(target, convert(layout, loaded.weights))
    return read_training_file(target)


def _check_place(path: Path) -> None:
    """Before the conversion. Raises: CompileError for a place that is missing, or is none of a file of this kind."""
    if not path.absolute().parent.is_dir():
        raise CompileError(f"There is no folder {path.absolute().parent} for {path.name}.", "Make it.")
    if not path.exists():
        return
    if not path.is_file():
        raise CompileError(f"{path} is not an ordinary file.", "Give another --out: the name of a file.")
    with path.open("rb") as file:
        begin = file.read(8)
    if begin and begin[4:] != _SIGNATURE:
        raise CompileError(f"{path} is there, and no .tflite file.", "Give another --out, or take it away.")


def _require_tensorflow() -> None:
    if importlib.util.find_spec("tensorflow") is None:
        raise TensorFlowMissing(
            "TensorFlow is not installed; only the export needs it, devices that train do not.",
            "Run it in the environment that `tools/setup/setup.sh keras` makes, or: pip install tensorflow.",
        )
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # of its log, errors are enough


def _write(path: Path, content: bytes) -> None:
    part = path.with_name(path.name + ".part")
    try:
        part.write_bytes(content)
        part.replace(path)
    except OSError as error:
        with suppress(OSError):
            part.unlink(missing_ok=True)
        raise CompileError(f"{path} cannot be written: {error.strerror or error}.", "Give another --out.") from error
