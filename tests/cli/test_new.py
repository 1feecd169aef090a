"""`jaragua new`: a project that runs at once, from raw rows to the simulator's answers in C and on a board."""

from __future__ import annotations

import csv
import json
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest

from common.own_task import valves
from jaragua.cli.main import run
from jaragua.errors import DataError, StoreError, UsageError
from jaragua.gateway.deployed import rows_of, simulated, start_of
from jaragua.models import model_started
from strict_c import STRICT


def table(folder: Path, name: str) -> list[str]:
    """Options of `jaragua new` for a table: the example's, or one with readings that a float does not hold well."""
    if name == "example":
        return []
    rows = valves()[1:]
    lines = ["machine,pressure,flow,count at,state of it"]
    for number, row in enumerate(rows):
        machine, pressure, flow, state = row.split(",")
        lines.append(f"Machine {machine},{pressure},{flow},{1_600_000 + number * 7919 % 5000 / 100},{state}")
    (folder / "mine.csv").write_text("\n".join(lines) + "\n")
    return ["--data", "mine.csv", "--label", "state of it", "--device", "machine"]


@pytest.mark.parametrize("name", ["example", "wide"])
def test_raw_rows_get_the_simulators_answers_from_the_generated_c(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(["new", f"my-{name}", *table(tmp_path, name)]) == 0
    monkeypatch.chdir(tmp_path / f"my-{name}")
    task, start, library = f"my-{name}.toml", f"my-{name}.safetensors", f"firmware/lib/my-{name}"
    assert run(["data", task]) == 0
    assert run(["simulate", "--task", task, "--rounds", "10", "--set", "evaluation.tasks=4", "--save", start]) == 0
    assert run(["compile", task, "--board", "nano33ble", "--start", start, "--out", library]) == 0
    said = answers(built(library), rows_in(Path(f"data/my-{name}.csv"), task))
    model = model_started(task, Path(start))
    learned = start_of(model, Path(start))
    outputs = simulated(learned, learned.integers(rows_of(model)))
    assert model.interface is not None
    assert said == [model.interface.classes[best] for best in outputs.argmax(axis=1)]
    assert len(set(said)) == 3
    capsys.readouterr()


def rows_in(path: Path, task: str) -> list[str]:
    """The readings of each row as the file has them, in the order of the task's features."""
    told = tomllib.loads(Path(task).read_text())["task"]
    with path.open(newline="") as file:
        return [",".join(row[feature] for feature in told["features"]) for row in csv.DictReader(file)]


def built(library: str) -> Path:
    """The sketch as a program of this machine; its source is C as well."""
    compiler = shutil.which("cc")
    assert compiler is not None
    sources = [str(path) for path in Path(library).glob("*.c")]
    warnings = ["-std=c99", "-Wall", "-Wextra", *STRICT, "-O2", f"-I{library}"]
    command = [compiler, *warnings, *sources, "-x", "c", "firmware/src/main.cpp", "-o", "program"]
    subprocess.run(command, check=True)
    return Path("program").absolute()


def answers(program: Path, lines: list[str]) -> list[str]:
    done = subprocess.run([program], input="\n".join(lines) + "\n", capture_output=True, text=True, check=True)
    return done.stdout.splitlines()


@pytest.mark.cross
def test_the_sketch_is_built_for_a_board_and_learns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(["new", "plant"]) == 0
    folder = tmp_path / "plant"
    core = ["-mcpu=cortex-m4", "-mthumb", "-O2", "-Wall", "-Wextra", *STRICT, "-Ifirmware/lib/plant"]
    for number, source in enumerate(["firmware/src/main.cpp", *map(str, folder.glob("firmware/lib/plant/*.c"))]):
        compiler = "arm-none-eabi-g++" if source.endswith(".cpp") else "arm-none-eabi-gcc"
        subprocess.run([compiler, *core, "-c", source, "-o", f"{number}.o"], cwd=folder, check=True)
    monkeypatch.chdir(folder)
    program = built("firmware/lib/plant")
    lesson = ["5.0,0.0,closed", "2.0,4.0,open"] * 40
    assert answers(program, [*lesson, "5.0,0.0", "2.0,4.0", "hello", "1.0", "5.0,0.0,melted"])[-5:] == [
        "closed",
        "open",
        "?",
        "?",
        "?",
    ]


@pytest.mark.board
def test_a_board_with_the_projects_start_answers_as_the_simulator(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(["new", "valves-2"]) == 0
    monkeypatch.chdir(tmp_path / "valves-2")
    assert run(["simulate", "run.toml", "--rounds", "5", "--set", "evaluation.tasks=4", "--save", "a.safetensors"]) == 0
    capsys.readouterr()
    assert run(["emulate", "--model", "valves-2.toml", "--start", "a.safetensors", "--check", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["data"] == {"rows": 480, "equal": 480}


@pytest.mark.parametrize(
    ("arguments", "sentence", "code"),
    [
        (["A b"], "'A b' is no name of a project", UsageError.exit_code),
        (["../up"], "is no name of a project", UsageError.exit_code),
        (["9lives"], "is no name of a project", UsageError.exit_code),
        (["old"], "old is there already", StoreError.exit_code),
        (["fresh", "--label", "state"], "--label, --device and --time are columns of --data", UsageError.exit_code),
        (["fresh", "--data", "mine.csv"], "which columns of mine.csv are what?", UsageError.exit_code),
        (["fresh", "--data", "no.csv", "--label", "a", "--device", "b"], "no.csv: cannot be read", DataError.exit_code),
    ],
)
def test_what_cannot_be_made_leaves_nothing(
    arguments: list[str],
    sentence: str,
    code: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "old").mkdir()
    assert run(["new", *arguments]) == code
    assert sentence in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["old"]


def test_a_broken_table_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.csv").write_text("machine,x,state\nm1,1,a\nm2,?,b\n")
    assert run(["new", "fresh", "--data", "mine.csv", "--label", "state", "--device", "machine"]) != 0
    assert "mine.csv, line 3, column 'x': '?' is not a number" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["mine.csv"]
