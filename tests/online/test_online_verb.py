"""`jaragua online`: the script, told live and as one JSON document; the same on a board and on this machine."""

from __future__ import annotations

import json

import pytest

from jaragua.cli.main import run
from jaragua.emulate import QemuBoard, build_image


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
    with QemuBoard(build_image("qemu_m4", "digits")) as board:
        there = _told(capsys, "--port", board.url)
    counted = there.pop("instructions")
    assert isinstance(counted, int)
    assert counted > 0
    assert here.pop("instructions") is None
    assert there == here


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ([], "give one of"),
        (["--native", "--emulate"], "give one of"),
        (["--native", "--task", "sine"], "no stream of labelled classes"),
        (["--native", "--new", "10"], "there is no class 10"),
    ],
)
def test_bad_options_get_one_sentence(capsys: pytest.CaptureFixture[str], arguments: list[str], sentence: str) -> None:
    assert run(["online", *arguments]) != 0
    assert sentence in capsys.readouterr().err
