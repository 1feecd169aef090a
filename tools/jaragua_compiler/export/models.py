"""What the user names -> a network and its weights: a model of the zoo, or a file, told by suffix and first bytes."""

from __future__ import annotations

from difflib import get_close_matches
from pathlib import Path
from typing import Literal

from jaragua_compiler.errors import CompileError
from jaragua_compiler.frontends import from_keras, from_litert, from_onnx
from jaragua_compiler.frontends.litert import read_litert
from jaragua_compiler.initial import FloatArray, Weights, initial_weights
from jaragua_compiler.network import Loss, Network
from jaragua_compiler.ranges import Ranges

FileFormat = Literal["keras", "onnx", "tflite"]

ZOO_SEED = 1  # of a zoo model's initial weights
_SUFFIXES: dict[str, FileFormat] = {".keras": "keras", ".onnx": "onnx", ".tflite": "tflite"}
_READERS = {"keras": from_keras, "onnx": from_onnx, "tflite": from_litert}
_NAMES: dict[FileFormat, str] = {"keras": "Keras", "onnx": "ONNX", "tflite": "LiteRT"}


def load_model(model: str, loss: Loss | None = None) -> tuple[Network, Weights]:
    """A zoo name or the path of a model file -> (Network, per layer with weights (W, outputs first; b [out])).

    A zoo model comes with seeded initial weights. `loss` is for a file that does not say its own. Raises CompileError.
    """
    if is_file(model):
        return _load_file(Path(model), loss)
    if loss is not None:
        raise CompileError("--loss is for model files; a model of the zoo names its own loss.", "Leave it out.")
    network = _zoo_network(model)
    return network, initial_weights(network, ZOO_SEED)


def file_ranges(model: str, loss: Loss | None = None) -> Ranges | None:
    """The ranges a quantised model file gives for its values; None for a file that has none, and for the zoo."""
    if not is_file(model) or _format(Path(model)) != "tflite":
        return None
    return read_litert(Path(model), loss).ranges


def zoo_samples(model: str) -> FloatArray | None:
    """Typical inputs [n, inputs] of a zoo model, from its training data; None for a file, which brings none."""
    if is_file(model):
        return None
    import jaragua_models

    return jaragua_models.get(model).tasks.calibration().astype(float)


def is_file(model: str) -> bool:
    """True if `model` names a file: by its suffix, by a separator in it, or a file of a name the zoo has not."""
    import jaragua_models

    path = Path(model)
    return path.suffix != "" or len(path.parts) != 1 or (path.is_file() and model not in jaragua_models.names())


def _zoo_network(name: str) -> Network:
    import jaragua_models

    known = jaragua_models.names()
    if name.partition("@")[0] not in known:  # digits@w8: its network with int8 weights
        near = get_close_matches(name.lower(), known, n=1)
        suggestion = f"Did you mean {near[0]!r}? " if near else ""
        raise CompileError(
            f"there is no model {name!r} in the zoo.", f"{suggestion}It has: {', '.join(known)}; or give a file."
        )
    try:
        return jaragua_models.get(name).network
    except jaragua_models.ModelError as error:
        raise CompileError(error.message, error.hint) from error


def _load_file(path: Path, loss: Loss | None) -> tuple[Network, Weights]:
    return _READERS[_format(path)](path, loss)


def _format(path: Path) -> FileFormat:
    """The format of a file: what it begins with must not speak against its suffix."""
    start = _first_bytes(path)
    named, found = _SUFFIXES.get(path.suffix.lower()), _format_of(start)
    if not start:
        raise CompileError(f"{path} is empty.", "Save the model again.")
    if named is None and found is None:
        raise CompileError(f"{path} is no model file known here.", f"Known are: {', '.join(_SUFFIXES)}.")
    if named is not None and found is not None and named != found:
        raise CompileError(
            f"{path} is named like {_NAMES[named]} and holds {_NAMES[found]}.", "Give it the suffix of what it holds."
        )
    chosen = named or found
    assert chosen is not None
    return chosen


def _first_bytes(path: Path) -> bytes:
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
