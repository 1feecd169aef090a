"""What a report, a dashboard and the exporters read of a run: its folder, or the JSON document of a simulation."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from jaragua.errors import StoreError
from jaragua.reasons import reason_of
from jaragua.report.details import METRIC, RunDetails, held_out_figures
from jaragua.store import files
from jaragua.store.facts import read_facts
from jaragua.store.run_folder import CONFIGURATION, DEVICES, read_run
from jaragua.store.traces import METRICS

EVALUATION: Final = "evaluation.json"
_GIVE_ANOTHER: Final = (
    "give the folder that `jaragua run`, `simulate` or `demo` printed, or a file of `simulate --json`"
)


def read_details(path: Path) -> RunDetails:
    """All that is known of a run. path: its folder, or a file with the document of `jaragua simulate --json`.

    A run that goes on can be read at any time. Raises: StoreError, LostRunError.
    """
    if not path.exists():
        raise StoreError(f"there is no {path}", _GIVE_ANOTHER)
    return _of_folder(path) if path.is_dir() else _of_document(path)


def write_evaluation(folder: Path, figures: Mapping[str, Any]) -> None:
    """Keep the held-out figures of a run. figures: of `held_out_figures`. Raises: StoreError."""
    files.write_whole(folder / EVALUATION, (files.json_line(figures) + "\n").encode())


def _of_folder(path: Path) -> RunDetails:
    summary = read_run(path)
    simulated = summary.get("kind") == "simulation"
    evaluation = summary.get("evaluation") if simulated else _object(path / EVALUATION)
    return RunDetails(
        source=str(path),
        kind="simulation" if simulated else "fleet",
        summary=summary,
        settings=_settings(path / CONFIGURATION),
        rounds=tuple(_lines(path / METRICS)),
        held_out=evaluation if isinstance(evaluation, Mapping) else {},
        facts=read_facts(path),
        chosen=_object(path / DEVICES),
    )


def _of_document(path: Path) -> RunDetails:
    """Raises: StoreError for any other file."""
    try:
        document = json.loads(path.read_bytes())
    except OSError as error:
        raise StoreError(f"{path} cannot be read: {reason_of(error)}", "check its rights") from error
    except ValueError as error:
        raise StoreError(f"{path} is no JSON document", _GIVE_ANOTHER) from error
    data = document.get("data") if isinstance(document, dict) else None
    if not isinstance(data, dict) or not {"task", "final_hash", METRIC, "scores"} <= data.keys():
        raise StoreError(f"{path} is not the document of a simulation", _GIVE_ANOTHER)
    return RunDetails(
        source=str(path),
        kind="simulation",
        summary=_summary_of(data, path),
        settings=_table(data.get("settings")),
        rounds=tuple(one for one in _list(data.get("history")) if isinstance(one, dict)),
        held_out=_held_out_of(data),
        facts=_table(data.get("facts")),
    )


def _summary_of(data: Mapping[str, Any], path: Path) -> dict[str, Any]:
    """In the words of `run.json`."""
    return {
        "kind": "simulation",
        "run": path.stem,
        "name": path.stem,
        "model": data["task"],
        "strategy": data.get("strategy", ""),
        "seed": data.get("seed"),
        "status": "finished",
        "rounds": data.get("rounds"),
        "rounds_done": data.get("rounds"),
        "model_hash": data["final_hash"],
        "bytes_up": data.get("bytes_up"),
        "bytes_down": data.get("bytes_down"),
        "updates": {"all devices": data.get("client_tasks")},
        "excluded": {"all devices": data["excluded"]} if data.get("excluded") else {},
        "rejected": {},
        "privacy": _table(data.get("privacy")),
    }


def _held_out_of(data: Mapping[str, Any]) -> dict[str, Any]:
    metric, scores = data[METRIC], _list(data["scores"])
    comparison = _table(data.get("comparison"))
    before = _list(data.get("scores_before"))
    if not scores or len(before) != len(scores):
        return {METRIC: metric, "tasks": len(scores), "scores": scores, "comparison": comparison}
    devices = _list(comparison.get("task_devices"))
    try:
        return held_out_figures(metric, before, scores, devices, curve=_list(data.get("curve")), comparison=comparison)
    except TypeError:  # texts among the numbers of a file that somebody has changed
        return {METRIC: metric, "tasks": len(scores)}


def _settings(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}


def _object(path: Path) -> dict[str, Any]:
    try:
        return _table(json.loads(path.read_bytes()))
    except (OSError, ValueError):
        return {}


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    """Whole lines; a kill may have left half of one."""
    try:
        content = path.read_bytes()
    except OSError:
        return
    for line in content.splitlines():
        try:
            found = json.loads(line)
        except ValueError:
            return
        if isinstance(found, dict):
            yield found


def _table(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []
