"""The folder of a run. `run.sqlite`, or a PostgreSQL database, is the truth; all else is written from it, for people.

config.toml       the configuration with every default filled in: `jaragua run` takes it again
metrics.jsonl     a line a round, as it was closed
weights/          initial, latest and final initialisation as safetensors (float64)
input.json        of one's own data: columns, scaling and classes, as nodes have them (M17)
facts.json        versions that made the run, and what its network takes of a board's memory
evaluation.json   held-out tasks on devices, if `jaragua demo` or `jaragua evaluate` asked for them
devices.json      with `devices.match`: which devices were picked, and the descriptions that decided it (S7.4)
run.json          a summary: where the run stands
earlier-<n>/      what was here before the run was begun anew (`--new`), or lost rounds were done again (R16)
"""

from __future__ import annotations

import fcntl
import json
import os
import secrets
from collections.abc import Callable, Iterable, Mapping
from dataclasses import MISSING, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import save

from jaragua.bases.closing import Closing
from jaragua.config import RunConfig
from jaragua.config.schema import as_json
from jaragua.config.store_url import parse_store_url
from jaragua.errors import ConfigurationError, RunError, StoreError
from jaragua.node.connection.url import parse_broker_url
from jaragua.reasons import reason_of
from jaragua.settings import SECTIONS, all_keys, keys_of
from jaragua.store import files
from jaragua.store.aside import LOCK, copy_aside, move_aside
from jaragua.store.backend import Place
from jaragua.store.database import Store
from jaragua.store.facts import write_facts
from jaragua.store.postgres.address import PostgresAddress, address_in
from jaragua.store.records import Initialisation, RunRecord, Totals
from jaragua.store.traces import DATABASE, METRICS, SUMMARY, WEIGHTS, Loss, check_whole, is_begun, loss_in, traces_of
from jaragua.trust.private_files import FOLDER_MODE
from jaragua_compiler.export.inputs.interface import ModelInterface
from jaragua_compiler.export.inputs.weights_file import INTERFACE_KEY

CONFIGURATION = "config.toml"
INTERFACE = "input.json"
DEVICES = "devices.json"

#: From an initialisation to named arrays: what a safetensors file holds.
NameArrays = Callable[[NDArray[np.float64]], Mapping[str, NDArray[np.float64]]]
#: May differ when a run is resumed: they do not change what is learned.
FREE_TO_CHANGE = {key.path for key in all_keys() if key.setting.free}


def weights_content(
    arrays: Mapping[str, NDArray[np.float64]], rounds_done: int, blob_sha256: str, interface: ModelInterface | None
) -> bytes:
    """A safetensors file of named arrays, as a run's folder and `jaragua simulate --save` have it."""
    metadata = {"rounds_done": str(rounds_done), "blob_sha256": blob_sha256}
    told = {} if interface is None else {INTERFACE_KEY: interface.to_json()}
    return save(dict(arrays), metadata=metadata | told)


