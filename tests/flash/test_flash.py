"""`jaragua flash`: real images, built and uploaded through PlatformIO to boards that `jaragua emulate` runs."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from common.own_task import write_valves
from images import built_image
from jaragua.cli.main import run
from jaragua.emulate import EmulatedBoard
from jaragua.emulate.registry import Running, announced, running_boards
from jaragua.errors import ToolError, UsageError
from jaragua.flash.build_log import BuildLog
from jaragua.flash.target import environment_of, model_of
from jaragua.gateway.deployed import start_of
from jaragua.serial import Board
from jaragua.serial.ports.discovery import Port, UsbDevice
from jaragua.serial.tap.server import Tap
from jaragua.upload.methods import emulated_board
from jaragua.wire.messages import Identity
from jaragua_compiler import initial_weights
from jaragua_models import get
from limits import GENEROUS_S

OUTPUT = """
Processing native (board: native)
Tool Manager: Installing platformio/tool-scons
Compiling .pio/build/native/src/main.c.o
Archiving .pio/build/native/libnode.a
firmware/src/main.c:3:1: warning: unused variable 'x'
Linking .pio/build/native/program
RAM:   [=         ]   5.6% (used 14596 bytes from 262144 bytes)
Uploading .pio/build/native/program
===== [SUCCESS] Took 2.1 seconds =====
"""


def test_of_a_build_only_what_matters_is_told() -> None:
    told: list[str] = []
    log = BuildLog(told.append)
    for line in OUTPUT.splitlines():
        log(line)
    assert told == [
        "Tool Manager: Installing platformio/tool-scons",
        "compiling",
        "firmware/src/main.c:3:1: warning: unused variable 'x'",
        "Linking native/program",
        "RAM: 14,596 of 262,144 bytes (5.6 %)",
        "Uploading native/program",
    ]
    assert log.files == 2


def identity(board: str, model: str) -> Identity:
    return Identity(
        1, 1, 0, "0.1.0", bytes(8), board, bytes(4), model, bytes(8), 8, 1, 1, True, b"", b"", 240, 8, 1, 1, 1, 1, 1, 0
    )


def usb(vendor: int, product: int) -> Port:
    return Port("/dev/ttyACM0", "usb", usb=UsbDevice((vendor, product)))


def test_the_environment_is_the_boards_own_or_that_of_its_usb_identity() -> None:
    assert environment_of(None, usb(0x0403, 0x6001), identity("bluepill_f103c8", "digits")) == "bluepill_f103c8"
    assert environment_of(None, usb(0x2341, 0x805A), None) == "nano33ble"
    assert environment_of("pico", usb(0x0403, 0x6001), None) == "pico"
    with pytest.raises(UsageError, match="or ST Nucleo-144") as caught:
        environment_of(None, usb(0x0483, 0x374B), None)
    assert "--environment nucleo_f446re" in caught.value.hint
    with pytest.raises(UsageError, match="cannot be told") as caught:
        environment_of(None, usb(0x0403, 0x6001), None)
    assert "--environment nano33ble|" in caught.value.hint
    with pytest.raises(UsageError, match="there is no board"):
        environment_of("pcio", usb(0x0403, 0x6001), None)


def test_the_model_is_the_given_one_the_boards_own_or_the_environments() -> None:
    zoo = ["digits", "sine"]
    assert model_of("mine.toml", "pico", identity("pico", "sine"), zoo) == "mine.toml"
    assert model_of(None, "pico", identity("pico", "sine"), zoo) == "sine"
    assert model_of(None, "pico", identity("pico", "of-somebody"), zoo) == "digits"
    assert model_of(None, "stm32vldiscovery", None, zoo) == "sine"


@contextmanager
def emulate(environment: str, image_model: str = "digits") -> Iterator[str]:
    """`jaragua emulate` as a process of its own; yields the board's port."""
    built_image(environment, image_model)
    command = [sys.executable, "-m", "jaragua.cli.main", "emulate", "--environment", environment]
    with subprocess.Popen([*command, "--model", image_model], stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield process.stdout.readline().strip()
        finally:
            process.send_signal(signal.SIGINT)
            assert process.wait(GENEROUS_S) == 0
    assert running_boards() == []


def weights_of_sine(folder: Path) -> Path:
    arrays = {}
    for number, (weights, bias) in enumerate(initial_weights(get("sine").network, 1)):
        arrays |= {f"layers.{number}.weight": np.ascontiguousarray(weights), f"layers.{number}.bias": bias}
    save_file(arrays, folder / "sine.safetensors")
    return folder / "sine.safetensors"


def identity_on(port: str) -> Identity:
    async def ask() -> Identity:
        async with Board(port) as board:
            return board.identity

    return asyncio.run(ask())


def test_an_image_is_built_uploaded_and_verified(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """Without a port: it is the only board. A model of the zoo, then a task of one's own, on one board."""
    with emulate("native") as port:
        weights = weights_of_sine(tmp_path)
        assert run(["flash", "--model", "sine", "--start", str(weights), "--json"]) == 0
        told = capsys.readouterr()
        data = json.loads(told.out)["data"]
        assert (data["port"], data["environment"]) == (port, "native")
        assert (data["before"]["model"], data["after"]["model"]) == ("digits", "sine")
        assert data["before"]["uid"] == data["after"]["uid"]
        assert identity_on(port).staged == sha256(start_of(get("sine"), weights).blob).digest()
        assert "uploading program" in told.err
        assert "Processing" not in told.err
        assert run(["flash", "--port", port, "--model", str(write_valves(tmp_path))]) == 0
        told = capsys.readouterr()
        assert "before  firmware" in told.out
        assert "model sine" in told.out
        assert identity_on(port).model == "valves"


@pytest.mark.board
@pytest.mark.skipif("JARAGUA_ALL_BOARDS" not in os.environ, reason="MANY BUILDS: `make boards` runs it")
def test_an_emulated_cortex_m4_gets_a_new_image_on_the_same_port(capsys: pytest.CaptureFixture[str]) -> None:
    with emulate("qemu_m4") as port:
        assert run(["flash", "--model", "digits"]) == 0
        assert f"{port}: qemu_m4 runs the new image" in capsys.readouterr().out
        assert run(["flash", "--environment", "native"]) == UsageError.exit_code
        assert "is qemu_m4, not native" in capsys.readouterr().err


def test_a_board_that_goes_on_with_its_old_image_is_an_error(
    native_board: EmulatedBoard, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A programmer that says it has uploaded, and has not."""
    monkeypatch.setattr("jaragua.upload.verify._BACK_S", 0.05)
    built_image("native", "sine")

    async def upload_nothing(url: str, image: Path) -> None:
        assert image.exists()

    async def story() -> int:
        board = Running(native_board.url, "native", "digits", native_board.uid.hex(), "")

        def listed(programmer: str) -> list[Running]:
            return [Running(board.url, board.environment, board.model, board.uid, programmer)]

        async with announced(listed, upload_nothing):
            return await asyncio.to_thread(run, ["flash", "--model", "sine"])

    assert asyncio.run(story()) == 6
    assert "the new image does not run: the board computes the network of digits" in capsys.readouterr().err


def test_a_port_that_no_programmer_knows_is_an_error_with_platformios_words(
    native_board: EmulatedBoard, capsys: pytest.CaptureFixture[str]
) -> None:
    built_image("native")
    assert run(["flash", "--port", native_board.url]) == ToolError.exit_code
    assert f"no emulated board on {native_board.url} runs" in capsys.readouterr().err


def test_a_board_behind_a_gateway_is_not_taken_away(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    port = str(tmp_path / "ttyACM0")

    async def story() -> int:
        tap = Tap(port, {"node": "gw", "fleet": "home"})
        await tap.open()
        try:
            return await asyncio.to_thread(run, ["flash", "--port", port])
        finally:
            await tap.close()

    assert asyncio.run(story()) == 4
    told = capsys.readouterr().err
    assert "gateway gw" in told
    assert "jaragua flash --fleet" in told


def test_the_programmer_says_which_board_it_cannot_choose() -> None:
    with pytest.raises(ToolError, match="no emulated board of qemu_m4 runs"):
        emulated_board("", "qemu_m4")
