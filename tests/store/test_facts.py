"""facts.json: which versions made a run, and what its network costs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import jaragua_models
from jaragua.store import facts
from jaragua_compiler import plan


def test_the_memory_is_that_of_the_compiler() -> None:
    compiled = plan(jaragua_models.get("digits").network)
    found = facts.network_facts(compiled, ("no", "yes"))
    assert found["parameters"] == 64 * 32 + 32 + 32 * 10 + 10
    assert found["blob_bytes"] == compiled.blob_bytes
    assert found["classes"] == ["no", "yes"]
    assert set(found["memory"]) == {"cortex_m4", "cortex_m0plus", "rv32imc"}
    assert all(one["ram_bytes"] > compiled.blob_bytes for one in found["memory"].values())


def test_another_version_that_goes_on_is_added(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def write(version: str, rounds_done: int) -> list[tuple[int, str]]:
        monkeypatch.setattr(facts, "versions", lambda: {"jaragua": version})
        facts.write_facts(tmp_path, {"parameters": 3}, rounds_done)
        return [(one["after_round"], one["jaragua"]) for one in facts.read_facts(tmp_path)["versions"]]

    assert write("1", 0) == [(0, "1")]
    assert write("1", 5) == [(0, "1")]
    assert write("2", 7) == [(0, "1"), (7, "2")]
    assert write("2", 0) == [(0, "2")], "begun anew"


def test_a_file_that_is_not_whole_is_written_again(tmp_path: Path) -> None:
    (tmp_path / facts.FACTS).write_text("{", encoding="utf-8")
    assert facts.read_facts(tmp_path) == {}
    facts.write_facts(tmp_path, {"parameters": 3}, 4)
    assert json.loads((tmp_path / facts.FACTS).read_bytes())["parameters"] == 3
