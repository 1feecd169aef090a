"""`jaragua online`: the script, told live and as one JSON document; the same on a board and on this machine."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from images import built_image
from jaragua.cli.main import run
from jaragua.emulate import NativeBoard, QemuBoard
from jaragua.errors import BoardError, StoreError
from jaragua.online.trained_model import saved_weights
from jaragua_models import get


def _told(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, object]:
    assert run(["online", "--json", "--seed", "2", "--changed", "60", *arguments]) == 0
    out, err = capsys.readouterr()
    assert "class 2 is new" in err
    assert "drift noticed" in err
    data: dict[str, object] = json.loads(out)["data"]
    return data


@pytest.mark.board
def test_a_board_fares_as_this_machine_does(capsys: pytest.CaptureFixture[str]) -> None:
    here = _told(capsys, "--native")
    with QemuBoard(built_image("qemu_m4", "digits")) as board:
        there = _told(capsys, "--port", board.url)
    counted = there.pop("instructions")
    assert isinstance(counted, int)
    assert counted > 0
    assert here.pop("instructions") is None
    assert there == here


def _enrolled(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, object]:
    assert run(["online", "--enrol", "--json", "--seed", "3", *arguments]) == 0
    out, err = capsys.readouterr()
    assert "class 3 forgotten" in err
    data: dict[str, object] = json.loads(out)["data"]
    return data


def test_a_class_is_enrolled_and_forgotten_on_a_board_as_on_this_machine(capsys: pytest.CaptureFixture[str]) -> None:
    """A12 in the order of the lesson; the prototype's numbers are the same in every bit."""
    here = _enrolled(capsys, "--native")
    with NativeBoard(built_image("native", "digits", prototypes=12)) as board:
        there = _enrolled(capsys, "--port", board.url)
    assert there == here
    assert here["old_forgotten"] == here["old_before"]
    assert here["new_after"] > 0.5  # type: ignore[operator]
    assert here["unknown_accepted"] < here["known_accepted"]  # type: ignore[operator]
    assert len(here["prototype"]) == 32  # type: ignore[arg-type]


def test_a_board_without_room_for_classes_is_said_so(capsys: pytest.CaptureFixture[str]) -> None:
    with NativeBoard(built_image("native", "digits")) as board:
        assert run(["online", "--enrol", "--port", board.url]) == BoardError.exit_code
    assert "no room for prototypes" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--native", "--emulate"], "give one of"),
        (["--native", "--task", "sine"], "no stream of labelled classes"),
        (["--native", "--new", "10"], "there is no class 10"),
        (["--native", "--new", "-1"], "'--new'"),
        (["--native", "--changed", "1000000000"], "'--changed'"),
    ],
)
def test_bad_options_get_one_sentence(capsys: pytest.CaptureFixture[str], arguments: list[str], sentence: str) -> None:
    assert run(["online", *arguments]) != 0
    assert sentence in capsys.readouterr().err


def test_a_rate_that_is_none_is_said_before_a_start_is_trained(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["online", "--native", "--learning-rate", "nan"]) == 7
    assert capsys.readouterr().err.startswith("error: learning rate nan is out of range")


def test_a_port_without_a_board_is_said_before_a_start_is_trained(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["online", "--port", str(tmp_path / "ttyACM9")]) == 4
    assert capsys.readouterr().err.startswith(f"error: port {tmp_path / 'ttyACM9'} does not exist")


def test_a_start_of_another_task_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Weights of any larger network were cut to size, silently."""
    words = ["--rounds", "1", "--clients", "1", "--eval-tasks", "1", "--workers", "1", "--directory", str(tmp_path)]
    assert run(["simulate", "--task", "digits", *words]) == 0
    digits = saved_weights(tmp_path, get("digits"))
    assert [weights.shape for weights, _ in digits] == [(32, 64), (10, 32)]
    saved = tmp_path / "simulation.npz"
    for name, numbers in (("omniglot-cnn", 5173), ("digits", 5173), ("omniglot-cnn", 2410)):
        np.savez(saved, identity=json.dumps({"task": name}), vector=np.zeros(numbers))
        with pytest.raises(StoreError, match=f"holds {numbers} weights of '{name}'; 'digits' has 2410"):
            saved_weights(tmp_path, get("digits"))
    saved.write_bytes(b"")
    with pytest.raises(StoreError, match="damaged, or no saved simulation"):
        saved_weights(tmp_path, get("digits"))
    saved.unlink()
    with pytest.raises(StoreError, match=r"cannot be read: No such file or directory$"):
        saved_weights(tmp_path, get("digits"))
