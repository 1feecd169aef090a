"""K4, K6, K9: a board goes on with its weights after a power cut, by its own flash where an emulator has that."""

from __future__ import annotations

import asyncio
import hashlib
import json
import socket
from pathlib import Path

import numpy as np
import pytest

import jaragua_compiler as compiler
import jaragua_models
from common.native_flash import native_board, until_kept
from images import built_image
from jaragua.emulate import QemuBoard
from jaragua.emulate.qemu import BootIdentity
from jaragua.serial import Board, samples_of
from jaragua.serial.jobs import Steps
from jaragua.serial.ports.discovery import Port
from jaragua.serial.ports.survey import survey
from jaragua.wire.messages import Health, Identity
from jaragua.wire.wear import Wear, wear_of
from jaragua_compiler import LearningRate
from limits import GENEROUS_S

RATE = LearningRate.from_float(0.05)
SEED = 20_261_130
#: Of 4 KB, for the weights of digits and its learner on the native board.
PAGES = 2


async def _trained(url: str) -> bytes:
    """The hash of what a board has learned; by the time it answers again it has kept it."""
    network = jaragua_models.get("digits").network
    plan = compiler.plan(network)
    weights = compiler.initial_weights(network, SEED)
    x = np.random.default_rng(SEED).random((10, network.input_size)).astype(np.float32)
    exponents = compiler.calibrate(plan, weights, x)
    samples = samples_of(
        compiler.quantise_inputs(plan, exponents, x), compiler.quantise_targets(plan, exponents, np.arange(10))
    )
    async with Board(url) as board:
        state = await board.train(board.new_job(), samples, RATE, compiler.pack(plan, weights, exponents), Steps(SEED))
        return hashlib.sha256(await board.read_update(state)).digest()


async def _identity(url: str) -> Identity:
    async with Board(url) as board:
        return board.identity


async def _health(url: str) -> Health:
    async with Board(url) as board:
        return await board.health()


def test_a_killed_board_goes_on_with_its_weights(tmp_path: Path) -> None:
    """Twice, so that both slots are used."""
    flash = tmp_path / "flash"
    with native_board(flash, built_image("native")) as url:
        assert asyncio.run(_identity(url)).working == b""
    for times in (1, 2):
        with native_board(flash, built_image("native")) as url:
            learned = asyncio.run(_trained(url))
            asyncio.run(until_kept(flash, times))
        with native_board(flash, built_image("native")) as url:
            assert asyncio.run(_identity(url)).working == learned


def test_k9_a_board_tells_the_wear_of_its_flash(tmp_path: Path) -> None:
    """Of two jobs after a start the first is saved, in two pages of 4 KB; the second waits for its time (K6)."""
    flash = tmp_path / "flash"
    with native_board(flash, built_image("native")) as url:
        before = asyncio.run(_health(url))
        assert (before.saves, before.erases, before.trained) == (0, 0, 0)
        assert before.most_saves > 1000
        asyncio.run(_trained(url))
        asyncio.run(until_kept(flash, 1))
        asyncio.run(_trained(url))
        told = asyncio.run(_health(url))
        (found,) = asyncio.run(survey([Port(url, "usb")]))
        assert wear_of(found.health) == Wear(1, before.most_saves, PAGES, 2)
        assert Wear(1, 9, PAGES, 2).words == "flash saved 1 of 9 times, 1,000 erase operations in 1,000 jobs that train"
        assert (told.saves, told.erases, told.trained) == (1, PAGES, 2)
    with native_board(flash, built_image("native")) as url:
        again = asyncio.run(_health(url))
        assert (again.saves, again.erases, again.trained) == (1, 0, 0)


def test_k2_a_damaged_flash_is_an_empty_one(tmp_path: Path) -> None:
    """The state's checksum in the header says so."""
    flash = tmp_path / "flash"
    with native_board(flash, built_image("native")) as url:
        asyncio.run(_trained(url))
        asyncio.run(until_kept(flash, 1))
    data = bytearray(flash.read_bytes())
    data[100] ^= 1
    flash.write_bytes(data)
    with native_board(flash, built_image("native")) as url:
        assert asyncio.run(_identity(url)).working == b""


class ResettableBoard(QemuBoard):
    """A board whose reset the test holds. The emulator is asked to open a socket for it (QMP)."""

    def __init__(self, image: Path, control: Path) -> None:
        super().__init__(image)
        self._control = control

    def _command(self, listening_fd: int, start: BootIdentity) -> list[str]:
        return [*super()._command(listening_fd, start), "-qmp", f"unix:{self._control},server=on,wait=off"]

    def reset(self) -> None:
        """As if the power was off for a moment: the flash stays."""
        with socket.socket(socket.AF_UNIX) as control, control.makefile("rw") as lines:
            control.settimeout(GENEROUS_S)
            control.connect(str(self._control))
            lines.readline()
            for command in ("qmp_capabilities", "system_reset"):
                lines.write(json.dumps({"execute": command}) + "\n")
                lines.flush()
                lines.readline()


@pytest.mark.board
def test_a_micro_bit_goes_on_with_its_weights_from_its_own_flash(tmp_path: Path) -> None:
    with ResettableBoard(built_image("bbcmicrobit"), tmp_path / "qmp") as board:
        learned = asyncio.run(_trained(board.url))
        assert asyncio.run(_identity(board.url)).working == learned  # idle since: it is kept
        board.reset()
        identity, health = asyncio.run(_identity(board.url)), asyncio.run(_health(board.url))
    assert identity.working == learned
    assert (health.saves, health.most_saves) == (1, 40_000)
