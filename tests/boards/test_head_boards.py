"""R35.5: emulated boards of which some train the last layer alone end with the model of a simulation, to the bit."""

from __future__ import annotations

import contextlib
import os
from dataclasses import replace
from pathlib import Path

import pytest

from common.plain_simulation import PLAIN
from common.real_fleet import gateway, programs, run_of_a_fleet
from forked import Forker
from images import built_image
from jaragua.emulate import EmulatedFleet
from jaragua.simulation import device_names, simulate
from jaragua_broker import Broker

IS_LONG = os.environ.get("JARAGUA_ALL_BOARDS") == "1"
#: Forms of the devices in the order of their names: those that train the last layer alone are the last.
FORMS = {"w16": ("digits", "digits", "digits@head"), "w8": ("digits@w8", "digits@w8-head", "digits@w8-head")}


@pytest.mark.board
@pytest.mark.skipif(not IS_LONG, reason="MANY BUILDS: `make boards` runs it; test_mixed_fleets is its short form")
@pytest.mark.parametrize("engine", FORMS)
def test_r35_5_boards_that_hold_layers_and_the_simulation_learn_the_same_bits(
    engine: str, forker: Forker, tmp_path: Path
) -> None:
    """Two of three devices train in a round, so each is left out of some."""
    heads = sum("head" in form for form in FORMS[engine])
    numbers = {"task": FORMS[engine][0], "engine": engine, "ways": 5, "shots": 2, "learning_rate": 0.1}
    wanted = replace(PLAIN, clients=2, devices=device_names(3), head_devices=heads, **numbers)  # type: ignore[arg-type]
    with contextlib.ExitStack() as stack:
        url = stack.enter_context(Broker()).url
        boards = [stack.enter_context(EmulatedFleet(built_image("qemu_m4", form), 1)) for form in FORMS[engine]]
        ports = [board.urls[0] for board in boards]
        stack.enter_context(programs(forker, [gateway(wanted, url, tmp_path, ports)]))
        run = run_of_a_fleet(forker, wanted, url, tmp_path)
    updates = {one["id"]: one["updates"] for one in run["devices"]}
    assert set(updates) == set(wanted.devices)
    assert run["model_hash"] == simulate(wanted).final_hash != simulate(replace(wanted, head_devices=0)).final_hash
