"""A simulation's folder has the files of a run's folder: config.toml, metrics.jsonl, weights/ and run.json.

`simulation.npz` (state.py) is the truth. Lines of metrics are on the disk before the state that they lead to, so after
a kill there may be too many of them, never too few: those of rounds that are to be done again are cut off.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from jaragua.coordinator.weights.codec import ModelCodec
from jaragua.privacy import accountant
from jaragua.report.details import held_out_figures
from jaragua.settings import RunConfig
from jaragua.simulation.models import model_for
from jaragua.simulation.rounds.state import State
from jaragua.simulation.settings import RoundRecord, Simulation, SimulationResult
from jaragua.store import files
from jaragua.store.facts import network_facts, write_facts
from jaragua.store.run_folder import CONFIGURATION, settings_of, weights_content
from jaragua.store.traces import METRICS, SUMMARY, WEIGHTS
from jaragua.strategies import Vector


class RunFiles:
    """What a simulation writes beside its state. Errors: StoreError if a file cannot be written."""

    def __init__(
        self, folder: Path, config: RunConfig, codec: ModelCodec, hash_of: Callable[[Vector], str], start: str = ""
    ) -> None:
        """hash_of: hexadecimal hash of what devices start from, for a vector of the server's. start: as in R22."""
        self._folder = folder
        self._config = config
        self._codec = codec
        self._hash_of = hash_of
        self._start = start
        self._lines: list[str] = []

    def begin(self, state: State, first: Vector) -> list[RoundRecord]:
        """Before the first round of this process: files that are there agree with the state. The rounds done so far."""
        files.write_whole(self._folder / CONFIGURATION, files.to_toml(settings_of(self._config)).encode())
        write_facts(self._folder, _facts(self._codec), state.rounds_done)
        done = [
            (found, line) for found, line in _lines_of(self._folder / METRICS) if found["round"] <= state.rounds_done
        ]
        files.write_lines(self._folder / METRICS, [line for _, line in done])
        if state.rounds_done == 0:
            self._write_weights("initial", 0, first)
        return [RoundRecord(**found) for found, _ in done]

    def add(self, record: RoundRecord) -> None:
        """The line of a round, which `save_metrics` writes."""
        self._lines.append(files.json_line(asdict(record)))

    def save_metrics(self) -> None:
        """Append the lines since the last save; before the state is saved."""
        if self._lines:
            files.append_line(self._folder / METRICS, "\n".join(self._lines))
            self._lines.clear()

    def save_state(self, state: State, result: SimulationResult | None = None) -> None:
        """The newest weights and where the simulation stands; with a result it is finished."""
        self._write_weights("latest", state.rounds_done, state.vector)
        if result is not None:
            self._write_weights("final", state.rounds_done, state.vector)
        content = files.json_line(self._summary(state, result)) + "\n"
        files.write_whole(self._folder / SUMMARY, content.encode())

    def _write_weights(self, name: str, rounds_done: int, vector: Vector) -> None:
        interface = self._codec.model.interface
        content = weights_content(self._codec.arrays(vector), rounds_done, self._hash_of(vector), interface)
        files.write_whole(self._folder / WEIGHTS / f"{name}.safetensors", content)

    def _summary(self, state: State, result: SimulationResult | None) -> dict[str, Any]:
        """As `run.json` of a fleet's run (`store.run_folder.summary_of`); a simulation counts no single devices."""
        config = self._config
        return {
            "schema_version": 1,
            "kind": "simulation",
            "run": config.run.name,
            "name": config.run.name,
            "model": config.model.name,
            "strategy": config.strategy.name,
            "seed": config.run.seed,
            "status": "training" if result is None else "finished",
            "rounds": config.run.rounds,
            "rounds_done": state.rounds_done,
            "model_hash": self._hash_of(state.vector),
            "run_dir": str(self._folder),
            "bytes_up": state.bytes_up,
            "bytes_down": state.bytes_down,
            "updates": {"all devices": state.client_tasks},
            "excluded": {"all devices": state.excluded} if state.excluded else {},
            "rejected": {},
            "last_round": _last_round(self._folder / METRICS),
            "evaluation": held_out_of(result) if result else {},
            **({"privacy": accountant.as_json(result.privacy)} if result and result.privacy else {}),
        } | ({"start": self._start} if self._start else {})


def simulated_facts(simulation: Simulation) -> dict[str, Any]:
    """What its network costs on a board, as JSON values. Raises: as `model_for`."""
    return _facts(ModelCodec(model_for(simulation)))


def _facts(codec: ModelCodec) -> dict[str, Any]:
    interface = codec.model.interface
    return network_facts(codec.plan, interface.classes if interface else ())


def held_out_of(result: SimulationResult) -> dict[str, Any]:
    """The held-out tasks of a simulation, as JSON values."""
    devices = result.comparison.task_devices if result.comparison else ()
    more: dict[str, Any] = {"curve": [asdict(point) for point in result.curve]} if result.curve else {}
    if result.comparison:
        more["comparison"] = result.comparison.as_json()
    return held_out_figures(result.metric, result.scores_before, result.scores, devices, **more)


def _lines_of(path: Path) -> Iterator[tuple[dict[str, Any], str]]:
    """Whole lines of a file of metrics, parsed and as they stand."""
    if not path.is_file():
        return
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            found = json.loads(line)
        except ValueError:
            return  # torn by a kill; nothing behind it is whole
        yield found, line


def _last_round(path: Path) -> dict[str, Any]:
    last = deque((found["loss"] for found, _ in _lines_of(path)), maxlen=1)
    return {"loss": last[0]} if last else {}
