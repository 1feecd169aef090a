"""First weights that a file gives in place of those of the seed (R22)."""

from __future__ import annotations

import hashlib
from pathlib import Path

from jaragua.bases.value import Value
from jaragua.errors import ConfigurationError
from jaragua.strategies import Strategy, Vector
from jaragua.strategies.vectors import flat
from jaragua_compiler.errors import CompileError
from jaragua_compiler.export.inputs.weights_file import read_interface, read_weights
from jaragua_models import Model


class FirstWeights(Value):
    """float64 [parameters], and the file that they are from."""

    path: Path
    vector: Vector

    @property
    def sha256(self) -> str:
        """What tells them from others, in hexadecimal."""
        return start_hash(self.vector)


def start_hash(vector: Vector) -> str:
    """SHA-256 of first weights in float64, little endian."""
    return hashlib.sha256(vector.astype("<f8").tobytes()).hexdigest()


def read_first_weights(path: Path, model: Model) -> FirstWeights:
    """Of a safetensors file. Raises: CompileError if it is not of that model, or of data with another scaling."""
    _check_data(path, model)
    return FirstWeights(path, flat(read_weights(path, model.network)))


def check_takes_start(name: str, strategy: Strategy) -> None:
    """Raises: ConfigurationError if a strategy has first weights of its own. name: of the strategy."""
    if strategy.TRUE_CLASSES or not strategy.TRAINS:
        message = f"'{name}' has first weights of its own, and would take none of --start"
        raise ConfigurationError(message, "leave it out, or take another strategy")


def _check_data(path: Path, model: Model) -> None:
    told, own = read_interface(path), model.interface
    if told is None:
        return  # of the zoo, or of another program: layers and shapes tell
    if own is None:
        message = f"{path}: the weights are of a {told.kind} task, and {model.name!r} is a model of the zoo."
        raise CompileError(message, "Name the TOML file of their task as the model, or give other weights.")
    own.check_same_data(told, str(path))
    if told.inputs != own.inputs:
        hint = f"Put the weights' scaling into the TOML file: `jaragua data TASK.toml --scaling {path.name}`."
        raise CompileError(f"{path}: the weights were trained with another scaling than that of the task.", hint)
