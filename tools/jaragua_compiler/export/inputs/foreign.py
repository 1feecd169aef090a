"""What to do with files of other tools: they are not read here, but their makers can write one that is."""

from __future__ import annotations

import zipfile
from pathlib import Path

from jaragua_compiler.frontends.keras_archive import CONFIG_NAME

_KERAS_2 = ("an HDF5 file, as Keras 2 writes it", "Save it as .keras with Keras 3: keras.models.load_model(…).save(…).")
_TORCH = ("a file of PyTorch", "Export the model with torch.onnx.export(model, example, 'model.onnx').")
_PICKLE = ("a pickle of Python objects, which is never opened", "Write the network as .keras, .onnx or .tflite.")
_GRAPH = ("a graph of TensorFlow 1", "Convert it to .tflite with tf.lite.TFLiteConverter.")
_CHECKPOINT = ("a checkpoint of weights without a network", "Save the whole model as .keras, .onnx or .tflite.")
_ARRAYS = (
    "a file of weights without a network",
    "Give the model as .keras, .onnx or .tflite; weights of a run go to --start, samples to --samples.",
)
_SUFFIXES: dict[str, tuple[str, str]] = {
    **dict.fromkeys((".h5", ".hdf5", ".hdf"), _KERAS_2),
    **dict.fromkeys((".pt", ".pth", ".ptl", ".torchscript"), _TORCH),
    **dict.fromkeys((".pkl", ".pickle", ".joblib", ".sav"), _PICKLE),
    **dict.fromkeys((".pb", ".pbtxt"), _GRAPH),
    **dict.fromkeys((".ckpt", ".index", ".meta"), _CHECKPOINT),
    **dict.fromkeys((".safetensors", ".npz", ".npy"), _ARRAYS),
}
_BEGINNINGS: dict[bytes, tuple[str, str]] = {
    b"\x89HDF\r\n\x1a\n": _KERAS_2,
    b"\x93NUMPY": _ARRAYS,
    **{bytes((0x80, protocol)): _PICKLE for protocol in range(2, 6)},
}
_SAVED_MODEL = "saved_model.pb"


def foreign(path: Path, start: bytes) -> tuple[str, str] | None:
    """(What a file is, what to do) of one that another tool wrote, by suffix and first bytes; None if unknown."""
    named = _SUFFIXES.get(path.suffix.lower())
    return named or next((known for begin, known in _BEGINNINGS.items() if start.startswith(begin)), None)


def is_other_archive(path: Path) -> bool:
    """True for a whole zip file that is no Keras 3 archive: PyTorch and NumPy write such ones, too."""
    try:
        with zipfile.ZipFile(path) as archive:
            return CONFIG_NAME not in archive.namelist()
    except (OSError, zipfile.BadZipFile):
        return False


def of_folder(path: Path) -> tuple[str, str]:
    """(What a folder is, what to do)."""
    if (path / _SAVED_MODEL).is_file():
        hint = f"Convert it: tf.lite.TFLiteConverter.from_saved_model('{path.name}').convert() makes a .tflite file."
        return "a SavedModel of TensorFlow", hint
    return "a folder", "Give a model file in it: .keras, .onnx or .tflite."