class RunFolder(Closing):
    """A run's folder, held by one process at a time (a lock file; the lock ends with the process).

    note: what was set aside when it was opened, for people; "" if nothing was.

    Errors: RunError if another process holds it, StoreError if it is damaged or cannot be written, LostRunError if its
    database knows less than the files beside it (R16): then nothing in it is changed.
    """

    def __init__(
        self, path: Path, address: PostgresAddress | None = None, *, redo_lost: bool = False, new: bool = False
    ) -> None:
        """address: of a database, if the run is not kept in the folder. redo_lost: go on from what it knows.

        new: what is there is set aside.
        """
        self.path = path
        place = address or path / DATABASE
        self.interface: ModelInterface | None = None
        """Of the run's model, if it is of one's own data: it is written beside the weights."""
        self.facts: Mapping[str, Any] = {}
        """`network_facts` of the run's network, which `rewrite` writes with the versions of now."""
        self._totals: Totals | None = None
        """What the summary says of all rounds: the database is asked once, and each closed round is added."""
        self._last: Mapping[str, Any] = {}
        """Figures of the last one of them."""
        self._lock = _lock(path)
        try:
            self.note, self.store = _anew(path, place) if new else (_made_sure(path, place, redo_lost), Store(place))
        except BaseException:
            os.close(self._lock)
            raise

    def close(self) -> None:
        """Let go of the folder."""
        self.store.close()
        os.close(self._lock)

    def begin(
        self, config: RunConfig, initial: Initialisation, beginning: Mapping[str, Any] | None = None
    ) -> RunRecord:
        """Write a new run. Its identifier is fresh: nodes remember the updates of an older run by theirs.

        beginning: see `RunRecord`.
        """
        identifier = f"{config.run.name}-{secrets.token_hex(4)}"
        record = RunRecord(
            identifier, config.run.name, config.run.seed, config.run.rounds, "training", settings_of(config)
        )
        record = replace(record, beginning=beginning or {})
        self.store.create_run(record, initial)
        return record

    def resume(self, config: RunConfig, start: str = "") -> RunRecord | None:
        """The run that is here, or None; one of another configuration that never opened a round is forgotten.

        start: hash of the first weights that are given (R22); "" for those that the run has.
        Raises: ConfigurationError if the run was made with another configuration, or other first weights.
        """
        record = self.store.run()
        if record is None:
            return None
        different = _differences(record.settings, settings_of(config))
        if start and start != record.beginning.get("start"):
            different.append("its first weights are others than those of --start")
        if different and not self.store.has_rounds(record.run):
            self.store.forget(record.run)
            return None
        if different:
            _refuse(different, self.path)
        return record

    def rewrite(self, config: RunConfig, record: RunRecord, name_arrays: NameArrays) -> None:
        """Make every file beside the database what the database says: whatever a kill left, this mends it."""
        self._totals = None
        files.write_whole(self.path / CONFIGURATION, files.to_toml(settings_of(config)).encode())
        if self.interface is not None:
            files.write_whole(self.path / INTERFACE, (self.interface.to_json() + "\n").encode())
        if self.facts:
            write_facts(self.path, self.facts, self.store.initialisation(record.run).rounds_done)
        files.write_lines(self.path / METRICS, map(files.json_line, self.store.closed_rounds(record.run)))
        self.write_weights("initial", self.store.initialisation(record.run, 0), name_arrays)
        self.write_latest(record, name_arrays)

    def write_latest(self, record: RunRecord, name_arrays: NameArrays) -> None:
        """Write the newest weights (as final ones too once the run is finished) and the summary."""
        newest = self.store.initialisation(record.run)
        self.write_weights("latest", newest, name_arrays)
        if newest.rounds_done == record.rounds:
            self.write_weights("final", newest, name_arrays)
        self.write_summary()

    def known_interface(self) -> str | None:
        """What `input.json` says, if the run has one."""
        path = self.path / INTERFACE
        return path.read_text(encoding="utf-8").strip() if path.is_file() else None

    def append_metrics(self, metrics: Mapping[str, Any], devices: Iterable[str], line: str = "") -> None:
        """Add the line of a round that the database has closed. devices: one for each update that counted in it.

        line: the figures as such a line, if somebody has made it.
        """
        files.append_line(self.path / METRICS, line or files.json_line(metrics))
        if self._totals is not None:
            self._totals = self._totals.after(metrics, devices)
            self._last = metrics

    def write_weights(self, name: str, one: Initialisation, name_arrays: NameArrays) -> None:
        """Write an initialisation as `weights/<name>.safetensors`."""
        content = weights_content(name_arrays(one.vector), one.rounds_done, one.blob_hash.hex(), self.interface)
        files.write_whole(self.path / WEIGHTS / f"{name}.safetensors", content)

    def write_descriptions(self, chosen: Mapping[str, Any]) -> None:
        """Write `devices.json`: which devices `devices.match` picked, and the descriptions that decided it (S7.4)."""
        files.write_whole(self.path / DEVICES, (files.json_line(chosen) + "\n").encode())

    def write_summary(self) -> None:
        """Write `run.json`."""
        record = self.store.run()
        if self._totals is None and record is not None:
            self._totals = self.store.totals(record.run)
            self._last = self.store.metrics(record.run, self._totals.rounds)
        summary = summary_of(self.store, self.path, self._totals, self._last)
        files.write_whole(self.path / SUMMARY, (files.json_line(summary) + "\n").encode())


