"""Read a `.keras` archive (Keras 3: config.json and model.weights.h5 in a zip file) without Keras or TensorFlow."""

from __future__ import annotations

import io
import json
import re
import zipfile
import zlib
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

from jaragua_compiler.errors import CompileError
from jaragua_compiler.graph.initial_weights import FloatArray

CONFIG_NAME = "config.json"
WEIGHTS_NAME = "model.weights.h5"
LARGEST_MEMBER_BYTES = 256 << 20  # far above any network of a microcontroller

KerasConfig = dict[str, Any]
KerasWeights = dict[str, list[FloatArray]]


def read_archive(path: Path) -> tuple[KerasConfig, KerasWeights]:
    """The content of config.json, and per layer name its weights in Keras' order (kernel [in, out], bias [out]).

    Raises CompileError if the file is not such an archive, or h5py is missing.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            config = json.loads(_member(archive, path, CONFIG_NAME))
            weights = _member(archive, path, WEIGHTS_NAME)
    except OSError as error:
        raise CompileError(f"{path} cannot be read: {error.strerror or error}.", "Check the path.") from error
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError) as error:
        raise CompileError(
            f"{path} is not a Keras 3 archive.", "Save the model with model.save('name.keras')."
        ) from error
    if not isinstance(config, dict) or not isinstance(config.get("config"), dict):
        raise CompileError(f"{path} describes no Keras model.", "Save the model with model.save('name.keras').")
    return config, _read_weights(path, config, weights)


def layer_configs(config: KerasConfig) -> list[KerasConfig]:
    """The layers of a Sequential or functional model's serialised form, in their order."""
    layers = config.get("config", {}).get("layers")
    if not isinstance(layers, list):
        raise CompileError(
            f"the Keras model is a {config.get('class_name', 'model without class')}, whose layers are not listed.",
            "Build it with keras.Sequential or with the functional interface.",
        )
    return layers


def _member(archive: zipfile.ZipFile, path: Path, name: str) -> bytes:
    try:
        entry = archive.getinfo(name)
    except KeyError as error:
        raise CompileError(
            f"{path} holds no {name}.", "Save the model with Keras 3: model.save('name.keras')."
        ) from error
    if entry.file_size > LARGEST_MEMBER_BYTES:
        raise CompileError(f"{path}: {name} has {entry.file_size} bytes; this is no network for a microcontroller.")
    return archive.read(entry)


def _read_weights(path: Path, config: KerasConfig, content: bytes) -> KerasWeights:
    try:
        import h5py  # type: ignore[import-untyped]
    except ImportError as error:
        raise CompileError("reading a .keras file needs h5py.", "pip install h5py") from error
    weights: KerasWeights = {}
    try:
        with h5py.File(io.BytesIO(content), "r") as file:
            for layer, group in zip(layer_configs(config), _group_names(config), strict=True):
                variables = file.get(f"layers/{group}/vars", {})
                weights[layer["config"]["name"]] = [
                    np.asarray(variables[str(index)], dtype=np.float64) for index in range(len(variables))
                ]
    except (OSError, RuntimeError, LookupError, AttributeError, TypeError, ValueError) as error:
        raise CompileError(f"{path}: its weights cannot be read: {error}.", "Save the model again.") from error
    return weights


def _group_names(config: KerasConfig) -> list[str]:
    """The names Keras 3 gives layers in the weights file: class name in snake case, numbered from the second on."""
    seen: Counter[str] = Counter()
    names = []
    for layer in layer_configs(config):
        name = _snake_case(str(layer.get("class_name")))
        names.append(f"{name}_{seen[name]}" if seen[name] else name)
        seen[name] += 1
    return names


def _snake_case(name: str) -> str:
    """As keras.src.utils.naming.to_snake_case."""
    name = re.sub(r"\W+", "", name)
    name = re.sub("(.)([A-Z][a-z]+)", r"\1_\2", name)
    return re.sub("([a-z])([A-Z])", r"\1_\2", name).lower()
