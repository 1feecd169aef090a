"""What `jaragua deploy` saves: the same boards, flashed and trained by hand and by one command, with equal hashes.

The commands that are counted (saving.py) are those that are run here.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from common.programmable import programmable
from deploy.saving import BEFORE_FLASH, BOARDS, FLEET, OTHER, TASKS, Work, by_hand, deployed, table
from forked import Forker
from images import built_image
from jaragua.emulate import EmulatedFleet
from jaragua.store.files import to_toml
from jaragua_broker import Broker

IS_LONG = os.environ.get("JARAGUA_ALL_BOARDS") == "1"
DATA = {"keywords": "speech_commands", "presence": "room_occupancy_estimation"}
#: What the boards run before: an image that other tests build anyway.
BEFORE = "sine"
KINDS = ("native", "qemu_m4", "native")


def test_the_page_has_the_counts_of_what_is_run() -> None:
    page = Path(__file__).parents[2] / "docs" / "results" / "deploy.md"
    lines = page.read_text(encoding="utf-8").splitlines()
    rows = table()
    assert lines[lines.index(rows[0]) : lines.index(rows[0]) + len(rows)] == rows


@pytest.mark.board
@pytest.mark.skipif(not IS_LONG, reason="MANY BUILDS: `make boards` runs it; test_deploy_boards is its short form")
@pytest.mark.parametrize("model", TASKS)
def test_by_hand_and_with_deploy_the_same_boards_learn_the_same_bits(
    model: str, forker: Forker, tmp_path: Path, use_data: Callable[[str], Path]
) -> None:
    if model in DATA:
        use_data(DATA[model])

    async def story() -> tuple[dict[str, Any], dict[str, Any]]:
        results = []
        for name, work in (("hand", by_hand), ("deploy", deployed)):
            folder = tmp_path / name
            folder.mkdir()
            async with fleet(forker, folder, model) as url:
                results.append(await asyncio.to_thread(carried_out, forker, model, work(model, url, folder), folder))
        return results[0], results[1]

    hand, short = asyncio.run(story())
    assert {one["id"]: one["updates"] for one in hand["devices"]} == dict.fromkeys(BOARDS, 2)
    assert short["devices"] == hand["devices"]
    assert short["model_hash"] == hand["model_hash"]
    assert {one["device"]: one["action"] for one in short["plan"]} == dict.fromkeys(BOARDS, "flash")
    assert [one["device"] for one in short["excluded"]] == [OTHER]


@contextlib.asynccontextmanager
async def fleet(forker: Forker, folder: Path, model: str) -> AsyncIterator[str]:
    """Boards with another model's image behind one gateway; two have the sensor of the task."""
    with contextlib.ExitStack() as stack:
        url = stack.enter_context(Broker()).url
        names = (*BOARDS, OTHER)
        fleets = []
        for name, kind in zip(names, KINDS, strict=True):
            (folder / name).mkdir()
            fleets.append(stack.enter_context(EmulatedFleet(built_image(kind, BEFORE), 1, links=folder / name)))
        owner = {
            f"devices.{name}": {"type": "nano33ble_sense", "sensors": [TASKS[model]] if name in BOARDS else []}
            for name in names
        }
        (folder / "owner.toml").write_text(to_toml(owner), encoding="utf-8")
        words = ["gateway", "--broker", url, "--fleet", FLEET, "--node", "gw", "--data-dir", str(folder / "gw")]
        words += ["--owner", str(folder / "owner.toml")]
        words += [
            word for name, one in zip(names, fleets, strict=True) for word in ("--port", one.urls[0], "--id", name)
        ]
        async with programmable(list(zip(KINDS, fleets, strict=True)), folder):
            gateway = forker.start(words, folder / "gateway.out")
            try:
                for name in names:
                    await asyncio.to_thread(gateway.wait_for_text, f"{name} with model")
                yield url
            finally:
                gateway.terminate()
                await asyncio.to_thread(gateway.wait)


def carried_out(forker: Forker, model: str, work: Work, folder: Path) -> dict[str, Any]:
    """Give the commands; the document of the last. One that runs until Ctrl-C is ended at the end."""
    serving = []
    if work.file:
        Path(work.commands[-1][1]).write_text(work.file, encoding="utf-8")
    data: dict[str, Any] = {}
    for number, words in enumerate(work.commands):
        output = folder / f"{number}.json"
        if words[:2] == ("fleet", "serve"):
            serving.append(forker.start(words, output))
            serving[-1].wait_for_text("the graph follows fleet")
            wait_until_described(forker, folder / "graph", output)
            continue
        before = BEFORE_FLASH.get(model, {}) if words[0] == "flash" else {}
        program = forker.start([*words, "--json"], output, environment=before)
        assert program.wait() == 0, program.said
        data = json.loads(output.read_text(encoding="utf-8"))["data"]
        if words[0] == "match":
            assert {one["id"] for one in data["boards"] if one["fits"]} == set(BOARDS)
    for one in serving:
        one.terminate()
        one.wait()
    return data


def wait_until_described(forker: Forker, graph: Path, output: Path) -> None:
    """Until the graph has taken in all boards."""
    listed = output.with_name("devices.json")
    while True:
        listed.unlink(missing_ok=True)
        program = forker.start(["devices", "--graph", str(graph), "--json"], listed)
        assert program.wait() == 0, program.said
        if len(json.loads(listed.read_text(encoding="utf-8"))["data"]["devices"]) == len(BOARDS) + 1:
            return
