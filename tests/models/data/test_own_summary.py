"""What `jaragua data` says before anything is trained: the list of own-data.md, "What is checked", case by case."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from test_own_inputs import RATE, series, sound_task, tone, wav

from common.own_task import TASK, valves, write_valves
from jaragua.cli.main import run
from jaragua_compiler.export.inputs.weights_file import read_interface
from jaragua_models import from_toml
from jaragua_models.own_data.statistics import Statistics
from jaragua_models.own_data.summary import Summary, summary_of


def changed(folder: Path, lines: list[str], toml: str = TASK) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "valves.csv").write_text("\n".join(lines) + "\n")
    (folder / "valves.toml").write_text(toml)
    return folder / "valves.toml"


def said(found: Summary, code: str) -> list[str]:
    return [warning.text for warning in found.warnings if warning.code == code]


def test_rows_devices_classes_and_features_are_counted(tmp_path: Path) -> None:
    found = summary_of(write_valves(tmp_path))
    assert (found.samples, found.inputs, found.classes) == (216, 2, {"closed": 72, "leaking": 72, "open": 72})
    assert [(one.name, one.samples, one.held_out) for one in found.devices] == [
        (f"m{number}", 36, number >= 5) for number in range(1, 7)
    ]
    assert found.devices[0].counts == {"closed": 12, "leaking": 12, "open": 12}
    pressure = found.features[0]
    values = [float(line.split(",")[1]) for line in valves()[1:] if line[:2] not in ("m5", "m6")]
    assert (pressure.low, pressure.high) == (min(values), max(values))
    assert pressure.mean == pytest.approx(np.mean(values))
    assert [warning.code for warning in found.warnings] == ["neighbours"]


Lines = Callable[[list[str]], list[str]]


def columns(lines: list[str], name: str, cell: Callable[[int], object]) -> list[str]:
    """With one more column in front of the label."""
    head, *rows = (line.rsplit(",", 1) for line in lines)
    return [f"{head[0]},{name},{head[1]}"] + [f"{row[0]},{cell(n)},{row[1]}" for n, row in enumerate(rows)]


@pytest.mark.parametrize(
    ("change", "code", "words"),
    [
        (lambda lines: columns(lines, "room", lambda n: 7), "constant", "constant in all rows that train.*: room"),
        (lambda lines: columns(lines, "number", lambda n: n + 1), "row-number", "counts the rows.*: number"),
        (
            lambda lines: columns(lines, "stamp", lambda n: 1.7e9 + 0.25 * (n * n % 97)),
            "scaling",
            "no scaling in integers.*'stamp'",
        ),
        (lambda lines: [*lines, lines[-1], lines[-1]], "repeated", "2 samples repeat another"),
        (lambda lines: [*lines, "M1,5.1,0.1,closed"], "names", "nodes cannot tell apart 'M1', 'm1': both are 'm1'"),
        (
            lambda lines: [*lines, "m1,9,9,broken", "m1,9,8,broken"],
            "rare",
            r"class 'broken': 'm1' has 2, .* of the 5 samples that a task takes",
        ),
        (
            lambda lines: [line for line in lines if not line.startswith("m2") or line.endswith("open")],
            "unfit",
            "cannot train, as less than 2 of their classes have 5 samples.*: m2",
        ),
        (
            lambda lines: [line for line in lines if not line.startswith("m5") or line.endswith("open")],
            "unfit",
            "cannot be evaluated, as less than 2 of their classes have 10 samples.*: m5",
        ),
        (lambda lines: [*lines, "m1,9,9,broken"], "rare", "class 'broken': 'm5' has 0, 'm6' has 0"),
        (lambda lines: [*lines, "m5,9,9,broken"], "absent", "no device that trains has samples of: 'broken'"),
        (
            lambda lines: [line for line in lines if not line.startswith("m6")],
            "held-out",
            "held_out names devices without a row here: m6",
        ),
        (
            lambda lines: [line for line in lines if line[:2] not in ("m5", "m6")],
            "held-out",
            "nothing can be evaluated with this file alone",
        ),
        (
            lambda lines: [line for line in lines if line[:2] in ("ma", "m5", "m6")],
            "held-out",
            "this file alone trains nothing",
        ),
    ],
)
def test_what_to_look_at_in_a_table(tmp_path: Path, change: Lines, code: str, words: str) -> None:
    found = said(summary_of(changed(tmp_path, change(valves()))), code)
    assert any(re.search(words, text) for text in found), found


def test_what_to_look_at_in_recordings(tmp_path: Path) -> None:
    forms = {
        "loud_wav": wav(np.sign(tone(900, 0.5, loudness=1))[:, None], RATE, 16),
        "soft_wav": wav(tone(900, 0.5, loudness=0.001)[:, None], RATE, 16),
        "long_wav": wav(tone(900, 2.5)[:, None], RATE, 16),
    }
    found = summary_of(sound_task(tmp_path, **forms))
    assert found.sound is not None
    assert (found.sound.recordings, found.sound.cut, found.sound.padded, found.sound.clipped) == (7, 1, 6, 1)
    assert found.sound.loudness_db[0] < -60 < -1 < found.sound.loudness_db[2]
    assert "s0/high/loud.wav" in said(found, "clipped")[0]
    assert "1 recording is below -50 dB: s0/high/soft.wav" in said(found, "loudness")[0]
    assert "s0/high/long.wav" in said(found, "cut")[0]


@pytest.mark.parametrize(
    ("seconds", "pooling", "told"), [(0.8, "", True), (0.6, "", False), (0.8, 'pooling = "time"\n', False)]
)
def test_f13_sounds_of_which_a_word_takes_a_part_are_told(
    tmp_path: Path, seconds: float, pooling: str, told: bool
) -> None:
    hiss = np.random.default_rng(1).normal(0, 0.1, (round(seconds * RATE), 1))
    path = sound_task(tmp_path, hiss_wav=wav(hiss, RATE, 16))
    path.write_text(path.read_text() + pooling)
    found = said(summary_of(path), "long")
    assert len(found) == told
    assert all("1 recording has more than 0.65 s of sound: s0/high/hiss.wav" in one for one in found)


@pytest.mark.parametrize(("quieter_db", "told"), [(24, True), (18, False)])
def test_recordings_of_very_different_loudness_are_told(tmp_path: Path, quieter_db: int, told: bool) -> None:
    """20 dB between the quietest and the loudest tenth; none of them is too quiet by itself."""
    soft = 0.25 / 10 ** (quieter_db / 20)
    quiet = {f"soft{number}_wav": wav(tone(900, 0.5, loudness=soft)[:, None], RATE, 16) for number in range(3)}
    found = summary_of(sound_task(tmp_path, **quiet))
    words = "loudness differs by 24 dB between the quietest and the loudest tenth"
    assert [one for one in said(found, "loudness") if one == words] == [words] * told
    assert len(said(found, "loudness")) == told


def test_windows_are_counted_as_samples(tmp_path: Path) -> None:
    found = summary_of(series(tmp_path, 'window = 8\nwindows = "raw"\n'))
    assert (found.samples, found.inputs, [one.name for one in found.features]) == (40, 16, ["x", "y"])


def test_statistics_of_parts_give_the_scaling_of_the_whole_to_the_bit(tmp_path: Path) -> None:
    header, *rows = valves()
    whole = from_toml(write_valves(tmp_path / "all")).interface
    parts = []
    for machine in ("m1", "m2", "m3", "m4"):
        own = changed(tmp_path / machine, [header, *(row for row in rows if row.startswith(machine))])
        model = from_toml(own)
        assert model.interface is not None
        x = np.array([row.split(",")[1:3] for row in rows if row.startswith(machine)], dtype=np.float64)
        parts.append(Statistics.from_json(Statistics.of(model.interface.columns, x).to_json(), machine))
    joined = parts[3].joined(parts[1]).joined(parts[0]).joined(parts[2])
    assert whole is not None
    assert joined.format() == whole.inputs
    assert joined.rows == 144


def shown(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert run(["data", *arguments]) == 0
    return capsys.readouterr().out


def test_the_verb_tells_people_and_programs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    task = str(write_valves(tmp_path))
    text = shown(capsys, task)
    assert "valves: 216 samples of 2 inputs" in text
    assert "look at: valves.csv has no time" in text
    document: dict[str, Any] = json.loads(shown(capsys, task, "--json"))["data"]
    assert document["devices"][4] == {
        "device": "m5",
        "name": "m5",
        "samples": 36,
        "held_out": True,
        "counts": {"closed": 12, "leaking": 12, "open": 12},
    }
    assert document["warnings"][0]["code"] == "neighbours"


def test_the_scaling_that_is_printed_is_taken(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    task = write_valves(tmp_path)
    (tmp_path / "sums.json").write_text(shown(capsys, str(task), "--statistics"))
    scaling = shown(capsys, str(task), "--scaling", str(tmp_path / "sums.json"))
    assert scaling == shown(capsys, str(task), "--scaling")
    before = from_toml(task).interface
    assert from_toml(write_valves(tmp_path, scaling)).interface == before
    other = write_valves(tmp_path / "other", scaling.replace("scale = ", "scale = 2"))
    assert from_toml(other).interface != before
    start = tmp_path / "start.safetensors"
    few = ["--rounds", "0", "--set", "evaluation.tasks=2", "--save", str(start)]
    assert run(["simulate", "--task", str(other), *few]) == 0
    capsys.readouterr()
    again = tmp_path / "again.safetensors"
    plain = ["simulate", "--task", str(write_valves(tmp_path / "plain")), "--start", str(start)]
    assert run([*plain, *few[:-1], str(again)]) == 0  # R22.2
    assert read_interface(again) == from_toml(other).interface
    capsys.readouterr()
    told = shown(capsys, str(task), "--scaling", str(start))
    assert from_toml(write_valves(tmp_path, told)).interface == from_toml(other).interface


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--statistics", "--scaling"], "two results"),
        (["x.json"], "files behind the task are for --scaling"),
        (["--scaling", "missing.json"], "missing.json cannot be read"),
    ],
)
def test_options_that_do_not_fit_are_said(
    arguments: list[str], sentence: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["data", str(write_valves(tmp_path)), *arguments]) != 0
    assert sentence in capsys.readouterr().err


def test_statistics_that_are_none_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    task, bad = str(write_valves(tmp_path)), tmp_path / "bad.json"
    for text in ("", "{}", "[1]", '{"statistics": [{"name": "x"}]}', "[" * 100_000):
        bad.write_text(text)
        assert run(["data", task, "--scaling", str(bad)]) != 0
        assert "no statistics of a table" in capsys.readouterr().err
