"""`jaragua simulate --json`: one document for every task, strategy and engine; killed, it can be gone on with."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import jaragua_models
from jaragua import strategies
from jaragua.cli.main import run
from jaragua.simulation import ENGINES
from limits import GENEROUS_S
from long_form import paired

SHORT = ("--rounds", "2", "--clients", "2", "--eval-tasks", "3", "--no-comparison", "--json")
TASKS = ("sine", "digits", "keywords", "omniglot-cnn", "presence")
DEADLINE_S = GENEROUS_S

#: Those that go with any task.
STRATEGIES = [name for name in strategies.names() if not strategies.REGISTRY[name].TRUE_CLASSES]
#: Every task with every engine and a strategy of its own.
MATRIX = [
    (task, STRATEGIES[(number + shift) % len(STRATEGIES)], engine)
    for number, task in enumerate(TASKS[1:])
    for shift, engine in enumerate(ENGINES)
]
MATRIX += [("digits", "pretrained", engine) for engine in ENGINES]


#: The folder of the data set of each task that has one.
FOLDERS = {"keywords": "speech_commands", "omniglot-cnn": "omniglot", "presence": "room_occupancy_estimation"}


def simulated(capsys: pytest.CaptureFixture[str], *words: str) -> dict[str, Any]:
    code = run(["simulate", *words])
    document = json.loads(capsys.readouterr().out)
    assert code == 0, document
    found: dict[str, Any] = document["data"]
    return found


@pytest.mark.parametrize(("strategy", "engine"), paired(STRATEGIES, ENGINES))
def test_the_document_of_a_strategy_has_all_its_figures(
    capsys: pytest.CaptureFixture[str], strategy: str, engine: str
) -> None:
    require_figures(capsys, "digits" if strategies.REGISTRY[strategy].PROTOTYPES else "sine", strategy, engine)


@pytest.mark.parametrize(("task", "strategy", "engine"), MATRIX)
def test_the_document_of_a_task_has_all_its_figures(
    capsys: pytest.CaptureFixture[str], use_data: Callable[[str], Path], task: str, strategy: str, engine: str
) -> None:
    if task in FOLDERS:
        use_data(FOLDERS[task])
    require_figures(capsys, task, strategy, engine)


@pytest.mark.parametrize(("task", "engine"), paired(["omniglot-cnn"], ENGINES))
def test_the_document_of_true_classes_in_images_has_all_its_figures(
    capsys: pytest.CaptureFixture[str], use_data: Callable[[str], Path], task: str, engine: str
) -> None:
    use_data(FOLDERS[task])
    require_figures(capsys, task, "pretrained", engine)


def require_figures(capsys: pytest.CaptureFixture[str], task: str, strategy: str, engine: str) -> None:
    found = simulated(capsys, "--task", task, "--strategy", strategy, "--engine", engine, "--seed", "2", *SHORT)
    metric = jaragua_models.get(task).metric
    trains = strategy != "scratch"
    assert found[f"{metric}_mean"] >= 0
    assert found[f"{metric}_ci95"] >= 0
    assert found["tasks"] == 3
    assert (found["client_tasks_per_second"] > 0) == trains
    assert len(found["final_hash"]) == 64
    assert (found["bytes_up"] > 0, found["bytes_down"] >= 0) == (trains, True)


def test_a_strategy_may_be_written_with_a_hyphen(capsys: pytest.CaptureFixture[str]) -> None:
    names = ("tiny-reptile", "tinyreptile")
    one, other = (simulated(capsys, "--task", "sine", "--strategy", name, *SHORT) for name in names)
    assert one["strategy"] == "tinyreptile"
    assert one["final_hash"] == other["final_hash"]


def test_a_held_out_task_may_have_other_classes_than_a_round(capsys: pytest.CaptureFixture[str]) -> None:
    words = ("--task", "digits", "--strategy", "protoreptile", "--engine", "w16", "--set", "client.ways=5", *SHORT)
    found = [simulated(capsys, *words, "--set", f"evaluation.ways={ways}") for ways in (5, 2)]
    assert found[0]["final_hash"] == found[1]["final_hash"]
    assert found[0]["accuracy_mean"] < found[1]["accuracy_mean"]


CLOCK = (
    "--set",
    "round.buffer=3",
    "--set",
    "round.max_staleness=2",
    "--set",
    "round.staleness_exponent=1",
    "--set",
    "simulation.slow_fraction=0.3",
    "--set",
    "simulation.slow_factor=6",
)


def test_r13_the_document_of_a_buffer_says_what_the_clock_says(capsys: pytest.CaptureFixture[str]) -> None:
    """V6."""
    words = ("--task", "sine", "--rounds", "30", "--clients", "10", "--eval-tasks", "3", "--json")
    plain, found = simulated(capsys, *words), simulated(capsys, *words, *CLOCK)
    added = {name: found[name] for name in found.keys() - plain.keys()}
    assert {name: added.pop(name) for name in ("buffer", "max_staleness", "staleness_exponent")} == {
        "buffer": 3,
        "max_staleness": 2,
        "staleness_exponent": 1.0,
    }
    assert {name: added.pop(name) for name in ("compute_time_sigma", "slow_fraction", "slow_factor")} == {
        "compute_time_sigma": 0.25,
        "slow_fraction": 0.3,
        "slow_factor": 6.0,
    }
    assert added.keys() == {"virtual_time", "updates", "mean_age", "late"}
    assert added["updates"] == 90
    assert added["late"] > 0
    assert 0 < added["mean_age"] <= 2
    assert 0 < added["virtual_time"] < 30


SINE = ("--task", "sine", "--rounds", "400", "--clients", "20")
#: With refinement, so that its temperature and passes are those of the saved state, too.
ENROLLING = (
    *("--task", "digits", "--strategy", "protoreptile", "--rounds", "200", "--clients", "10", "--ways", "10"),
    *("--set", "client.shots=4", "--set", "strategy.options.refine_passes=2"),
)


@pytest.mark.parametrize("wanted", [SINE, (*SINE, *CLOCK), ENROLLING])
def test_killed_in_the_middle_it_goes_on_to_the_same_end(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, wanted: tuple[str, ...]
) -> None:
    words = [*wanted, "--eval-tasks", "2", "--json"]
    command = [sys.executable, "-m", "jaragua.cli.main", "simulate", *words, "--directory", str(tmp_path)]
    command += ["--save-every", "0.1"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as program:
        deadline = time.monotonic() + DEADLINE_S
        while not (tmp_path / "simulation.npz").exists():
            assert time.monotonic() < deadline
            assert program.poll() is None, "it ended before it could be killed"
            time.sleep(0.01)
        program.kill()
    gone_on, whole = simulated(capsys, *words, "--directory", str(tmp_path)), simulated(capsys, *words)
    of_this_process = ("seconds", "client_tasks_per_second")
    assert all(gone_on[name] == whole[name] for name in whole if name not in of_this_process)


STOPPED = ("--task", "sine", "--strategy", "tinymetafed", "--rounds", "300", "--clients", "20", "--eval-tasks", "2")


@pytest.fixture(scope="module")
def undisturbed() -> str:
    """The model's hash that STOPPED ends with."""
    done = subprocess.run(
        [sys.executable, "-m", "jaragua.cli.main", "simulate", *STOPPED, "--json"],
        stdout=subprocess.PIPE,
        encoding="utf-8",
        timeout=DEADLINE_S,
        check=True,
    )
    return str(json.loads(done.stdout)["data"]["final_hash"])


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_it_with_all_saved_and_one_sentence(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, undisturbed: str, number: signal.Signals
) -> None:
    command = [sys.executable, "-m", "jaragua.cli.main", "simulate", *STOPPED, "--directory", str(tmp_path), "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as program:
        assert program.stderr is not None
        assert program.stderr.readline().startswith("round 1/300")
        program.send_signal(number)
        out, err = program.communicate(timeout=DEADLINE_S)
    assert program.returncode == 130
    assert json.loads(out)["error"]["message"] == "stopped; what was learned is saved"
    assert "Traceback" not in err
    assert (tmp_path / "simulation.npz").exists()
    gone_on = simulated(capsys, *STOPPED, "--json", "--directory", str(tmp_path))
    assert gone_on["final_hash"] == undisturbed