def open_run(
    path: Path, address: PostgresAddress | None = None, *, redo_lost: bool = False, new: bool = False
) -> RunFolder:
    """Open or make a run's folder for writing. Arguments as in `RunFolder`."""
    return RunFolder(path, address, redo_lost=redo_lost, new=new)


def holds_run(path: Path, address: PostgresAddress | None = None) -> bool:
    """Whether a run was begun in a folder; nothing is made or changed. Raises: LostRunError if it was lost."""
    place = address or path / DATABASE
    _require_nothing_lost(path, place, redo=True)
    return is_begun(place)


def place_of(path: Path) -> Place:
    """Where the database of a run's folder is. Raises: StoreError if it names one that cannot be understood."""
    told = _summary(path).get("run")
    return address_in(path / CONFIGURATION, str(told or ""), os.environ) or path / DATABASE


def read_run(path: Path) -> dict[str, Any]:
    """The summary of a run and its learning curves. Raises: StoreError if the folder holds none, LostRunError."""
    if simulated := _simulation_in(path):
        return simulated | {"curves": {}}
    place = place_of(path)
    _require_nothing_lost(path, place)
    if not is_begun(place) and not (isinstance(place, Path) and place.is_file()):
        raise StoreError(f"{path} is not the folder of a run", "give the folder that `jaragua run` printed")
    with Store(place, read_only=True) as store:
        summary = summary_of(store, path)
        return summary | {"curves": store.curves(summary["run"])}


def _simulation_in(path: Path) -> dict[str, Any]:
    """The summary of a simulation's folder, which has no database; empty if it is another folder."""
    if (path / DATABASE).exists() or not (path / SUMMARY).is_file():
        return {}
    try:
        found = json.loads((path / SUMMARY).read_bytes())
    except (OSError, ValueError) as error:
        raise StoreError(f"{path / SUMMARY} cannot be read: {error}", "give the folder of another run") from error
    return found if isinstance(found, dict) and found.get("kind") == "simulation" else {}


