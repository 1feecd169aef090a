"""What the files beside a run's database tell of its rounds: more than the database, once that has lost some (R16).

Each of them is written after the database has committed a round, so none can be ahead of a database that is whole.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from jaragua.bases.value import Value
from jaragua.errors import LostRunError
from jaragua.store.aside import EARLIER
from jaragua.store.database import Store

DATABASE: Final = "run.sqlite"
METRICS: Final = "metrics.jsonl"
SUMMARY: Final = "run.json"
WEIGHTS: Final = "weights"

#: Larger databases are not read as a whole before a run goes on: on a memory card that would take minutes.
_MOST_BYTES_CHECKED: Final = 256 << 20
#: Of a safetensors file's header, which names a few tensors.
_MOST_HEADER_BYTES: Final = 1 << 20


class Trace(Value):
    """What one file tells. run: "" if it names none; model_hash: hexadecimal, of the packed initialisation."""

    file: str
    rounds_done: int
    model_hash: str
    run: str = ""


class Loss(Value):
    """A database that knows less than the traces. redo: it can be gone on with, and the lost rounds done again."""

    message: str
    redo: bool

    def error(self, path: Path) -> LostRunError:
        """The loss as an error that says what can be done."""
        again = "`jaragua run CONFIG --resume` does the lost rounds again; " if self.redo else ""
        hint = f"put a whole copy of {DATABASE} (and its -wal) back into {path}; or {again}`jaragua run CONFIG --new`"
        return LostRunError(self.message, f"{hint} begins anew; what is there is kept in {path}/{EARLIER}<n>")


def traces_of(path: Path) -> list[Trace]:
    """What the files of a run's folder tell of closed rounds, the most rounds last."""
    found = [*_of_summary(path / SUMMARY), *_of_metrics(path / METRICS)]
    for weights in sorted((path / WEIGHTS).glob("*.safetensors")):
        found += _of_weights(weights)
    return sorted((one for one in reversed(found) if one.rounds_done > 0), key=lambda one: one.rounds_done)


def loss_in(path: Path, traces: list[Trace]) -> Loss | None:
    """What the database of a folder has lost of what the traces tell; nothing is changed. traces: taken before.

    Raises: StoreError if the database is there and cannot be read.
    """
    database = path / DATABASE
    if not traces:
        return None
    if not database.is_file() or not database.stat().st_size:
        state = "empty" if database.is_file() else "missing"
        return Loss(f"{database} is {state}, but {_told(traces[-1])}", redo=False)
    with Store(database, read_only=True) as store:
        record = store.run()
        if record is None:
            return Loss(f"{database} holds no run, but {_told(traces[-1])}", redo=False)
        return _compared(database, record.run, store.blob_hashes(record.run), traces)


def check_whole(path: Path) -> None:
    """Read a folder's database once, if there is one, and it is not huge. Raises: StoreError if it is damaged."""
    database = path / DATABASE
    if not database.is_file() or not 0 < database.stat().st_size <= _MOST_BYTES_CHECKED:
        return
    with Store(database, read_only=True) as store:
        store.check_whole()


def _compared(database: Path, run: str, hashes: list[bytes], traces: list[Trace]) -> Loss | None:
    for one in traces:
        if one.run and one.run != run:
            return Loss(f"{database} is of the run {run}, but {_told(one)} of the run {one.run}", redo=False)
        if one.rounds_done < len(hashes) and one.model_hash != hashes[one.rounds_done].hex():
            return Loss(f"{database} has another model after round {one.rounds_done} than {one.file}", redo=False)
    known, last = len(hashes) - 1, traces[-1]
    if last.rounds_done <= known:
        return None
    lost = f"rounds {known + 1} to {last.rounds_done} are" if last.rounds_done > known + 1 else f"round {known + 1} is"
    return Loss(f"{database} knows {known} rounds, but {_told(last)}: {lost} lost", redo=True)


def _told(one: Trace) -> str:
    return f"{one.file} tells of {one.rounds_done} round{'s' if one.rounds_done > 1 else ''}"


def _of_summary(path: Path) -> Iterator[Trace]:
    with suppress(OSError, ValueError, KeyError, TypeError):
        found = json.loads(path.read_bytes())
        yield Trace(path.name, int(found["rounds_done"]), str(found["model_hash"]), str(found["run"]))


def _of_metrics(path: Path) -> Iterator[Trace]:
    """Traces in its last complete line; a kill may have left half of one."""
    with suppress(OSError):
        for line in reversed(path.read_bytes().splitlines()):
            with suppress(ValueError, KeyError, TypeError):
                found = json.loads(line)
                yield Trace(path.name, int(found["round"]), str(found["model_hash"]))
                return


def _of_weights(path: Path) -> Iterator[Trace]:
    with suppress(OSError, ValueError, KeyError, TypeError), path.open("rb") as source:
        length = int.from_bytes(source.read(8), "little")
        found: dict[str, Any] = json.loads(source.read(min(length, _MOST_HEADER_BYTES)))["__metadata__"]
        yield Trace(f"{WEIGHTS}/{path.name}", int(found["rounds_done"]), str(found["blob_sha256"]))
