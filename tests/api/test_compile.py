"""`jaragua.compile_network`: the folder of `jaragua compile`, in memory."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import jaragua
from common.own_task import write_valves
from jaragua.cli.main import run
from jaragua.errors import ModelError, UsageError
from jaragua_compiler import Dense, Network

KERAS = Path(__file__).parents[1] / "compiler" / "data" / "small.keras"
TINY = Network("tiny", 4, layers=(Dense(8, "relu"), Dense(3, "linear")), loss="softmax_cross_entropy")


def content_of(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.parametrize(
    ("model", "options", "words"),
    [
        ("digits", {"weights": "w8", "train": "last"}, ("--weights=w8", "--train=last")),
        (str(KERAS), {"loss": "softmax_cross_entropy"}, ("--loss=softmax_cross_entropy",)),
        ("digits", {"train": "auto", "ram_budget": 6002}, ("--train=auto", "--ram-budget=6002")),
        (
            "digits",
            {"prototypes": 10, "false_accepts": 0.01},
            ("--prototypes=10", "--false-accepts=0.01"),
        ),
    ],
)
def test_the_folder_is_that_of_the_command(
    tmp_path: Path, model: str, options: dict[str, object], words: tuple[str, ...]
) -> None:
    assert run(["compile", model, "--board", "nano33ble", "--out", str(tmp_path / "command"), *words]) == 0
    compiled = jaragua.compile_network(model, "nano33ble", **options)  # type: ignore[arg-type]
    assert compiled.files == content_of(tmp_path / "command")
    assert content_of(compiled.write(tmp_path / "python")) == compiled.files


def test_the_threshold_of_unseen_devices_is_that_of_the_command(tmp_path: Path) -> None:
    unseen = tmp_path / "unseen.safetensors"
    wanted = ("--task", "validation:digits", "--rounds", "2", "--eval-tasks", "1", "--no-comparison")
    assert run(["simulate", *wanted, "--save", str(unseen)]) == 0
    words = ("--board", "nano33ble", "--prototypes", "4", "--unseen", str(unseen))
    assert run(["compile", "digits", *words, "--out", str(tmp_path / "command")]) == 0
    compiled = jaragua.compile_network("digits", "nano33ble", prototypes=4, unseen=unseen)
    assert compiled.files == content_of(tmp_path / "command")


def test_the_folder_of_a_task_of_ones_own_is_that_of_the_command(tmp_path: Path) -> None:
    task = str(write_valves(tmp_path))
    assert run(["compile", task, "--board", "nano33ble", "--out", str(tmp_path / "command")]) == 0
    assert jaragua.compile_network(task, "nano33ble").files == content_of(tmp_path / "command")


def test_prototypes_of_a_network_without_tasks_accept_every_class() -> None:
    with pytest.warns(UserWarning, match="no threshold is calibrated"):
        compiled = jaragua.compile_network(TINY, "nano33ble", prototypes=4)
    assert b"_enrol(" in compiled.files["tiny.h"]
    with pytest.raises(UsageError, match="--false-accepts needs tasks"):
        jaragua.compile_network(TINY, "nano33ble", prototypes=4, false_accepts=0.05)
    with pytest.raises(UsageError, match="--false-accepts needs --prototypes"):
        jaragua.compile_network("digits", "nano33ble", false_accepts=0.05)
    with pytest.raises(UsageError, match="--false-accepts is 1"):
        jaragua.compile_network("digits", "nano33ble", prototypes=4, false_accepts=1)


def test_it_says_what_it_takes_of_the_board() -> None:
    compiled = jaragua.compile_network(jaragua.load_task("digits"), "nano33ble")
    assert compiled.ram_bytes == sum(row.bytes for row in compiled.figures.ram)
    assert compiled.flash_bytes == sum(row.bytes for row in compiled.figures.flash)
    assert f"{compiled.ram_bytes:,} of" in repr(compiled)
    assert "one sample" in compiled._repr_html_()


def test_a_network_and_samples_can_be_given(tmp_path: Path) -> None:
    samples = np.random.default_rng(1).uniform(-8, 8, (50, 4))
    np.save(tmp_path / "samples.npy", samples)
    wide, from_file = (
        jaragua.compile_network(TINY, "nano33ble", samples=one) for one in (samples, tmp_path / "samples.npy")
    )
    assert wide.files == from_file.files != jaragua.compile_network(TINY, "nano33ble").files
    with pytest.raises(ModelError, match="the samples: its shape"):
        jaragua.compile_network(TINY, "nano33ble", samples=samples[:, :3])


def test_errors_are_of_the_projects_tree(tmp_path: Path) -> None:
    for model, board in (("digit", "nano33ble"), ("digits", "nano33"), (str(tmp_path / "no.onnx"), "nano33ble")):
        with pytest.raises(ModelError):
            jaragua.compile_network(model, board)
    with pytest.raises(ModelError, match="bytes of RAM"):
        jaragua.compile_network("digits", "nano33ble", ram_budget=100)
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "README.md").write_text("mine", encoding="utf-8")
    with pytest.raises(ModelError, match="is there already"):
        jaragua.compile_network("digits", "nano33ble").write(folder)
