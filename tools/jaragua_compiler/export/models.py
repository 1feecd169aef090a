"""What the user names -> a network and its weights: a model of the zoo, or a file, told by suffix and first bytes."""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from jaragua_compiler.errors import CompileError
from jaragua_compiler.export.foreign import foreign, is_other_archive, of_folder
from jaragua_compiler.export.source import Source, TrainingDefaults
from jaragua_compiler.frontends.keras import read_keras
from jaragua_compiler.frontends.litert import read_litert
from jaragua_compiler.frontends.onnx import read_onnx
from jaragua_compiler.graph.initial_weights import FloatArray, Weights, initial_weights
from jaragua_compiler.graph.network import Loss, Network
from jaragua_compiler.quantisation.ranges import Ranges

if TYPE_CHECKING:
    from jaragua_models import Model, TaskSource

FileFormat = Literal["keras", "onnx", "tflite"]

ZOO_SEED = 1  # of a zoo model's initial weights
_SUFFIXES: dict[str, FileFormat] = {".keras": "keras", ".onnx": "onnx", ".tflite": "tflite"}
_READERS = {"keras": read_keras, "onnx": read_onnx, "tflite": read_litert}
_NAMES: dict[FileFormat, str] = {"keras": "Keras", "onnx": "ONNX", "tflite": "LiteRT"}
_OWN_DATA = ".toml"


@dataclass(frozen=True)
class LoadedModel:
    """A network, per layer with weights (W, outputs first; b [out]), and what else is known of it.

    `ranges` are those of a quantised model file; `tasks` those of a model of the zoo, or of one's own data.
    """

    network: Network
    weights: Weights
    source: Source
    ranges: Ranges | None = None
    tasks: TaskSource | None = None

    def typical_inputs(self) -> FloatArray | None:
        """Inputs [n, inputs] of the training data; None of a model file, which brings none."""
        return None if self.tasks is None else self.tasks.calibration().astype(float)


def load_model(model: str, loss: Loss | None = None) -> LoadedModel:
    """A zoo name, the path of a model file, or the TOML file of one's own data (docs/tasks.md).

    The last two of the zoo come with seeded initial weights. `loss` is for a model file that does not say its own.
    Raises CompileError, and jaragua_models.ModelError for data.
    """
    path = Path(model)
    own_data = path.suffix.lower() == _OWN_DATA
    if is_file(model) and not own_data:
        return _load_file(path, loss)
    if loss is not None:
        raise CompileError("--loss is for model files; a model of the zoo names its own loss.", "Leave it out.")
    return _described(_own_data(path) if own_data else _of_zoo(model))


def is_file(model: str) -> bool:
    """True if `model` names a file: by its suffix, by a separator in it, or a file of a name the zoo has not."""
    import jaragua_models

    path = Path(model)
    return path.suffix != "" or len(path.parts) != 1 or (path.exists() and model not in jaragua_models.names())


def _described(model: Model) -> LoadedModel:
    """A model that is described and was not trained."""
    told = model.defaults
    defaults = TrainingDefaults(told.learning_rate, told.ways, told.shots, told.passes, told.training_passes)
    weights = initial_weights(model.network, ZOO_SEED)
    return LoadedModel(model.network, weights, Source("random", None, defaults), None, model.tasks)


def _own_data(path: Path) -> Model:
    import jaragua_models

    return jaragua_models.from_toml(path)


def _of_zoo(name: str) -> Model:
    import jaragua_models

    known = jaragua_models.names()
    if name.partition("@")[0] not in known:  # digits@w8: its network with int8 weights
        near = get_close_matches(name.lower(), known, n=1)
        suggestion = f"Did you mean {near[0]!r}? " if near else ""
        raise CompileError(
            f"there is no model {name!r} in the zoo.", f"{suggestion}It has: {', '.join(known)}; or give a file."
        )
    try:
        return jaragua_models.get(name)
    except jaragua_models.ModelError as error:
        raise CompileError(error.message, error.hint) from error


def _load_file(path: Path, loss: Loss | None) -> LoadedModel:
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
    """Told by the first eight bytes. ONNX, a bare protobuf message, begins with nothing of its own."""
    if start.startswith(b"PK\x03\x04"):
        return "keras"
    return "tflite" if start[4:8] == b"TFL3" else None
