"""A task's TOML file, and what was learned of it, wherever a verb takes a model of the zoo."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from common.own_task import valves, write_valves
from jaragua.cli.main import run
from jaragua.errors import UsageError
from jaragua.gateway.deployed import rows_of, simulated, start_of
from jaragua.models import model_started
from strict_c import STRICT


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


ANSWERS = """\
#include <stdio.h>

#include "valves.h"

static uint8_t weights[VALVES_BLOB_BYTES] __attribute__((aligned(4)));

static int answer(const int16_t *input)
{
    int16_t outputs[VALVES_OUTPUTS];
    if (valves_forward(input, outputs) != VALVES_OK) {
        return 1;
    }
    return printf("%d %d %d\\n", outputs[0], outputs[1], outputs[2]) < 0;
}

/* From rows "machine,pressure,flow,state": the outputs for the readings as floats, and as thousandths. */
int main(void)
{
    float row[VALVES_INPUTS];
    int16_t input[VALVES_INPUTS];
    if (valves_start(weights) != VALVES_OK) {
        return 1;
    }
    while (scanf(" %*[^,],%f,%f,%*s", &row[0], &row[1]) == 2) {
        const int32_t raw[] = {valves_raw_from_float(0u, row[0]), valves_raw_from_float(1u, row[1])};
        if (valves_input_from_float(row, input) != VALVES_OK || answer(input) != 0 ||
            valves_input_from_raw(raw, input) != VALVES_OK || answer(input) != 0) {
            return 1;
        }
    }
    return 0;
}
"""


def test_the_c_of_a_task_answers_every_row_of_its_table_as_the_simulator(
    learned: tuple[str, str], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    task, start = learned
    folder = tmp_path / "c"
    found = told(capsys, "compile", task, "--board", "nano33ble", "--start", start, "--out", str(folder))
    assert found["source"]["weights"] == "start"
    facts = json.loads((folder / "jaragua.json").read_text())
    assert [column["name"] for column in facts["inputs"]["columns"]] == ["pressure", "flow"]
    assert [column["per_unit"] for column in facts["inputs"]["columns"]] == [1000, 1000]
    assert facts["classes"] == ["closed", "leaking", "open"]
    (folder / "main.c").write_text(ANSWERS)
    flags = ("-std=c99", "-Wpedantic", "-Wall", "-Wextra", *STRICT)
    subprocess.run(["cc", *flags, "-o", "answers", *folder.glob("*.c")], cwd=folder, check=True)
    rows = "\n".join(valves()[1:]) + "\n"
    done = subprocess.run([folder / "answers"], input=rows, capture_output=True, text=True, check=True)
    outputs = np.array([line.split() for line in done.stdout.splitlines()], dtype=int).reshape(-1, 2, 3)
    deployed = start_of(model_started(task, Path(start)), Path(start))
    expected = simulated(deployed, deployed.integers(rows_of(deployed.model)))
    np.testing.assert_array_equal(outputs[:, 0], expected)
    np.testing.assert_array_equal(outputs[:, 1], expected)


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
