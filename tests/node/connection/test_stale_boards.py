"""A board built for another network is told a command that works."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import jaragua_models
from common.own_task import write_valves
from jaragua.commands import firmware, pio
from jaragua.node.device import Device, DeviceJob
from jaragua.node.training.task_sampler import TaskSampler
from jaragua.node.training.trainer import Trainer
from jaragua.serial.failures import update_command
from jaragua_compiler.planning.plan import plan

REPOSITORY = Path(__file__).parents[3]


class NoHost:
    """Of a device whose jobs are of no interest."""

    async def perform(self, trainer: Trainer, job: DeviceJob) -> None:
        raise NotImplementedError

    def refuse(self, job: DeviceJob, reason: str) -> None:
        raise NotImplementedError

    def state_changed(self, device: Device) -> None:
        """Published to nobody."""


def reason(wanted: str, image: str) -> str:
    """Why a board with another network is left out of a run of that model."""
    board = Device(NoHost(), "board-1", "cortex-m4", "sine", b"another!")
    board.update_command = update_command("/dev/ttyACM0")
    board.expect(wanted, plan(jaragua_models.get("digits").network), image)
    assert board.stale_reason is not None
    return board.stale_reason


@pytest.mark.parametrize("model", ["digits", "digits@w8"])
def test_the_model_of_the_command_can_be_built(model: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(REPOSITORY)
    told = reason("digits", TaskSampler.of_zoo(model).image)
    named = re.search(r"JARAGUA_MODEL=(\S+) ", told)
    assert named is not None
    assert named[1] == model
    assert told.endswith(f"{pio()} run -e nano33ble -t upload --upload-port /dev/ttyACM0")


def test_a_task_of_ones_own_is_built_from_its_file(tmp_path: Path) -> None:
    task = write_valves(tmp_path / "my data")
    told = reason("valves", TaskSampler.of(str(task)).image)
    assert f"update it: JARAGUA_MODEL='{task}' " in told


def test_without_a_clone_it_is_said_where_images_are_built(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert firmware("run -e qemu_m4").endswith(" run -e qemu_m4 (in a clone of Jaragua's repository)")
    monkeypatch.chdir(REPOSITORY / "firmware")
    assert firmware("run -e qemu_m4").endswith(" run -e qemu_m4")
