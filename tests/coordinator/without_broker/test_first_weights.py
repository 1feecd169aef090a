"""R22: what `jaragua run --start` refuses before a fleet is asked, and how a run remembers what it began with."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from safetensors.numpy import load_file, save_file

from common.own_task import write_valves
from jaragua.cli.main import run
from jaragua.config import RunConfig, parse
from jaragua.coordinator.weights.codec import ModelCodec
from jaragua.coordinator.weights.first_weights import start_hash
from jaragua.errors import ConfigurationError
from jaragua.models import model_named
from jaragua.store import Initialisation, open_run
from jaragua.store.run_folder import weights_content

Arrays = dict[str, NDArray[np.floating]]

CONFIG = """
[run]
directory = "{folder}"
[model]
name = "{model}"
[strategy]
name = "{strategy}"
[broker]
url = "mqtt://127.0.0.1:1"
"""


def configuration(folder: Path, model: str, strategy: str = "tinyreptile") -> Path:
    path = folder / "run.toml"
    path.write_text(CONFIG.format(folder=folder / "run", model=model, strategy=strategy))
    return path


def weights_of(model: str, path: Path, change: Callable[[Arrays], None] = lambda arrays: None) -> Path:
    """A file of random first weights of a model, changed."""
    codec = ModelCodec(model_named(model))
    path.write_bytes(weights_content(codec.arrays(codec.initial(5)), 0, "", codec.model.interface))
    if codec.model.interface is None:
        arrays: Arrays = dict(load_file(path))
        change(arrays)
        save_file(arrays, path)
    return path


def refusal(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    assert run(["run", *words]) not in (0, 1)
    said = capsys.readouterr().err
    assert "Traceback" not in said
    return said


def as_integers(arrays: Arrays) -> None:
    arrays["layers.0.weight"] = arrays["layers.0.weight"].astype(np.int32)


def narrower(arrays: Arrays) -> None:
    arrays["layers.0.weight"] = arrays["layers.0.weight"][:, :-1].copy()


def with_nan(arrays: Arrays) -> None:
    arrays["layers.1.bias"][0] = np.nan


def without_a_layer(arrays: Arrays) -> None:
    del arrays["layers.1.bias"]


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (as_integers, "layers.0.weight is int32 of shape [32, 64], the network has finite numbers of [32, 64]"),
        (narrower, "layers.0.weight is float64 of shape [32, 63], the network has finite numbers of [32, 64]"),
        (with_nan, "layers.1.bias is float64 of shape [10], the network has finite numbers of [10]"),
        (without_a_layer, "has not the 2 layers of network 'digits'"),
    ],
)
def test_r22_2_weights_that_do_not_fit_are_refused_before_the_run_begins(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], change: Callable[[Arrays], None], sentence: str
) -> None:
    start = weights_of("digits", tmp_path / "start.safetensors", change)
    said = refusal(capsys, str(configuration(tmp_path, "digits")), "--start", str(start))
    assert sentence in said
    assert not (tmp_path / "run" / "run.json").exists()


def test_r22_2_weights_of_other_data_or_another_kind_of_model_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    valves = write_valves(tmp_path / "valves")
    other = write_valves(tmp_path / "other")
    other.write_text(other.read_text().replace("[network]", 'features = ["flow", "pressure"]\n[network]'))
    start = weights_of(str(valves), tmp_path / "start.safetensors")
    said = refusal(capsys, str(configuration(tmp_path, str(other))), "--start", str(start))
    assert "the scaling is of pressure, flow, the table has flow, pressure" in said
    said = refusal(capsys, str(configuration(tmp_path, "digits")), "--start", str(start))
    assert "the weights are of a table task, and 'digits' is a model of the zoo" in said


def test_r22_no_file_and_no_safetensors(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = str(configuration(tmp_path, "digits"))
    assert "cannot be read" in refusal(capsys, config, "--start", str(tmp_path / "none.safetensors"))
    (tmp_path / "text.safetensors").write_text("pressure,flow\n")
    assert "is not a whole safetensors file" in refusal(capsys, config, "--start", str(tmp_path / "text.safetensors"))


def test_r22_a_strategy_with_first_weights_of_its_own_takes_none(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    start = weights_of("digits", tmp_path / "start.safetensors")
    said = refusal(capsys, str(configuration(tmp_path, "digits", "scratch")), "--start", str(start))
    assert "would take none of --start" in said or "scratch" in said


def test_r22_a_run_goes_on_without_the_file_and_not_from_other_weights(tmp_path: Path) -> None:
    path = configuration(tmp_path, "digits")
    config: RunConfig = parse(path.read_text(), path)
    first, other = np.ones(3), np.zeros(3)
    with open_run(config.run.directory) as folder:
        told = {"start": start_hash(first), "first_weights_from": "a.safetensors"}
        record = folder.begin(config, Initialisation(0, first, bytes(32)), told)
        assert folder.resume(config) == record
        folder.store.open_round(record.run, 1, [], [])
    with open_run(config.run.directory) as folder:
        assert folder.resume(config) == record
        assert folder.resume(config, start_hash(first)) == record
        with pytest.raises(ConfigurationError, match="its first weights are others than those of --start"):
            folder.resume(config, start_hash(other))
        folder.write_summary()
    summary = json.loads((config.run.directory / "run.json").read_text())
    assert (summary["start"], summary["first_weights_from"]) == (start_hash(first), "a.safetensors")
