"""`jaragua deploy` on emulated boards of several kinds over real mosquitto: the bits of the same run done by hand.

Bar: a fleet trained by conditions alone, without naming a device, ends with the hash of the run that names them.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from common.programmable import programmable
from forked import Forker
from images import built_image
from jaragua import config
from jaragua.boards import environment
from jaragua.emulate import EmulatedFleet
from jaragua.errors import RunError
from jaragua.store.files import to_toml
from jaragua_broker import Broker

FLEET = "deployed"
ROUNDS = 2
WHERE = "sensor = accelerometer and trains and place != cellar"


@dataclass(frozen=True)
class Member:
    """A board of the fleet: what it is, what its image is built for, and what its owner states."""

    environment: str
    type: str
    model: str = "digits"
    place: str = "kitchen"
    ram_bytes: int | None = None


#: In every run: images that other tests build anyway.
FEW = {"native-1": Member("native", "nano33ble_sense", "sine"), "m4-1": Member("qemu_m4", "nano33ble_sense")}
#: With `make boards`: all kinds that match knows builds for, in both arithmetics, one with its last layer alone.
ALL = FEW | {
    "m0-1": Member("bbcmicrobit", "bbcmicrobit"),
    "m0plus-1": Member("pico", "pico"),
    "m3-1": Member("qemu_m3", "bluepill_f103c8", ram_bytes=65_536),
    "m4-2": Member("adafruit_feather_f405", "adafruit_feather_f405", "digits@w8"),
    "m7-1": Member("qemu_m7", "nucleo_f767zi"),
    "m33-1": Member("qemu_m33", "rpipico2"),
    "rv32-1": Member("qemu_rv32", "esp32_c3_devkitm_1"),
    "m4-3": Member("qemu_m4", "nano33ble_sense", "digits@w8-head"),
}
#: A device that conditions leave out, by its place.
OTHERS = {"native-2": Member("native", "nano33ble_sense", "sine", "cellar")}
IS_LONG = os.environ.get("JARAGUA_ALL_BOARDS") == "1"
TRAINED = ALL if IS_LONG else FEW
MEMBERS = TRAINED | OTHERS


def owner_file(folder: Path) -> Path:
    stated = {
        f"devices.{name}": {"type": one.type, "place": one.place, "sensors": ["accelerometer"]}
        | ({"ram_bytes": one.ram_bytes} if one.ram_bytes else {})
        for name, one in MEMBERS.items()
    }
    path = folder / "owner.toml"
    path.write_text(to_toml(stated), encoding="utf-8")
    return path


@contextlib.asynccontextmanager
async def fleet(forker: Forker, folder: Path) -> AsyncIterator[str]:
    """A broker, the boards, one gateway that is told no model; yields the broker's URL."""
    missing = {environment(one.environment).qemu for one in MEMBERS.values()}
    missing = {one for one in missing if not shutil.which(one)}
    if missing:
        pytest.skip(f"NO EMULATOR: {', '.join(missing)} is not installed; tools/setup/setup.sh boards installs it")
    with contextlib.ExitStack() as stack:
        url = stack.enter_context(Broker()).url
        boards: dict[str, EmulatedFleet] = {}
        for name, one in MEMBERS.items():
            (folder / name).mkdir()
            image = built_image(one.environment, one.model)
            boards[name] = stack.enter_context(EmulatedFleet(image, 1, links=folder / name))
        words = ["gateway", "--broker", url, "--fleet", FLEET, "--node", "gw", "--data-dir", str(folder / "gw")]
        words += ["--owner", str(owner_file(folder))]
        words += [word for name, board in boards.items() for word in ("--port", board.urls[0], "--id", name)]
        kinds = [(MEMBERS[name].environment, board) for name, board in boards.items()]
        async with programmable(kinds, folder):
            gateway = forker.start(words, folder / "gateway.out")
            try:
                for name in MEMBERS:
                    await asyncio.to_thread(gateway.wait_for_text, f"{name} with model")
                yield url
            finally:
                gateway.terminate()
                await asyncio.to_thread(gateway.wait)


