"""The weights that a simulation starts from and ends with, as files (`--start`, `--save`, `Result.save`)."""

from __future__ import annotations

import os
from pathlib import Path

from jaragua.coordinator.weights.codec import ModelCodec
from jaragua.coordinator.weights.first_weights import read_first_weights
from jaragua.errors import StoreError
from jaragua.simulation.models import model_for, with_scaling_of
from jaragua.simulation.settings import Simulation, SimulationResult
from jaragua.store.files import write_whole
from jaragua.store.run_folder import weights_content
from jaragua.strategies import Vector
from jaragua_compiler.export.inputs.weights_file import read_interface

#: Of a safetensors file, in bytes; eight letters of a text are a far larger number.
_LONGEST_HEADER = 1 << 32


def started(path: Path, simulation: Simulation) -> tuple[Simulation, Vector]:
    """The simulation in the scaling of these first weights (R22.2), and the weights. Raises: as `read`; ModelError."""
    wanted = with_scaling_of(simulation, read_interface(path), str(path))
    return wanted, read(path, wanted)


def read(path: Path, simulation: Simulation) -> Vector:
    """First weights of the simulation's model, float64 [parameters].

    Raises: CompileError if they do not fit it, or its data have another scaling.
    """
    return read_first_weights(path, model_for(simulation)).vector


def check_place(path: Path) -> None:
    """Before hours of training. Raises: StoreError if no such file can be written."""
    folder = path.absolute().parent
    if path.is_dir():
        raise StoreError(f"{path} is a folder", "name a file in it, for example start.safetensors")
    if path.exists() and not path.is_file():
        raise StoreError(f"{path} is not an ordinary file: a device would be replaced by one", "name another place")
    if path.exists() and not _is_replaceable(path):
        raise StoreError(f"{path} is there, and no file of weights", "name another place, or take it away")
    if not folder.is_dir():
        raise StoreError(f"there is no folder {folder} for {path.name}", "make it, or name another place")
    if not os.access(folder, os.W_OK):
        raise StoreError(f"{path} cannot be written: no right to write in {folder}", "name another place")


def _is_replaceable(path: Path) -> bool:
    """Empty, or as safetensors begin: the length of a header in eight bytes, and the header. Not a table of data."""
    try:
        with path.open("rb") as file:
            begin = file.read(9)
    except OSError:
        return True  # what cannot be read is decided by the folder's rights
    return not begin or (begin[8:] == b"{" and int.from_bytes(begin[:8], "little") < _LONGEST_HEADER)


def write(path: Path, simulation: Simulation, result: SimulationResult) -> None:
    """What new devices start from. Raises: StoreError."""
    model = model_for(simulation)
    arrays = ModelCodec(model).arrays(result.learned)
    try:
        write_whole(path, weights_content(arrays, result.rounds, result.final_hash, model.interface))
    except StoreError as error:
        hint = "make room, or name another place; a simulation that has a directory trains nothing again"
        raise StoreError(error.message, hint) from error
