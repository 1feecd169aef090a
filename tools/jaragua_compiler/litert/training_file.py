"""A `.tflite` file with a training step: what it says of itself, read without any runtime."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jaragua_compiler.errors import CompileError
from jaragua_compiler.frontends.flatbuffer import FlatbufferError, Table, root
from jaragua_compiler.frontends.litert_file import read_file

#: Name of the metadata entry; its buffer is JSON: format, architecture (hex, A6.2), network.
METADATA_NAME = "jaragua"
#: Of the signatures train, evaluate, infer, save, restore (docs/reference/litert.md).
#: 2: the rate has the shape (1,); in format 1 it was a scalar, which ends a process on aarch64.
FORMAT = 2

_EXPORT = "Make one with `jaragua export-litert MODEL` on a machine with TensorFlow."
# Fields of the table Model in TensorFlow Lite's schema, version 3.
_BUFFERS, _METADATA = 4, 6


@dataclass(frozen=True)
class TrainingFile:
    """A file and the network it trains. architecture: that of the plan, eight bytes (A6.2)."""

    path: Path
    architecture: bytes
    network: str


def read_training_file(path: Path) -> TrainingFile:
    """What the file says of itself. Raises CompileError if it is not there, broken, or no training file."""
    data = read_file(path, _EXPORT, _EXPORT)
    try:
        words = _words(root(data))
        _check_format(path, words["format"])
        return TrainingFile(path, bytes.fromhex(words["architecture"]), str(words["network"]))
    except (FlatbufferError, ValueError, KeyError, TypeError) as error:
        raise CompileError(f"{path} holds no training step of Jaragua.", _EXPORT) from error


def find_training_files(path: Path) -> list[TrainingFile]:
    """The training file at `path`, or those in that folder. Raises CompileError if there is none."""
    if not path.is_dir():
        return [read_training_file(path)]
    found = [read_training_file(file) for file in sorted(path.glob("*.tflite"))]
    if not found:
        raise CompileError(f"there is no .tflite file in {path}.", _EXPORT)
    return found


def _words(model: Table) -> dict[str, Any]:
    """The metadata; KeyError if there is none."""
    entries = {entry.text(0): entry.integer(1, "I") for entry in model.tables(_METADATA)}
    buffers = model.tables(_BUFFERS)
    number = entries[METADATA_NAME]
    if number >= len(buffers):
        raise FlatbufferError(f"buffer {number} of {len(buffers)}")
    words: dict[str, Any] = json.loads(buffers[number].numbers(0, "B").tobytes())
    return words


def _check_format(path: Path, found: object) -> None:
    if type(found) is not int:
        raise ValueError("the format is not a number")
    if found != FORMAT:
        raise CompileError(
            f"{path} is a training file of format {found}; this jaragua reads format {FORMAT}.",
            f"Export it again with `jaragua export-litert`, from a jaragua whose files have format {FORMAT}.",
        )
