"""`jaragua bench`: the document it prints, the bar it has to keep, and how it fails."""

from __future__ import annotations

import contextlib
import io
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from jaragua.cli.main import run
from jaragua.errors import ToolError, UsageError
from jaragua_bench.rows import ROWS

#: At most so many instructions a training step and so many bytes of RAM (the bars of the engine's issue).
LIMITS = {
    "SINE": (8_000, 4 * 1024),
    "MLP": (8_000, 6 * 1024),
    "KWS": (62_000, 36 * 1024),
    "CNN": (340_000, 24 * 1024),
    "OMNIGLOT-REPTILE": (20_000_000, 224 * 1024),
}


#: Rounds of the start's meta-training and tasks that are measured: few for `make test`, the bench's own in long form.
FEW = (4, 1)


@pytest.fixture(scope="module", params=[FEW, pytest.param(None, marks=pytest.mark.long)], ids=["few", "own"])
def lengths(request: pytest.FixtureRequest) -> Iterator[None]:
    """The rows of the bench, shortened or not."""
    if request.param is None:
        yield
        return
    rounds, tasks = request.param
    short = {
        name: replace(row, rounds=min(row.rounds, rounds), tasks=min(row.tasks, tasks)) for name, row in ROWS.items()
    }
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("jaragua_bench.rows.ROWS", short)
        yield


@pytest.fixture(scope="module")
def document(lengths: None) -> dict[str, object]:
    """What `jaragua bench --json` prints: one document on stdout."""
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        assert run(["bench", "--json"]) == 0
    parsed: dict[str, object] = json.loads(printed.getvalue())
    return parsed


@pytest.mark.board
def test_the_figures_of_all_models_keep_the_bars(document: dict[str, object]) -> None:
    assert (document["schema_version"], document["status"]) == (1, "ok")
    results = document["data"]["results"]  # type: ignore[index]
    assert [result["model"] for result in results] == list(LIMITS)
    for result in results:
        most_instructions, most_bytes = LIMITS[result["model"]]
        assert 0 < result["forward_instructions"] < result["instructions"] <= most_instructions
        assert result["ram_bytes"] <= most_bytes
        assert result["task"] in ("sine", "digits", "keywords-mel", "omniglot-cnn", "omniglot-reptile", "synthetic")
        if result["model"] != "OMNIGLOT-REPTILE":  # 440 KB of weights in float32: no board to count on
            assert result["instructions"] < result["float32_instructions"]
            assert result["ram_bytes"] < result["float32_ram_bytes"]
        assert result["instructions"] <= result["instructions_no_zero_gradient_rows"]
        assert result["flash_bytes"] > 0
        assert 0 < result["zero_gradient_rows"] < 1
        sums = [one["forward_instructions"] + one["backward_update_instructions"] for one in result["operators"]]
        assert sum(sums) == result["instructions"]
        assert abs(sums[-1]) < 0.001 * result["instructions"] + 40  # "rest"


@pytest.mark.board
def test_the_table_of_a_second_run_has_the_same_counts(
    document: dict[str, object], capsys: pytest.CaptureFixture[str]
) -> None:
    """And fits eighty columns, and tells every operator."""
    assert run(["bench", "--model", "sine"]) == 0
    printed = capsys.readouterr().out
    sine = document["data"]["results"][0]  # type: ignore[index]
    assert f"{sine['instructions']:,}" in printed
    assert f"{sine['float32_instructions']:,}" in printed
    lines = printed.splitlines()
    assert max(map(len, lines)) <= 80
    assert [line.split()[:3] for line in lines if "Dense" in line] == [["layer", f"{n}:", "Dense"] for n in range(3)]
    operators = [one["forward_instructions"] for one in sine["operators"]]
    assert [f"{count:,}" in printed for count in operators[:3]] == [True] * 3


def test_missing_tools_are_named_with_the_command_that_installs_them(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert run(["bench"]) == ToolError.exit_code
    said = capsys.readouterr().err
    assert "emulated boards need arm-none-eabi-gcc and qemu-system-arm: not found on the PATH." in said
    assert "sudo apt-get install gcc-arm-none-eabi libnewlib-arm-none-eabi qemu-system-arm" in said


def test_an_unknown_model_is_a_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["bench", "--model", "BIG"]) == UsageError.exit_code
    assert "it has SINE, MLP, KWS, CNN" in capsys.readouterr().err
