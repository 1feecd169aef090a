"""Model files of other tools: a network and its weights, told by suffix and first bytes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from jaragua_compiler.errors import CompileError
from jaragua_compiler.export.inputs.foreign import foreign, is_other_archive, of_folder
from jaragua_compiler.export.inputs.input_format import InputFormat
from jaragua_compiler.export.inputs.source import Source
from jaragua_compiler.frontends.keras import read_keras
from jaragua_compiler.frontends.litert import read_litert
from jaragua_compiler.frontends.onnx import read_onnx
from jaragua_compiler.graph.initial_weights import FloatArray, Weights
from jaragua_compiler.graph.network import Loss, Network
from jaragua_compiler.quantisation.calibration import calibration_rows
from jaragua_compiler.quantisation.ranges import Ranges

FileFormat = Literal["keras", "onnx", "tflite"]

_SUFFIXES: dict[str, FileFormat] = {".keras": "keras", ".onnx": "onnx", ".tflite": "tflite"}
_READERS = {"keras": read_keras, "onnx": read_onnx, "tflite": read_litert}
_NAMES: dict[FileFormat, str] = {"keras": "Keras", "onnx": "ONNX", "tflite": "LiteRT"}


@dataclass(frozen=True)
class LoadedModel:
    """A network, per layer with weights (W, outputs first; b [out]), and what else is known of it.

    `ranges` are those of a quantised model file; `calibration` gives inputs [n, inputs] of the training data, if there
    are any. `inputs`: how readings become inputs; `classes`: the names of the labels in their order. The generated C
    has functions for both, where they are known.
    """

    network: Network
    weights: Weights
    source: Source
    ranges: Ranges | None = None
    calibration: Callable[[], npt.NDArray[np.floating[Any]]] | None = None
    inputs: InputFormat | None = None
    classes: tuple[str, ...] = ()

    def typical_inputs(self) -> FloatArray | None:
        """Inputs [n, inputs] of the training data, those a fleet estimates its formats from; None of a model file."""
        return None if self.calibration is None else calibration_rows(self.calibration()).astype(float)

    def started(self, weights: Weights) -> LoadedModel:
        """The same with other weights, under which only the range of the input still holds."""
        ranges = None if self.ranges is None else self.ranges.of_input_alone()
        return replace(self, weights=weights, ranges=ranges, source=replace(self.source, weights="start"))


def load_file(path: Path, loss: Loss | None = None) -> LoadedModel:
    """The network of a Keras, ONNX or LiteRT file, with its weights. loss: of a file that does not say its own.

    Raises: CompileError.
    """
    found = _READERS[_format(path)](path, loss)
    return LoadedModel(found.network, found.weights, Source("file", found.samples), found.ranges)


def _format(path: Path) -> FileFormat:
    """The format of a file: what it begins with must not speak against its suffix."""
    start = _first_bytes(path)
    if not start:
        raise CompileError(f"{path} is empty.", "Save the model again.")
    named, found = _SUFFIXES.get(path.suffix.lower()), _format_of(start)
    if found == "keras" and named is None and is_other_archive(path):
        found = None
    other = foreign(path, start) if found is None else None
    if other is not None:
        raise CompileError(f"{path} is {other[0]}.", other[1])
    chosen = named or found
    if chosen is None:
        raise CompileError(f"{path} is no model file known here.", f"Known are: {', '.join(_SUFFIXES)}.")
    if named is not None and found is not None and named != found:
        raise CompileError(
            f"{path} is named like {_NAMES[named]} and holds {_NAMES[found]}.", "Give it the suffix of what it holds."
        )
    return chosen


def _first_bytes(path: Path) -> bytes:
    if path.is_dir():
        what, hint = of_folder(path)
        raise CompileError(f"{path} is {what}.", hint)
    try:
        with path.open("rb") as file:
            return file.read(8)
    except OSError as error:
        raise CompileError(f"{path} cannot be read: {error.strerror or error}.", "Check the path.") from error


def _format_of(start: bytes) -> FileFormat | None:
    """Recognised by the first eight bytes. ONNX, a bare protobuf message, begins with nothing of its own."""
    if start.startswith(b"PK\x03\x04"):
        return "keras"
    return "tflite" if start[4:8] == b"TFL3" else None
