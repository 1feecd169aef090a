"""Where a simulation stands, in a folder, so that it can be gone on with after any end (`--directory`)."""

from __future__ import annotations

import fcntl
import hashlib
import io
import json
import os
import zipfile
from collections.abc import Collection
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from jaragua.bases.closing import Closing
from jaragua.errors import StoreError
from jaragua.models import is_file
from jaragua.reasons import reason_of
from jaragua.simulation.models import model_for
from jaragua.simulation.settings import Simulation
from jaragua.store.files import write_whole
from jaragua.strategies import Vector
from jaragua.strategies.guarded import ServerStep
from jaragua.strategies.server_optimiser import NO_MOMENTS, Moments
from jaragua_models import HasRows

_FILE: Final = "simulation.npz"
_LOCK: Final = "simulation.lock"
_VERSION: Final = 2
_CHECKPOINT: Final = "checkpoint:"
_MOMENTS: Final = "moments"
#: Fields of a state that are saved together; in this order they follow its vector.
_NUMBERS: Final = ("rounds_done", "client_tasks", "bytes_up", "bytes_down", "excluded")

SavedArrays: TypeAlias = dict[str, NDArray[Any]]


class RoundCounts(NamedTuple):
    """What one round counted."""

    client_tasks: int
    bytes_up: int
    bytes_down: int
    excluded: int
    """Updates that were not believed (R17)."""


@dataclass(frozen=True)
class State:
    """After `rounds_done` rounds. vector: float64 [parameters], what the server knows; arrays: arrays by name.

    checkpoints: what devices start from after each of these rounds.
    """

    vector: Vector
    rounds_done: int = 0
    client_tasks: int = 0
    bytes_up: int = 0
    bytes_down: int = 0
    excluded: int = 0
    """Updates that were excluded (R17)."""
    arrays: SavedArrays = field(default_factory=dict)
    checkpoints: dict[int, Vector] = field(default_factory=dict)
    moments: Moments = field(default_factory=lambda: NO_MOMENTS)
    """Of the server's optimiser (R18)."""

    def after(
        self,
        round_number: int,
        moved: ServerStep,
        *,
        arrays: SavedArrays,
        counts: RoundCounts,
        checkpoints: Collection[int],
        start: Vector | None = None,
    ) -> State:
        """After another round that moved vector and moments; counts: of that round alone.

        start: what devices start from; None: the vector.
        """
        kept = {round_number: moved.vector if start is None else start} if round_number in checkpoints else {}
        return replace(
            self,
            vector=moved.vector,
            moments=moved.moments,
            checkpoints=self.checkpoints | kept,
            rounds_done=round_number,
            client_tasks=self.client_tasks + counts.client_tasks,
            bytes_up=self.bytes_up + counts.bytes_up,
            bytes_down=self.bytes_down + counts.bytes_down,
            excluded=self.excluded + counts.excluded,
            arrays=arrays,
        )


class StateFolder(Closing):
    """One simulation a folder, and one process. A kill or a power cut in a save leaves the one before."""

    def __init__(self, folder: Path, simulation: Simulation) -> None:
        """Raises: StoreError if the folder cannot be used, or another process works in it."""
        self._lock = _locked(folder)
        self._path = folder / _FILE
        self._identity = json.dumps(simulation.identity() | {"version": _VERSION} | _data(simulation), sort_keys=True)

    def close(self) -> None:
        """Another process may have it."""
        os.close(self._lock)

    def load(self) -> State | None:
        """What was saved last, None if nothing was. Raises: StoreError if it is damaged or of another simulation."""
        if not self._path.exists():
            return None
        try:
            with np.load(io.BytesIO(self._path.read_bytes()), allow_pickle=False) as found:
                arrays = {name: found[name] for name in found.files}
            identity = dict(json.loads(str(arrays.pop("identity"))))
            rounds_done, *more = arrays.pop("numbers").tolist()
            vector, moments = arrays.pop("vector"), arrays.pop(_MOMENTS, NO_MOMENTS)
            checkpoints = {
                int(name.removeprefix(_CHECKPOINT)): arrays.pop(name)
                for name in list(arrays)
                if name.startswith(_CHECKPOINT)
            }
        except OSError as error:
            raise _unreadable(self._path, reason_of(error)) from error
        except (ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile) as error:
            raise _unreadable(self._path, "it is damaged, or no saved simulation") from error
        self._require_same(identity)
        known = dict(zip(_NUMBERS, (rounds_done, *more), strict=False))  # earlier versions saved fewer
        return State(vector, **known, arrays=arrays, checkpoints=checkpoints, moments=moments)

    def save(self, state: State) -> None:
        """Replace what was saved. Raises: StoreError."""
        numbers = np.array([getattr(state, name) for name in _NUMBERS])
        content = io.BytesIO()
        arrays: dict[str, Any] = {f"{_CHECKPOINT}{number}": vector for number, vector in state.checkpoints.items()}
        arrays |= state.arrays | ({_MOMENTS: state.moments} if state.moments.size else {})
        np.savez(content, identity=self._identity, numbers=numbers, vector=state.vector, **arrays)
        try:
            write_whole(self._path, content.getvalue())
        except StoreError as error:
            hint = "make room, or correct its permissions, and repeat the command; what was saved before is kept"
            raise StoreError(error.message, hint) from error

    def _require_same(self, saved: dict[str, Any]) -> None:
        wanted = json.loads(self._identity)
        if saved == wanted:
            return
        changed = sorted(name for name in saved.keys() | wanted.keys() if saved.get(name) != wanted.get(name))
        raise StoreError(
            f"{self._path.parent} holds a simulation with other values of {', '.join(changed)}",
            "give the same options to go on, or another folder to begin",
        )


def _locked(folder: Path) -> int:
    """The folder, made if need be, for this process alone; the system frees it when the process dies."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        handle = os.open(folder / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as error:
        message = f"the state folder {folder} cannot be used: {reason_of(error)}"
        raise StoreError(message, "check the path and its rights, or give another folder") from error
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(handle)
        raise StoreError(
            f"another process works in the state folder {folder}", "wait for it, or give another folder"
        ) from error
    return handle


def _data(simulation: Simulation) -> dict[str, str]:
    """Of one's own data what they are, all rows and what they were scaled by; the zoo's are what their names say."""
    if not is_file(simulation.task):
        return {}
    model = model_for(simulation)
    digest = hashlib.sha256(f"{model.network!r}{model.interface!r}".encode())
    if isinstance(model.tasks, HasRows):
        rows = model.tasks.rows()
        digest.update(np.ascontiguousarray(rows.x, np.float32).tobytes() + np.ascontiguousarray(rows.y).tobytes())
    else:
        digest.update(np.ascontiguousarray(model.tasks.calibration(), np.float32).tobytes())
    return {"data": digest.hexdigest()}


def _unreadable(path: Path, why: str) -> StoreError:
    return StoreError(f"{path} cannot be read: {why}", "delete it, or give another folder")
