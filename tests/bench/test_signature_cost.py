"""`python -m jaragua_bench.signature`: what it says without Monocypher; with it, MONOCYPHER names the folder."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from jaragua_bench import signature

FOLDER = os.environ.get("MONOCYPHER", "")


def test_a_folder_without_monocypher_is_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert signature.main(["--monocypher", str(tmp_path)]) != 0
    assert "has no monocypher.c" in capsys.readouterr().err


@pytest.mark.board
@pytest.mark.skipif(not FOLDER, reason="NO MONOCYPHER: set MONOCYPHER to the folder of its source to measure its cost")
def test_a_board_tells_a_genuine_signature_from_a_damaged_one() -> None:
    cost = signature.measure(Path(FOLDER))
    assert 500_000 < cost.instructions < 10_000_000
    assert 5_000 < cost.flash["cortex_m4"] < cost.flash["cortex_m0plus"] < 30_000