def said(forker: Forker, words: list[str], output: Path) -> dict[str, Any]:
    program = forker.start([*words, "--json"], output)
    assert program.wait() == 0, program.said
    data: dict[str, Any] = json.loads(output.read_text(encoding="utf-8"))["data"]
    return data


def wait_until_planned(forker: Forker, words: list[str], output: Path) -> dict[str, Any]:
    """The plan, once all boards have said who they are: the gateway asks one after the other."""
    while True:
        program = forker.start([*words, "--dry-run", "--json"], output)
        code = program.wait()
        assert code in (0, RunError.exit_code), program.said  # of a fleet that nobody of is there yet
        data: dict[str, Any] = json.loads(output.read_text(encoding="utf-8")).get("data", {})
        known = [*data.get("plan", ()), *data.get("excluded", ())]
        if len(known) == len(MEMBERS) and not any("not connected" in str(one.get("reasons")) for one in known):
            return data


def by_hand(url: str, folder: Path) -> Path:
    """The run file of a person who names devices: who takes part, and who does not."""
    path = folder / "by-hand.toml"
    path.write_text(
        to_toml(
            {
                "run": {"fleet": FLEET, "rounds": ROUNDS},
                "model": {"name": "digits"},
                "strategy": {"clients_per_round": min(len(TRAINED), 5)},
                "broker": {"url": url},
                "devices": {"minimum": len(TRAINED), "exclude": sorted(MEMBERS.keys() - TRAINED.keys())},
            }
        ),
        encoding="utf-8",
    )
    return path


@dataclass(frozen=True)
class Story:
    """What three commands said: the plan, the deployed run, the run by hand."""

    plan: dict[str, Any]
    deployed: dict[str, Any]
    named: dict[str, Any]


async def story(forker: Forker, folder: Path, file: Path) -> Story:
    async with fleet(forker, folder) as url:
        words = ["deploy", "digits", "--where", WHERE, "--broker", url, "--fleet", FLEET, "--file", str(file)]
        words += ["--graph", str(folder / "graph"), "--set", f"run.rounds={ROUNDS}"]
        plan = await asyncio.to_thread(wait_until_planned, forker, words, folder / "plan.json")
        assert not file.exists()  # S8.3
        deployed = await asyncio.to_thread(said, forker, words, folder / "deployed.json")
        by_name = ["run", str(by_hand(url, folder))]
        return Story(plan, deployed, await asyncio.to_thread(said, forker, by_name, folder / "named.json"))


@pytest.mark.board
def test_s8_5_a_deployed_run_has_the_hash_of_the_run_by_hand(forker: Forker, tmp_path: Path) -> None:
    """A board with another model's image is flashed through its gateway before (S8.1)."""
    file = tmp_path / "deployed.toml"
    found = asyncio.run(story(forker, tmp_path, file))
    deployed, named = found.deployed, found.named
    wanted = {name: "flash" if one.model == "sine" else "keep" for name, one in TRAINED.items()}
    assert {one["device"]: one["action"] for one in found.plan["plan"]} == wanted
    excluded = {one["device"]: one["reasons"] for one in found.plan["excluded"]}
    assert excluded.keys() == OTHERS.keys()
    assert excluded["native-2"] == ["its place is cellar, the condition is place != cellar"]
    assert {one["id"] for one in deployed["devices"]} <= TRAINED.keys()
    assert deployed["model_hash"] == named["model_hash"]
    assert deployed["devices"] == named["devices"]
    assert config.load(file).devices.match == WHERE
    kept = json.loads((Path(deployed["run_dir"]) / "devices.json").read_text(encoding="utf-8"))  # S7.4
    builds = {name: one["build"].partition(":")[2] for name, one in kept.items()}
    forms = {"digits@w8": "w8:all", "digits@w8-head": "w8:head"}
    assert builds == {name: forms.get(one.model, "w16:all") for name, one in TRAINED.items()}
