"""`jaragua simulate run.toml`: the file of a fleet's run, and a folder with the same files."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file

from jaragua.cli.main import run
from jaragua.config import RunConfig, load
from jaragua.simulation import SimulationProgress, simulate
from jaragua.simulation.settings import simulation_of
from jaragua.store import Initialisation, open_run, read_run

FILE = (
    '[model]\nname = "sine"\n[run]\nrounds = 12\nseed = 5\n[strategy]\nclients_per_round = 3\n[evaluation]\ntasks = 3\n'
)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / "valves.toml").write_text(FILE, encoding="utf-8")
    return tmp_path / "valves.toml"


def simulated(capsys: pytest.CaptureFixture[str], *words: str | Path) -> dict[str, Any]:
    assert run(["simulate", *map(str, words), "--json"]) == 0
    found: dict[str, Any] = json.loads(capsys.readouterr().out)["data"]
    return found


def names_in(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def test_a_file_gives_the_model_of_the_same_options(capsys: pytest.CaptureFixture[str], file: Path) -> None:
    by_options = simulated(
        capsys, "--task", "sine", "--rounds", "12", "--seed", "5", "--clients", "3", "--eval-tasks", "3"
    )
    by_file = simulated(capsys, file)
    assert by_file["final_hash"] == by_options["final_hash"]
    assert by_file["run_dir"] == str(file.parent / "runs" / "valves-simulated")


def test_what_the_command_line_says_takes_the_place_of_the_file(
    capsys: pytest.CaptureFixture[str], file: Path, tmp_path: Path
) -> None:
    words = ("--set", "strategy.combine=median", "--rounds", "4", "--directory", tmp_path / "other")
    found = simulated(capsys, file, *words)
    assert (found["rounds"], found["run_dir"]) == (4, str(tmp_path / "other"))
    assert load(tmp_path / "other" / "config.toml", fleet=False).strategy.combine == "median"


def test_its_folder_has_the_files_of_a_runs_folder(capsys: pytest.CaptureFixture[str], file: Path) -> None:
    simulated(capsys, file)
    config = load(file)
    with open_run(config.run.directory) as folder:
        folder.facts = {"classes": []}  # as `coordinator.run` has them
        record = folder.begin(config, Initialisation(0, np.zeros(2), b"\x01" * 32))
        folder.rewrite(config, record, lambda vector: {"all": vector})
    of_a_run = {name for name in names_in(config.run.directory) if "sqlite" not in name and "lock" not in name}
    of_a_simulation = names_in(config.run.directory.with_name("valves-simulated"))
    assert of_a_run <= of_a_simulation
    assert of_a_simulation - of_a_run == {"simulation.npz", "simulation.lock", "weights/final.safetensors"}


def test_the_folder_says_what_happened(capsys: pytest.CaptureFixture[str], file: Path) -> None:
    found = simulated(capsys, file)
    folder = Path(found["run_dir"])
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    assert [line["round"] for line in lines] == list(range(1, 13))
    assert sum(line["bytes_up"] for line in lines) == found["bytes_up"]
    summary = read_run(folder)
    assert (summary["kind"], summary["status"], summary["rounds_done"]) == ("simulation", "finished", 12)
    assert summary["model_hash"] == found["final_hash"]
    assert summary["evaluation"]["after"]["mean"] == found["mse_mean"]
    first, last = (load_file(folder / "weights" / f"{name}.safetensors") for name in ("initial", "final"))
    assert first.keys() == last.keys()
    assert any((first[name] != last[name]).any() for name in first)
    assert run(["status", str(folder)]) == 0
    said = capsys.readouterr().out
    assert "valves: finished, 12 of 12 rounds" in said
    assert "held-out tasks     3: mse" in said


class Stop(Exception):
    """Ends a simulation in the middle."""


def stopping_after(rounds: int) -> Callable[[SimulationProgress], None]:
    def stop(now: SimulationProgress) -> None:
        if now.rounds_done == rounds:
            raise Stop

    return stop


def kept(config: RunConfig, folder: Path, on_progress: Callable[[SimulationProgress], None]) -> str:
    wanted = simulation_of(config)
    return simulate(wanted, state_folder=folder, on_progress=on_progress).final_hash


@pytest.mark.parametrize("leftover", ["", '{"round": 6, "loss": 0.5}\n', '{"round": 6, "lo'])
def test_a_stopped_one_goes_on_with_a_line_a_round(file: Path, tmp_path: Path, leftover: str) -> None:
    """A kill may leave lines of rounds that are done again, whole or torn."""
    config, folder = load(file), tmp_path / "kept"
    with pytest.raises(Stop):
        kept(config, folder, stopping_after(5))
    assert read_run(folder)["status"] == "training"
    with (folder / "metrics.jsonl").open("a", encoding="utf-8") as lines:
        lines.write(leftover)
    whole = kept(config, tmp_path / "whole", lambda now: None)
    assert kept(config, folder, lambda now: None) == whole
    one, other = ((place / "metrics.jsonl").read_text() for place in (folder, tmp_path / "whole"))
    assert one == other
    assert one.count("\n") == 12


def test_without_a_file_or_a_task_it_says_what_to_give(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["simulate"]) == 2
    assert "there is nothing to simulate" in capsys.readouterr().err


@pytest.mark.parametrize("words", ["client.ways", "ways=3", "=3"])
def test_an_assignment_that_is_none_is_refused(capsys: pytest.CaptureFixture[str], words: str) -> None:
    assert run(["simulate", "--task", "sine", "--set", words]) == 2
    assert "is not section.key=value" in capsys.readouterr().err
