"""A task's TOML file, and what was learned of it, wherever a verb takes a model of the zoo."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from common.own_task import write_valves
from jaragua.cli.main import run
from jaragua.errors import UsageError


@pytest.fixture(scope="module")
def learned(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    """The task's file, and weights that a short simulation has learned of it."""
    task = write_valves(tmp_path_factory.mktemp("own"))
    start = task.with_name("valves.safetensors")
    assert run(["simulate", "--task", str(task), "--save", str(start)]) == 0
    return str(task), str(start)


def told(capsys: pytest.CaptureFixture[str], *arguments: str) -> Any:
    """The data of a verb's JSON document."""
    capsys.readouterr()
    assert run([*arguments, "--json"]) == 0
    return json.loads(capsys.readouterr().out)["data"]


@pytest.mark.board
def test_an_emulated_board_answers_every_row_as_the_simulator(
    learned: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    task, start = learned
    assert told(capsys, "emulate", "--model", task, "--start", start, "--check") == {"rows": 216, "equal": 216}


@pytest.mark.board
def test_bench_counts_the_steps_of_the_task(learned: tuple[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    task, start = learned
    (row,) = told(capsys, "bench", "--model", task, "--start", start)["results"]
    assert (row["model"], row["task"]) == ("valves", task)
    assert 0 < row["forward_instructions"] < row["instructions"]


def test_online_streams_the_rows_from_the_start(learned: tuple[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    task, start = learned
    found = told(capsys, "online", "--native", "--task", task, "--start", start, "--new", "2")
    assert (found["task"], found["new_class"]) == ("valves", 2)
    assert found["old_before"] > 0.7


def test_compile_takes_the_start(learned: tuple[str, str], capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    task, start = learned
    folder = tmp_path / "c"
    found = told(capsys, "compile", task, "--board", "nano33ble", "--start", start, "--out", str(folder))
    assert found["source"]["weights"] == "start"
    compiler = shutil.which("cc")
    assert compiler is not None
    subprocess.run([compiler, "-std=c11", "-o", "selftest", *folder.glob("*.c")], cwd=folder, check=True)
    subprocess.run([folder / "selftest"], check=True)


@pytest.mark.parametrize(
    "verb", ["export-litert", "compile --board nano33ble", "bench --model", "online --native --task", "emulate --model"]
)
def test_weights_of_another_network_are_refused(
    verb: str, learned: tuple[str, str], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    other = tmp_path / "sine.safetensors"
    assert (
        run(["simulate", "--task", "sine", "--rounds", "0", "--set", "evaluation.tasks=2", "--save", str(other)]) == 0
    )
    assert run([*verb.split(), learned[0], "--start", str(other)]) != 0
    assert "of network 'valves'" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "sentence", "code"),
    [
        (["emulate", "--check"], "--check compares the answers of trained weights", UsageError.exit_code),
        (["bench", "--start", "x"], "--start has the weights of one model", UsageError.exit_code),
    ],
)
def test_options_that_do_not_fit_are_said(
    arguments: list[str], sentence: str, code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(arguments) == code
    assert sentence in capsys.readouterr().err
