"""Where a simulation stands, in a folder, so that it can be gone on with after any end (`--state`)."""

from __future__ import annotations

import io
import json
import os
import zipfile
from collections.abc import Collection
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from jaragua.errors import StoreError
from jaragua.simulate.settings import Simulation
from jaragua.strategies import Vector

_FILE: Final = "simulation.npz"
_VERSION: Final = 1
_CHECKPOINT: Final = "checkpoint:"

Memory: TypeAlias = dict[str, NDArray[Any]]


@dataclass(frozen=True)
class State:
    """After `rounds_done` rounds. vector: float64 [parameters], what the server knows; memory: arrays by name.

    checkpoints: the vector after each of these rounds.
    """

    vector: Vector
    rounds_done: int = 0
    client_tasks: int = 0
    bytes_up: int = 0
    bytes_down: int = 0
    memory: Memory = field(default_factory=dict)
    checkpoints: dict[int, Vector] = field(default_factory=dict)

    def after(
        self,
        round_number: int,
        moved: Vector,
        *,
        memory: Memory,
        client_tasks: int,
        bytes_up: int,
        bytes_down: int,
        checkpoints: Collection[int],
    ) -> State:
        """After another round that moved the vector; client_tasks and bytes: of that round alone."""
        kept = {round_number: moved} if round_number in checkpoints else {}
        return replace(
            self,
            vector=moved,
            checkpoints=self.checkpoints | kept,
            rounds_done=round_number,
            client_tasks=self.client_tasks + client_tasks,
            bytes_up=self.bytes_up + bytes_up,
            bytes_down=self.bytes_down + bytes_down,
            memory=memory,
        )


class StateFolder:
    """One simulation a folder. Each save replaces the file at once, so a kill leaves the one before."""

    def __init__(self, folder: Path, simulation: Simulation) -> None:
        self._path = folder / _FILE
        self._identity = json.dumps(simulation.identity() | {"version": _VERSION}, sort_keys=True)

    def load(self) -> State | None:
        """What was saved last, None if nothing was. Raises: StoreError if it is damaged or of another simulation."""
        if not self._path.exists():
            return None
        try:
            with np.load(io.BytesIO(self._path.read_bytes()), allow_pickle=False) as found:
                arrays = {name: found[name] for name in found.files}
            identity = str(arrays.pop("identity"))
            rounds_done, client_tasks, bytes_up, bytes_down = arrays.pop("numbers").tolist()
            vector = arrays.pop("vector")
            checkpoints = {
                int(name.removeprefix(_CHECKPOINT)): arrays.pop(name)
                for name in list(arrays)
                if name.startswith(_CHECKPOINT)
            }
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
            raise StoreError(f"{self._path} cannot be read: {error}", "delete it, or give another folder") from error
        self._require_same(identity)
        return State(vector, rounds_done, client_tasks, bytes_up, bytes_down, arrays, checkpoints)

    def save(self, state: State) -> None:
        """Replace what was saved. Raises: StoreError."""
        numbers = np.array([state.rounds_done, state.client_tasks, state.bytes_up, state.bytes_down])
        content = io.BytesIO()
        arrays: dict[str, Any] = {f"{_CHECKPOINT}{number}": vector for number, vector in state.checkpoints.items()}
        arrays |= state.memory
        np.savez(content, identity=self._identity, numbers=numbers, vector=state.vector, **arrays)
        temporary = self._path.with_suffix(".tmp")
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            temporary.write_bytes(content.getvalue())
            os.replace(temporary, self._path)
        except OSError as error:
            raise StoreError(f"{self._path} cannot be written: {error.strerror}", "check the disk") from error

    def _require_same(self, identity: str) -> None:
        if identity == self._identity:
            return
        saved, wanted = json.loads(identity), json.loads(self._identity)
        changed = sorted(name for name in saved.keys() | wanted.keys() if saved.get(name) != wanted.get(name))
        raise StoreError(
            f"{self._path.parent} holds a simulation with other values of {', '.join(changed)}",
            "give the same options to go on, or another folder to begin",
        )
