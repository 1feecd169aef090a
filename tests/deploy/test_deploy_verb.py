"""S8.3 to S8.7: `jaragua deploy` without a board: the graph, what is refused, what is printed."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from jaragua.cli.main import run
from jaragua.coordinator.selection import ImageRoom
from jaragua.deploy import flashing
from jaragua.deploy.fleet import open_graph
from jaragua.deploy.plan import Action, Chosen
from jaragua.errors import BrokerError, ProtocolError, RunError, ToolError, UsageError
from jaragua.node.connection.url import parse_broker_url
from jaragua.semantics.matching.records import BuildRecord
from jaragua_broker import Broker


@pytest.fixture(scope="module")
def broker() -> Iterator[Broker]:
    with Broker() as started:
        yield started


def test_s8_6_deploy_keeps_a_graph_current_that_nobody_else_does(tmp_path: Path) -> None:
    with open_graph(tmp_path, "home") as (_, keeper):
        assert keeper is not None
        with open_graph(tmp_path, "home") as (reading, nobody):
            assert nobody is None
            assert reading.refusals() == []


def test_s8_7_a_fleet_without_devices_is_an_error(
    broker: Broker, capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    words = ["deploy", "sine", "--broker", broker.url, "--fleet", "nobody", "--graph", str(tmp_path / "graph")]
    assert run([*words, "--file", str(tmp_path / "run.toml")]) == RunError.exit_code
    assert "fleet nobody has no devices" in capfd.readouterr().err
    assert not (tmp_path / "run.toml").exists()


@pytest.mark.parametrize(
    ("words", "code", "sentence"),
    [
        (["--where", "plaice = kitchen"], UsageError.exit_code, "there is no condition 'plaice'"),
        (["--set", "model.name=sine"], UsageError.exit_code, "is what deploy writes itself"),
        (["--fleet", "a fleet"], ProtocolError.exit_code, "the fleet's name"),
    ],
)
def test_s8_5_what_cannot_be_meant_is_one_sentence(
    words: list[str], code: int, sentence: str, broker: Broker, capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    graph = ["--graph", str(tmp_path / "graph")]
    assert run(["deploy", "sine", "--broker", broker.url, *graph, *words, "--json"]) == code
    assert sentence in json.loads(capfd.readouterr().out)["error"]["message"]
    assert not (tmp_path / "graph").exists()


def test_no_broker_is_one_sentence(capfd: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    graph = ["--graph", str(tmp_path / "graph")]
    assert run(["deploy", "sine", "--broker", "mqtt://127.0.0.1:1", *graph]) == BrokerError.exit_code
    assert "cannot be read" in capfd.readouterr().err


def test_s8_4_every_image_is_built_once_before_a_board_is_flashed(
    broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    built: list[tuple[str, str, bool, int]] = []

    def note(environment: str, model: str, accumulate: bool, prototypes: int) -> Path:
        built.append((environment, model, accumulate, prototypes))
        return Path(environment)

    monkeypatch.setattr(flashing, "build_image", note)
    build = BuildRecord("cortex_m4", "w8", "all", 1, 1, 1)
    boards = [
        Chosen(name, "gw", board, build, 2, "sine@w8", Action.FLASH)
        for name, board in (("a", "qemu_m4"), ("b", "native"), ("c", "qemu_m4"))
    ]
    told: list[str] = []
    where = flashing.Where(parse_broker_url(broker.url), "empty")
    with pytest.raises(ToolError, match="a board of the plan is gone: --only a: no board"):
        asyncio.run(flashing.put(boards, ImageRoom(True, 7), where, told.append))
    assert built == [("native", "sine@w8", True, 7), ("qemu_m4", "sine@w8", True, 7)]
    assert told[0] == "building the image of sine@w8 for native"