def _summary(path: Path) -> dict[str, Any]:
    """What `run.json` says; empty if there is none, or it is not whole."""
    try:
        found = json.loads((path / SUMMARY).read_bytes())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def summary_of(
    store: Store, path: Path, totals: Totals | None = None, last: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Where a run stands, as JSON values. totals: of the run, and last: figures of its last round, if known."""
    record = store.run()
    if record is None:
        raise StoreError(f"the run in {path} was never started", "start it again: `jaragua run CONFIG`")
    newest = store.initialisation(record.run)
    return {
        "schema_version": 1,
        "run": record.run,
        "name": record.name,
        "model": record.settings["model"]["name"],
        "strategy": record.settings["strategy"]["name"],
        "seed": record.seed,
        "status": record.status,
        "rounds": record.rounds,
        "rounds_done": newest.rounds_done,
        "model_hash": newest.blob_hash.hex(),
        "run_dir": str(path),
        **{key: record.beginning[key] for key in ("start", "first_weights_from", "scaling") if key in record.beginning},
        **_figures(store, record.run, totals or store.totals(record.run), last),
    }


def _figures(store: Store, run: str, totals: Totals, last: Mapping[str, Any] | None) -> dict[str, Any]:
    last = store.metrics(run, totals.rounds) if last is None else last
    return {
        "bytes_up": totals.bytes_up,
        "bytes_down": totals.bytes_down,
        "updates": dict(totals.updates),
        "excluded": dict(totals.excluded),
        "rejected": dict(totals.rejected),
        **({"privacy": last["privacy"]} if "privacy" in last else {}),
        "last_round": {key: last[key] for key in ("loss", "metric", "score", "excluded") if key in last},
    }


def settings_of(config: RunConfig) -> dict[str, dict[str, Any]]:
    """The configuration as JSON values, without passwords: a run's folder is made to be shown around."""
    settings = as_json(config)
    if config.store.url:
        settings["store"]["url"] = parse_store_url(config.store.url).public
    settings["broker"]["url"] = parse_broker_url(config.broker.url).public
    return settings


def _anew(path: Path, place: Place) -> tuple[str, Store]:
    """Set aside what a folder and its database hold: in words, and the store. A file has to be moved to be opened."""
    if isinstance(place, Path):
        return _moved_aside(path), Store(place)
    store = Store(place)  # a database that refuses leaves the folder as it is
    try:
        note, kept = _moved_aside(path), store.set_aside()
    except BaseException:
        store.close()
        raise
    return "; ".join(one for one in (note, f"{place} keeps the run {kept}" if kept else "") if one), store


def _moved_aside(path: Path) -> str:
    """Empty a folder for another run; what was in it, in words."""
    kept = move_aside(path)
    return f"what was in {path} is kept in {kept.name}" if kept else ""


def _made_sure(path: Path, place: Place, redo_lost: bool) -> str:
    """R16, before anything is written. What rounds are done again, in words; "" if none is lost."""
    _require_same_kind(path, place)
    check_whole(place)
    loss = _require_nothing_lost(path, place, redo=redo_lost)
    if loss is None:
        return ""
    kept = copy_aside(path)
    return f"{loss.message}, and done again; what was in the folder is kept in {kept.name if kept else path}"


def _require_same_kind(path: Path, place: Place) -> None:
    """R23.6: a run stays where it was begun. Raises: ConfigurationError."""
    hint = "continue it where it was begun, or begin anew with --new, or set another run.directory"
    if not isinstance(place, Path) and (path / DATABASE).exists():
        raise ConfigurationError(f"the run in {path} is kept in its {DATABASE}, not in {place}", hint)
    if isinstance(place, Path) and not place.exists():
        before = address_in(path / CONFIGURATION, "", os.environ)
        if before is not None:
            raise ConfigurationError(f"the run in {path} is kept in {before}, and no store.url is given", hint)


def _require_nothing_lost(path: Path, place: Place, *, redo: bool = False) -> Loss | None:
    """redo: a loss after which the run can go on is returned. Raises: LostRunError."""
    loss = loss_in(place, traces_of(path))
    if loss is not None and not (redo and loss.redo):
        raise loss.error(path)
    return loss


def _lock(path: Path) -> int:
    try:
        path.mkdir(parents=True, exist_ok=True, mode=FOLDER_MODE)
        handle = os.open(path / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as error:
        raise StoreError(
            f"the run folder {path} cannot be used: {reason_of(error)}", "check the path and rights"
        ) from error
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(handle)
        hint = "stop the other one, or give this run another directory"
        raise RunError(f"another process works on the run in {path}", hint) from error
    return handle


def _differences(stored: Mapping[str, Any], wanted: Mapping[str, Any]) -> list[str]:
    """What may not change while a run goes on, and is not the same."""
    return [
        f"{section}.{key} is {value!r} there and {wanted[section].get(key)!r} here"
        for section, table in stored.items()
        for key, value in (_later_keys(section) | table).items()
        if f"{section}.{key}" not in FREE_TO_CHANGE and wanted[section].get(key) != value
    ]


def _later_keys(section: str) -> dict[str, Any]:
    """What a folder says of keys that came after it: the run did what their defaults are."""
    keys = keys_of(section) if section in SECTIONS else {}
    return {name: key.default for name, key in keys.items() if key.default is not MISSING}


def _refuse(different: list[str], path: Path) -> None:
    listing = "\n".join(f"  {line}" for line in different)
    hint = f"resume it with its own configuration ({path / CONFIGURATION}), or set another run.directory"
    raise ConfigurationError(f"the run in {path} was made with another configuration:\n{listing}", hint)
