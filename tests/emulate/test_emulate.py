"""Emulated boards: start, tell apart, restart, end with their parent, and say what went wrong."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from common.processes import is_running
from images import built_image
from jaragua.cli.main import run as run_command
from jaragua.emulate import EmulatedBoard, EmulatedFleet, NativeBoard, QemuBoard, build_image
from jaragua.emulate.image import image_path
from jaragua.errors import ToolError, UsageError
from jaragua.serial import Board
from jaragua.wire.definitions import ResetCause
from jaragua.wire.messages import Identity
from limits import GENEROUS_S


@pytest.fixture(scope="module")
def native_image() -> Path:
    return built_image("native")


@pytest.fixture(scope="module")
def qemu_image() -> Path:
    return built_image("qemu_m4")


def identity_of(url: str) -> Identity:
    async def main() -> Identity:
        async with Board(url) as board:
            return board.identity

    return asyncio.run(main())


def wait_until(condition: Callable[[], bool], timeout_s: float = 10.0) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)


@pytest.mark.board
def test_boards_of_a_fleet_have_ports_and_unique_ids_of_their_own(qemu_image: Path) -> None:
    with EmulatedFleet(qemu_image, 3) as fleet:
        identities = [identity_of(url) for url in fleet.urls]
        assert len(set(fleet.urls)) == 3
        assert [identity.uid for identity in identities] == [board.uid for board in fleet.boards]
        assert len({identity.uid for identity in identities}) == 3
        fleet.check()


@pytest.mark.board
def test_a_restart_keeps_port_and_unique_id(qemu_image: Path) -> None:
    with QemuBoard(qemu_image, uid=bytes(range(8))) as board:
        first = identity_of(board.url)
        board.restart()
        second = identity_of(board.url)
    assert first.uid == second.uid == bytes(range(8))
    assert second.reset_cause == ResetCause.POWER_ON


@pytest.mark.board
def test_the_emulated_board_is_the_cortex_m4_with_its_memory(qemu_image: Path) -> None:
    with QemuBoard(qemu_image) as board:
        identity = identity_of(board.url)
    assert identity.board == "qemu_m4"
    assert 0 < identity.ram_bytes <= 256 * 1024
    assert 0 < identity.flash_bytes <= 1024 * 1024


def test_a_native_fleet_runs_on_ptys(native_image: Path) -> None:
    with EmulatedFleet(native_image, 2) as fleet:
        assert all(url.startswith("/dev/") for url in fleet.urls)
        assert [identity_of(url).uid for url in fleet.urls] == [board.uid for board in fleet.boards]


def test_a_board_that_ended_says_why(tmp_path: Path) -> None:
    broken = tmp_path / "program"
    broken.write_text("#!/bin/sh\necho this is no image >&2\nexit 3\n")
    broken.chmod(0o755)
    with NativeBoard(broken) as board:
        wait_until(lambda: _has_ended(board))
        with pytest.raises(ToolError, match=r"has ended.*this is no image"):
            board.check()


@pytest.mark.board
def test_an_emulator_that_ended_says_why(qemu_image: Path, tmp_path: Path) -> None:
    """The emulator finds an image of nothing but symbols: what the board would run is cut off."""
    cut = tmp_path / "firmware.elf"
    data = bytearray(qemu_image.read_bytes())
    data[18:20] = (40 + 1).to_bytes(2, "little")  # another processor
    cut.write_bytes(data)
    with QemuBoard(cut) as board:
        wait_until(lambda: _has_ended(board))
        with pytest.raises(ToolError, match="has ended"):
            board.check()


@pytest.mark.parametrize(
    "data", [b"", b"#!/bin/sh\n", b"\x7fELF\x01\x01" + bytes(30), b"\x7fELF\x01\x01" + b"\xff" * 60]
)
def test_a_file_that_is_no_image_is_told(data: bytes, tmp_path: Path) -> None:
    image = tmp_path / "firmware.elf"
    image.write_bytes(data)
    with pytest.raises(ToolError, match="does not look like an image"), QemuBoard(image):
        pass


def _has_ended(board: EmulatedBoard) -> bool:
    try:
        board.check()
    except ToolError:
        return True
    return False


def test_a_missing_image_is_told_with_the_command(tmp_path: Path) -> None:
    with pytest.raises(ToolError) as caught, QemuBoard(tmp_path / "firmware.elf"):
        pass
    assert "pio run" in caught.value.hint


@pytest.mark.board
def test_a_missing_qemu_is_told_with_the_command(
    qemu_image: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ToolError, match="qemu-system-arm is not installed"), QemuBoard(qemu_image):
        pass


def test_a_model_that_is_none_is_told_in_the_words_of_the_build() -> None:
    with pytest.raises(ToolError) as caught:
        build_image("native", "no-such-model")
    assert "no-such-model" in caught.value.message


def test_a_board_that_is_none_is_told() -> None:
    with pytest.raises(UsageError, match="there is no board 'abacus'"):
        image_path("abacus", "digits")


def test_the_verb_says_an_environment_that_is_none_before_anything_else(capfd: pytest.CaptureFixture[str]) -> None:
    for name in ("abacus", "nucleo_f446re"):
        assert run_command(["emulate", "--environment", name]) == 2
        assert capfd.readouterr().err.startswith(f"error: {name!r} is not an emulated board")


def test_every_model_has_an_image_of_its_own() -> None:
    assert image_path("native", "digits") != image_path("native", "sine") != image_path("qemu_m4", "sine")


LAUNCHER = """
import sys, time
from pathlib import Path
from jaragua.emulate import EmulatedFleet
with EmulatedFleet(Path(sys.argv[1]), 2) as fleet:
    print(*(board._process.pid for board in fleet.boards), flush=True)
    time.sleep(60)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's death signal is Linux'")
def test_boards_end_when_their_parent_is_killed(native_image: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", LAUNCHER, str(native_image)], stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout is not None
        pids = [int(word) for word in parent.stdout.readline().split()]
        assert all(is_running(pid) for pid in pids)
        parent.send_signal(signal.SIGKILL)
        wait_until(lambda: not any(is_running(pid) for pid in pids))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_verb_prints_one_port_a_line_and_ends_well(native_image: Path, number: signal.Signals) -> None:
    command = [sys.executable, "-m", "jaragua.cli.main", "emulate", "--count", "2", "--environment", "native"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as verb:
        assert verb.stdout is not None
        ports = [verb.stdout.readline().strip() for _ in range(2)]
        assert all(identity_of(port).model == "digits" for port in ports)
        verb.send_signal(number)
        assert verb.wait(GENEROUS_S) == 0
        assert verb.stdout.read() == ""


@pytest.mark.board
def test_the_verb_with_json_prints_one_document(qemu_image: Path) -> None:
    command = [sys.executable, "-m", "jaragua.cli.main", "emulate", "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as verb:
        assert verb.stdout is not None
        document = json.loads(verb.stdout.readline())
        verb.send_signal(signal.SIGINT)
        assert verb.wait(GENEROUS_S) == 0
    assert document["status"] == "ok"
    assert os.path.samefile(document["data"]["image"], qemu_image)
    assert document["data"]["ports"][0].startswith("socket://127.0.0.1:")
