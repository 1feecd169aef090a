"""`jaragua simulate --save` and `--start`: what was learned on a desk goes on in another arithmetic, and to a board."""

from __future__ import annotations

import errno
import hashlib
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import jaragua
from common.own_task import write_valves
from jaragua.cli.main import run
from jaragua.coordinator.weights.codec import ModelCodec
from jaragua.errors import DataError
from jaragua.simulation import Simulation, simulate, weights_file
from jaragua_compiler.export.inputs.weights_file import read_interface, read_weights
from jaragua_models import get

Make = Callable[..., Simulation]

DIGITS = ("--task", "digits", "--clients", "3", "--eval-tasks", "5", "--json")


def told(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, dict[str, Any]]:
    code = run(["simulate", *words])
    document: dict[str, Any] = json.loads(capsys.readouterr().out)
    return code, document


@pytest.fixture
def digits(make: Make) -> Simulation:
    return make(task="digits", rounds=3, ways=5, shots=2, learning_rate=0.1, eval_tasks=2)


@pytest.fixture
def trained(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> tuple[Path, dict[str, Any]]:
    """A file, and what the simulation that wrote it says."""
    file = tmp_path / "start.safetensors"
    code, document = told(capsys, *DIGITS, "--engine", "float32", "--rounds", "20", "--save", str(file))
    assert code == 0, document
    return file, document["data"]


def evaluated(capsys: pytest.CaptureFixture[str], file: Path, engine: str) -> dict[str, Any]:
    code, document = told(capsys, *DIGITS, "--engine", engine, "--rounds", "0", "--start", str(file))
    assert code == 0, document
    found: dict[str, Any] = document["data"]
    return found


def test_what_was_saved_is_evaluated_as_it_was(
    trained: tuple[Path, dict[str, Any]], capsys: pytest.CaptureFixture[str]
) -> None:
    file, before = trained
    again = evaluated(capsys, file, "float32")
    assert again["final_hash"] == before["final_hash"]
    assert again["accuracy_mean"] == before["accuracy_mean"]
    assert (again["rounds"], again["client_tasks"]) == (0, 0)


def test_boards_adapt_from_what_float32_learned(
    trained: tuple[Path, dict[str, Any]], capsys: pytest.CaptureFixture[str], digits: Simulation
) -> None:
    file, before = trained
    boards = evaluated(capsys, file, "w16")
    assert boards["accuracy_mean"] == pytest.approx(before["accuracy_mean"], abs=0.05)
    packed = ModelCodec(get("digits@w16")).pack(weights_file.read(file, digits))
    assert boards["final_hash"] == hashlib.sha256(packed).hexdigest()


def test_the_compiler_takes_the_file(trained: tuple[Path, dict[str, Any]], digits: Simulation) -> None:
    file, _ = trained
    weights = read_weights(file, get("digits").network)
    flat = np.concatenate([part.ravel() for layer in weights for part in layer])
    np.testing.assert_array_equal(flat, weights_file.read(file, digits))


def test_first_weights_that_are_the_seeds_change_nothing(digits: Simulation) -> None:
    first = ModelCodec(get("digits@w16")).initial(digits.seed)
    plain = simulate(digits, workers=1).final_hash
    assert simulate(digits, start=first, workers=1).final_hash == plain
    assert simulate(digits, start=0.5 * first, workers=1).final_hash != plain


def test_a_state_of_another_start_is_not_gone_on_with(
    trained: tuple[Path, dict[str, Any]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file, _ = trained
    words = (*DIGITS, "--rounds", "2", "--directory", str(tmp_path / "state"))
    assert told(capsys, *words)[0] == 0
    code, document = told(capsys, *words, "--start", str(file))
    assert code == 9
    assert "other values of start" in document["error"]["message"]


@pytest.mark.parametrize("strategy", ["scratch", "pretrained"])
def test_a_strategy_with_first_weights_of_its_own_takes_none(
    strategy: str, trained: tuple[Path, dict[str, Any]], capsys: pytest.CaptureFixture[str]
) -> None:
    code, document = told(capsys, *DIGITS, "--strategy", strategy, "--start", str(trained[0]))
    assert code == 3
    assert f"'{strategy}' has first weights of its own" in document["error"]["message"]


def test_weights_of_another_network_are_refused(
    trained: tuple[Path, dict[str, Any]], capsys: pytest.CaptureFixture[str]
) -> None:
    code, document = told(capsys, "--task", "sine", "--rounds", "1", "--start", str(trained[0]), "--json")
    assert code == 7
    assert "has not the 3 layers of network 'sine'" in document["error"]["message"]


def test_a_place_that_cannot_be_written_is_told_before_training(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for place, words in ((tmp_path, "is a folder"), (tmp_path / "no" / "start.safetensors", "there is no folder")):
        code, document = told(capsys, *DIGITS, "--rounds", "1000000", "--save", str(place))
        assert code == 9
        assert words in document["error"]["message"]


def test_a_device_is_not_replaced_by_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """As it was with /dev/null."""
    device = tmp_path / "null"
    os.mkfifo(device)
    code, document = told(capsys, *DIGITS, "--rounds", "1000000", "--save", str(device))
    assert code == 9
    assert "is not an ordinary file" in document["error"]["message"]
    assert device.is_fifo()


def test_a_disk_that_fills_while_it_trains_is_one_document(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full_disk(handle: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("os.fsync", full_disk)
    words = (*DIGITS[:-1], "--rounds", "1", "--save", str(tmp_path / "start.safetensors"))
    code, document = told(capsys, *words, "--json")
    assert code == 9
    assert "No space left on device" in document["error"]["message"]
    assert run(["simulate", *words]) == 9
    assert "after adapting" in capsys.readouterr().out  # the figures of all that training are told


def test_what_is_no_file_of_weights_is_not_replaced(
    trained: tuple[Path, dict[str, Any]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """`--save valves.csv` would be the end of the data."""
    table = tmp_path / "valves.csv"
    for content in (b"machine,pressure,state\n", b"{}"):
        table.write_bytes(content)
        code, document = told(capsys, *DIGITS, "--rounds", "1000000", "--save", str(table))
        assert code == 9
        assert "is there, and no file of weights" in document["error"]["message"]
        assert table.read_bytes() == content
    (tmp_path / "empty").write_bytes(b"")
    for file in (trained[0], tmp_path / "empty"):
        assert told(capsys, *DIGITS, "--rounds", "1", "--save", str(file))[0] == 0
        assert evaluated(capsys, file, "w16")["rounds"] == 0


def test_r22_2_the_scaling_of_first_weights_takes_the_place_of_the_files(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """As `jaragua run --start`: a file of other readings with [scaling] of the weights gives the same, in every bit."""
    words = ("--rounds", "2", "--clients", "2", "--eval-tasks", "2", "--no-comparison", "--json")
    start = tmp_path / "valves.safetensors"
    task = write_valves(tmp_path / "first")
    assert told(capsys, "--task", str(task), *words, "--save", str(start))[0] == 0
    assert run(["data", str(task), "--scaling"]) == 0
    other, with_scaling = write_valves(tmp_path / "other"), write_valves(tmp_path / "told", capsys.readouterr().out)
    for one in (other, with_scaling):
        table = one.with_suffix(".csv")
        lines = table.read_text().splitlines()
        table.write_text("\n".join([*lines, "m1,40.0,60.0,open", "m2,41.0,61.0,closed"]) + "\n")
    saved = tmp_path / "again.safetensors"
    found = told(capsys, "--task", str(other), *words, "--start", str(start), "--save", str(saved))
    expected = told(capsys, "--task", str(with_scaling), *words, "--start", str(start))
    assert (found[0], expected[0]) == (0, 0), (found, expected)
    assert found[1]["data"]["final_hash"] == expected[1]["data"]["final_hash"]
    assert found[1]["data"]["scores"] == expected[1]["data"]["scores"]
    assert read_interface(saved) == read_interface(start)
    with pytest.warns(UserWarning, match="has no time"):
        python = jaragua.simulate(other, start=start, rounds=2, clients=2, eval_tasks=2, comparing=False)
    with pytest.warns(UserWarning, match="has no time"):
        again = jaragua.simulate(other, start=python, rounds=0, eval_tasks=2, comparing=False)
    assert python.final_hash == found[1]["data"]["final_hash"] == again.final_hash
    assert again.scores == python.scores


def test_r22_2_first_weights_of_other_columns_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ("--rounds", "1", "--clients", "2", "--eval-tasks", "2", "--no-comparison", "--json")
    task, other = write_valves(tmp_path / "first"), write_valves(tmp_path / "other")
    table = other.with_suffix(".csv")
    table.write_text(table.read_text().replace("machine,pressure,", "machine,level,", 1))
    start = tmp_path / "valves.safetensors"
    assert told(capsys, "--task", str(task), *words, "--save", str(start))[0] == 0
    code, document = told(capsys, "--task", str(other), *words, "--start", str(start))
    assert code == DataError.exit_code
    assert "the scaling is of pressure, flow, the table has level, flow" in document["error"]["message"]
