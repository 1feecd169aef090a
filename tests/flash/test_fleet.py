"""`jaragua flash --fleet` over a real broker: two gateways, two kinds of board, and what they do afterwards."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from common.plain_simulation import PLAIN
from common.programmable import programmable
from common.real_fleet import FLEET, programs, run_of_a_fleet
from forked import Forker
from images import built_image
from jaragua.cli.main import run
from jaragua.emulate import EmulatedFleet
from jaragua.simulation import device_names, simulate
from jaragua_broker import Broker
from limits import GENEROUS_S
from trust.fleet_authority import make_authority, secured_broker

WANTED = replace(PLAIN, clients=2, devices=device_names(2), rounds=3)


def gateway(node: str, device: str, port: str, url: str, folder: Path) -> list[str]:
    where = ["gateway", "--broker", url, "--fleet", FLEET, "--node", node, "--model", WANTED.task]
    return [*where, "--data-dir", str(folder / node), "--port", port, "--id", device]


async def flashed(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, list[dict[str, Any]]]:
    """Exit code and boards of the command with --json."""
    code = await asyncio.to_thread(run, ["flash", "--fleet", *words, "--json"])
    return code, json.loads(capsys.readouterr().out)["data"]["boards"]


async def until_there(capsys: pytest.CaptureFixture[str], where: list[str], count: int) -> list[dict[str, Any]]:
    """What would be done, as soon as so many boards are there."""
    async with asyncio.timeout(GENEROUS_S):
        while True:
            _, found = await flashed(capsys, *where, "--dry-run")
            if len([one for one in found if one["result"] == "would be flashed"]) == count:
                return found


@pytest.mark.board
def test_two_kinds_of_board_get_a_model_through_their_gateways_and_train_with_the_simulations_hash(
    forker: Forker, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A process and a Cortex-M4 with digits get sine; a second call has nothing to do; then they train a run."""
    one, two = WANTED.devices

    async def story(url: str, boards: list[tuple[str, EmulatedFleet]]) -> dict[str, Any]:
        where = ["--broker", url, "--fleet-name", FLEET, "--model", "sine"]
        async with programmable(boards, tmp_path):
            planned = await until_there(capsys, where, 2)
            assert [(entry["gateway"], entry["environment"]) for entry in planned] == [
                ("gw-1", "native"),
                ("gw-2", "qemu_m4"),
            ]
            code, done = await flashed(capsys, *where)
            assert (code, [entry["result"] for entry in done]) == (0, ["flashed", "flashed"]), done
            assert [(entry["before"]["model"], entry["after"]["model"]) for entry in done] == [("digits", "sine")] * 2
            code, again = await flashed(capsys, *where)
            assert (code, [entry["result"] for entry in again]) == (0, ["has it already"] * 2)
            return await asyncio.to_thread(run_of_a_fleet, forker, WANTED, url, tmp_path)

    with (
        Broker() as broker,
        EmulatedFleet(built_image("native"), 1, links=tmp_path) as native,
        EmulatedFleet(built_image("qemu_m4"), 1) as m4,
        programs(
            forker,
            [
                gateway("gw-1", one, native.urls[0], broker.url, tmp_path),
                gateway("gw-2", two, m4.urls[0], broker.url, tmp_path),
            ],
        ),
    ):
        data = asyncio.run(story(broker.url, [("native", native), ("qemu_m4", m4)]))
    assert data["model_hash"] == simulate(WANTED).final_hash


def test_g23_the_coordinators_identity_flashes_over_tls_and_no_other(
    forker: Forker, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Another member of the fleet sees no boards, or is left without an answer; nothing changes."""
    authority = make_authority(tmp_path / "trust", "gw", "pi-1")

    async def story(url: str, native: EmulatedFleet) -> None:
        def where(name: str) -> list[str]:
            return ["--broker", url, "--identity", str(authority.identity_folder(name)), "--model", "sine"]

        async with programmable([("native", native)], tmp_path):
            await until_there(capsys, where("coordinator"), 1)
            _, found = await flashed(capsys, *where("pi-1"))
            assert [one for one in found if one["result"] == "flashed"] == []
            code, done = await flashed(capsys, *where("coordinator"), "--only", "gw")
            assert (code, [one["result"] for one in done]) == (0, ["flashed"]), done

    with (
        secured_broker(authority, tmp_path / "data") as broker,
        EmulatedFleet(built_image("native"), 1, links=tmp_path) as native,
    ):
        words = ["gateway", "--identity", str(authority.identity_folder("gw")), "--broker", broker.url]
        with programs(forker, [[*words, "--data-dir", str(tmp_path / "gw"), "--port", native.urls[0]]]):
            asyncio.run(story(broker.url, native))


def test_a_fleet_without_boards_and_options_that_do_not_go_together_are_told(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with Broker() as broker:
        assert run(["flash", "--fleet", "--broker", broker.url]) == 0
        assert "no board is behind a gateway of the fleet 'home'" in capsys.readouterr().err
    for words, why in (
        (["--fleet", "--port", "/dev/x"], "--fleet flashes boards behind gateways"),
        (["--only", "left"], "go with --fleet"),
        (["--fleet", "--broker", "mqtt://127.0.0.1:1", "--start", "w.safetensors"], "needs the model of the weights"),
        (["--fleet"], "no broker is named"),
        (["--fleet", "--broker", "mqtt://127.0.0.1:1", "--model", "digit"], "digit"),
    ):
        assert run(["flash", *words]) != 0
        assert why in capsys.readouterr().err
