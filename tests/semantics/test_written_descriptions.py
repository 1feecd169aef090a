"""S3.1: `jaragua compile` and `simulate` write descriptions that the graph takes as they are."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from jaragua.cli import main
from jaragua.errors import DataError
from jaragua.semantics.graph.contents import add_file
from jaragua.semantics.graph.facts import model_records
from jaragua.semantics.graph.store import GraphStore
from jaragua.semantics.matching.records import ModelRecord
from jaragua.semantics.models.writing import is_of_the_zoo
from jaragua_compiler import Dense, Network
from jaragua_models import get


def taken(path: Path, folder: Path) -> ModelRecord:
    """What the graph has of a file, which its shapes accept."""
    with GraphStore(folder / "graph") as store:
        assert add_file(store, path) == []
        (found,) = model_records(store)
    return found


def test_s3_1_compile_writes_a_description_into_its_manifest(tmp_path: Path) -> None:
    words = ["compile", "digits", "--board", "pico", "--out", str(tmp_path / "c")]
    assert main.run(words) == 0
    found = taken(tmp_path / "c" / "jaragua.json", tmp_path)
    assert found.id == "digits"
    assert all(build.instructions for build in found.builds)
    assert len(list((tmp_path / "c").iterdir())) == 8
    assert main.run(words) == 0  # the folder is still known as its own


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"description": 7}', '{"files": {}}'])
def test_s3_1_a_manifest_without_a_description_is_one_sentence(tmp_path: Path, content: str) -> None:
    (tmp_path / "jaragua.json").write_text(content, encoding="utf-8")
    with pytest.raises(DataError, match="has no description of a model"):
        taken(tmp_path / "jaragua.json", tmp_path)


def test_s3_1_simulate_writes_what_it_measured(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    place = str(tmp_path / "start.safetensors")
    words = ["simulate", "--task", "digits", "--rounds", "2", "--no-comparison", "--save", place, "--json"]
    assert main.run(words) == 0
    accuracy = json.loads(capsys.readouterr().out)["data"]["accuracy_mean"]
    assert taken(tmp_path / "start.ttl", tmp_path).accuracy == pytest.approx(accuracy)


def test_s3_1_simulate_writes_over_no_other_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "start.ttl").write_text("mine", encoding="utf-8")
    words = ["simulate", "--task", "digits", "--rounds", "2", "--save", str(tmp_path / "start.safetensors")]
    assert main.run(words) == 9
    assert "no description of a model" in capsys.readouterr().err
    assert (tmp_path / "start.ttl").read_text(encoding="utf-8") == "mine"


def test_s3_5_a_network_of_ones_own_has_no_counts_of_the_zoo() -> None:
    assert is_of_the_zoo("digits", get("digits@w8").network)
    assert not is_of_the_zoo("digits", Network("digits", 64, (Dense(31, "relu"), Dense(10))))
    assert not is_of_the_zoo("mine", get("digits").network)
