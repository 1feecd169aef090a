"""A board built for another network is told a command that works."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

import jaragua_models
from common.own_task import write_valves
from jaragua.cli import main
from jaragua.errors import PortError
from jaragua.node.device import Device, DeviceJob
from jaragua.node.training.task_sampler import TaskSampler
from jaragua.node.training.trainer import Trainer
from jaragua.serial.failures import update_command
from jaragua_compiler.planning.plan import plan


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
def test_the_command_names_the_boards_port_and_the_runs_model(model: str) -> None:
    told = reason("digits", TaskSampler.of_zoo(model).image)
    assert told.endswith(f"; update it: jaragua flash --port /dev/ttyACM0 --model {model}")


def test_a_task_of_ones_own_is_built_from_its_file(tmp_path: Path) -> None:
    task = write_valves(tmp_path / "my data")
    told = reason("valves", TaskSampler.of(str(task)).image)
    assert told.endswith(f"jaragua flash --port /dev/ttyACM0 --model '{task}'")


def test_the_command_is_understood(capsys: pytest.CaptureFixture[str]) -> None:
    """As it is printed, up to the port, which is not there."""
    told = reason("digits", "digits").partition("update it: jaragua ")[2]
    assert main.run(shlex.split(told.replace("/dev/ttyACM0", "/dev/ttyNONE"))) == PortError.exit_code
    assert "/dev/ttyNONE does not exist" in capsys.readouterr().err
