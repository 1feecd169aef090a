"""S8.4: a board with another model behind a real gateway gets the plan's image over MQTT, and trains the run."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

from common.programmable import programmable
from forked import Forker
from images import built_image
from jaragua.emulate import EmulatedFleet
from jaragua.store.files import to_toml
from jaragua_broker import Broker


def test_s8_4_a_board_with_another_model_is_flashed_through_its_gateway_and_trains(
    forker: Forker, tmp_path: Path
) -> None:
    owner = tmp_path / "owner.toml"
    owner.write_text(to_toml({"devices.left": {"type": "nano33ble_sense"}}), encoding="utf-8")

    def deployed(url: str) -> dict[str, Any]:
        words = ["deploy", "digits", "--broker", url, "--graph", str(tmp_path / "graph")]
        words += ["--file", str(tmp_path / "deploy.toml"), "--set", "run.rounds=1", "--json"]
        program = forker.start([*words, "--set", f"run.directory={tmp_path / 'run'}"], tmp_path / "out")
        assert program.wait() == 0, program.said
        assert "gw: left: done" in program.said
        data: dict[str, Any] = json.loads((tmp_path / "out").read_text(encoding="utf-8"))["data"]
        return data

    async def story(url: str, boards: EmulatedFleet) -> dict[str, Any]:
        words = ["gateway", "--broker", url, "--node", "gw", "--fleet", "home", "--owner", str(owner)]
        words += ["--port", boards.urls[0], "--id", "left", "--data-dir", str(tmp_path / "gw")]
        gateway = forker.start(words, tmp_path / "gateway.out")
        try:
            async with programmable([("native", boards)], tmp_path):
                await asyncio.to_thread(gateway.wait_for_text, "left with model 'sine'")
                return await asyncio.to_thread(deployed, url)
        finally:
            gateway.terminate()
            gateway.wait()

    with Broker() as broker, EmulatedFleet(built_image("native", "sine"), 1, links=tmp_path) as boards:
        data = asyncio.run(story(broker.url, boards))
    assert [(one["id"], one["updates"]) for one in data["devices"]] == [("left", 1)]
