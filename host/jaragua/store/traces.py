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
from jaragua.store.backend import Place
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
    """A database that knows less than the traces. redo: it can be gone on with, and the lost rounds done again.

    mend: what brings the database back.
    """

    message: str
    redo: bool
    mend: str

    def error(self, path: Path) -> LostRunError:
        """The loss as an error that says what can be done."""
        again = "`jaragua run CONFIG --resume` does the lost rounds again; " if self.redo else ""
        hint = f"{self.mend}; or {again}`jaragua run CONFIG --new`"
        return LostRunError(self.message, f"{hint} begins anew; what is there is kept in {path}/{EARLIER}<n>")


def traces_of(path: Path) -> list[Trace]:
    """What the files of a run's folder tell of closed rounds, the most rounds last."""
    found = [*_of_summary(path / SUMMARY), *_of_metrics(path / METRICS)]
    for weights in sorted((path / WEIGHTS).glob("*.safetensors")):
        found += _of_weights(weights)
    return sorted((one for one in reversed(found) if one.rounds_done > 0), key=lambda one: one.rounds_done)


def loss_in(place: Place, traces: list[Trace]) -> Loss | None:
    """What a run's database has lost of what the traces tell; nothing is changed. traces: taken before.

    Raises: StoreError if the database is there and cannot be read.
    """
    if not traces:
        return None
    if isinstance(place, Path) and not _has_content(place):
        state = "empty" if place.is_file() else "missing"
        return Loss(f"{place} is {state}, but {_told(traces[-1])}", redo=False, mend=_mend(place))
    with Store(place, read_only=True) as store:
        record = store.run()
        if record is None:
            return Loss(f"{place} holds no run, but {_told(traces[-1])}", redo=False, mend=_mend(place))
        return _compared(place, record.run, store.blob_hashes(record.run), traces)


def is_begun(place: Place) -> bool:
    """Whether a database holds a run; nothing is made or changed. Raises: StoreError."""
    if isinstance(place, Path) and not _has_content(place):
        return False
    with Store(place, read_only=True) as store:
        return store.run() is not None


def check_whole(place: Place) -> None:
    """Read a run's database once, if it is there, and is not huge. Raises: StoreError if it is damaged."""
    if isinstance(place, Path) and not (_has_content(place) and place.stat().st_size <= _MOST_BYTES_CHECKED):
        return
    with Store(place, read_only=True) as store:
        store.check_whole()


def _has_content(file: Path) -> bool:
    return file.is_file() and file.stat().st_size > 0


def _mend(place: Place) -> str:
    if isinstance(place, Path):
        return f"put a whole copy of {place.name} (and its -wal) back into {place.parent}"
    return "restore a newer backup of that database, or correct store.url"


def _compared(place: Place, run: str, hashes: list[bytes], traces: list[Trace]) -> Loss | None:
    mend = _mend(place)
    for one in traces:
        if one.run and one.run != run:
            message = f"{place} is of the run {run}, but {_told(one)} of the run {one.run}"
            return Loss(message, redo=False, mend=mend)
        if one.rounds_done < len(hashes) and one.model_hash != hashes[one.rounds_done].hex():
            message = f"{place} has another model after round {one.rounds_done} than {one.file}"
            return Loss(message, redo=False, mend=mend)
    known, last = len(hashes) - 1, traces[-1]
    if last.rounds_done <= known:
        return None
    lost = f"rounds {known + 1} to {last.rounds_done} are" if last.rounds_done > known + 1 else f"round {known + 1} is"
    return Loss(f"{place} knows {known} rounds, but {_told(last)}: {lost} lost", redo=True, mend=mend)


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
