"""A fleet of several kinds of board over the real broker ends with the model of the simulation, to the bit."""

from __future__ import annotations

import contextlib
import os
import shutil
from pathlib import Path

import pytest

from common.plain_simulation import PLAIN
from common.real_fleet import gateway, programs, run_of_a_fleet
from forked import Forker
from images import built_image
from jaragua.boards import environment, kind_of
from jaragua.emulate import emulated_board
from jaragua.simulation import device_names, simulate
from jaragua_broker import Broker

#: Without `make boards`, those whose images other tests build anyway.
FEW = ("qemu_m4", "bbcmicrobit", "native")
ALL = ("bbcmicrobit", "qemu_m3", "adafruit_feather_f405", "qemu_m7", "qemu_m33", "qemu_rv32", "pico")
KINDS = ALL if os.environ.get("JARAGUA_ALL_BOARDS") == "1" else FEW
ROUNDS = 2


@pytest.mark.board
def test_kinds_of_board_and_the_simulation_learn_the_same_bits(forker: Forker, tmp_path: Path) -> None:
    """Every device works in every round: Cortex-M0, M0+, M3, M4, M7, M33 and RISC-V with `make boards`."""
    missing = {environment(name).qemu for name in KINDS if not shutil.which(environment(name).qemu)}
    if missing:
        pytest.skip(f"NO EMULATOR: {', '.join(missing)} is not installed; tools/setup/setup.sh boards installs it")
    changes = {"task": "digits", "ways": 5, "shots": 2, "learning_rate": 0.1, "rounds": ROUNDS, "alpha_final": 0.0}
    devices = device_names(len(KINDS))
    wanted = PLAIN.changed({"tasks": 5}, clients=len(KINDS), devices=devices, **changes)
    with contextlib.ExitStack() as stack:
        url = stack.enter_context(Broker()).url
        boards = [stack.enter_context(emulated_board(built_image(name))) for name in KINDS]
        stack.enter_context(programs(forker, [gateway(wanted, url, tmp_path, [board.url for board in boards])]))
        run = run_of_a_fleet(forker, wanted, url, tmp_path)
    assert sorted(device["kind"] for device in run["devices"]) == sorted(map(kind_of, KINDS))
    assert run["model_hash"] == simulate(wanted).final_hash
    assert run["model_hash"] != simulate(wanted.changed(rounds=0)).final_hash
