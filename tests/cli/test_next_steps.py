"""What `run`, `simulate` and `demo` say to do next: commands that work as they stand."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from jaragua.cli.main import run
from jaragua.cli.next_steps import next_steps, shown


def commands(lines: list[str]) -> list[list[str]]:
    return [shlex.split(line)[shlex.split(line).index("jaragua") :] for line in lines if " jaragua " in line]


def test_the_commands_of_a_zoo_model_work_as_they_stand(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    words = ["--rounds", "2", "--set", "evaluation.tasks=2", "--no-comparison", "--directory", "a folder"]
    assert run(["simulate", "--task", "sine", *words]) == 0
    found = commands(capsys.readouterr().err.splitlines())
    assert [one[1] for one in found] == ["compile", "report"]
    for one in found:
        assert run(one[1:]) == 0
    assert (tmp_path / "a folder" / "report.html").is_file()
    assert (tmp_path / "sine-nano33ble").is_dir()


def test_saved_weights_are_put_on_a_board_without_a_folder(tmp_path: Path) -> None:
    (line,) = commands(next_steps("valves.toml", weights=tmp_path / "valves.safetensors"))
    assert line[2:] == ["valves.toml", "--board", "nano33ble", "--start", f"{tmp_path}/valves.safetensors"]


def test_the_c_of_a_start_for_prototypes_has_room_for_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Also of one that was trained with shifted pictures, which is the same network."""
    monkeypatch.chdir(tmp_path)
    words = ["--strategy", "protoreptile", "--rounds", "2", "--set", "evaluation.tasks=2", "--no-comparison"]
    for more, room in (((), ["--prototypes", "10"]), (("--set", "strategy.options.adapt_by_steps=1"), [])):
        assert run(["simulate", "--task", "digits", *words, *more, "--save", "a.safetensors"]) == 0
        (line,) = commands(capsys.readouterr().err.splitlines())
        assert line[1:] == ["compile", "digits", "--board", "nano33ble", "--start", "a.safetensors", *room]
    (line,) = commands(next_steps("shifted:omniglot", weights=Path("a"), classes=5))
    assert line[1:3] == ["compile", "omniglot"]


def test_a_variant_of_a_model_has_no_c() -> None:
    """`jaragua compile` knows no `metric:digits`, and no `validation:digits`."""
    for name in ("metric:digits", "validation:digits", "validation-2:own.toml", "linear:shifted:omniglot"):
        assert next_steps(name, weights=Path("a.safetensors")) == []
        assert [one[1] for one in commands(next_steps(name, folder=Path("runs/a")))] == ["report"]


def test_without_anything_kept_it_says_how_to_keep_it() -> None:
    assert next_steps("sine") == [
        "next: with --directory FOLDER it is kept, and `jaragua report FOLDER` shows it in a browser"
    ]


def test_a_fleet_can_be_measured() -> None:
    assert [one[1] for one in commands(next_steps("sine", folder=Path("runs/a"), fleet=True))] == [
        "compile", "report", "evaluate",
    ]  # fmt: skip


def test_places_are_named_as_seen_from_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert shown(tmp_path / "runs") == Path("runs")
    assert shown(str(tmp_path / "a.toml")) == "a.toml"
    assert shown("digits") == "digits"
    assert shown(tmp_path.parent / "b") == tmp_path.parent / "b"
