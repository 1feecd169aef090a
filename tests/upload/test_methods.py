"""Tools that upload: which is taken, and what is said when one fails."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from common.programmable import programmable
from images import built_image
from jaragua.boards import environment
from jaragua.emulate import EmulatedFleet
from jaragua.errors import ToolError, UsageError
from jaragua.serial import Board
from jaragua.upload import process
from jaragua.upload.methods import EMULATOR, Upload, carry_out, command_of, form_for, usable_method, why

#: What OpenOCD 0.12 says without a probe.
OPENOCD = """Open On-Chip Debugger 0.12.0
Licensed under GNU GPL v2
Info : The selected transport took over low-level target control.
Error: unable to find a matching CMSIS-DAP device
"""


def tool(folder: Path, name: str, script: str) -> None:
    (folder / name).write_text(f"#!/bin/sh\n{script}\n")
    (folder / name).chmod(0o755)


def test_why_a_tool_failed_is_its_last_line_that_says_so() -> None:
    assert why(OPENOCD.splitlines()) == "unable to find a matching CMSIS-DAP device"
    assert why(["Error: no board runs", "*** [upload] Error 10", "===== [FAILED] Took 9 s ====="]) == "no board runs"
    assert why(["one", "two", ""]) == "two"
    assert why([]) == "it says nothing"


def test_a_tool_that_fails_is_told_in_its_own_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A program of that name that says what OpenOCD says."""
    tool(tmp_path, "openocd", f"cat <<'END'\n{OPENOCD}END\nexit 1")
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    one = Upload(environment("bluepill_f103c8"), tmp_path / "firmware.bin", "/dev/ttyUSB0")
    assert usable_method(one) == "openocd"
    assert command_of(one, "openocd")[-1] == f"program {{{one.image}}} 0x8000000 verify reset exit"
    lines: list[str] = []
    with pytest.raises(ToolError) as caught:
        asyncio.run(process.upload(one, lines.append))
    assert caught.value.message == "openocd failed (exit code 1): unable to find a matching CMSIS-DAP device"
    assert "Licensed under GNU GPL v2" in lines
    with pytest.raises(UsageError, match="dfu is not one of the board's upload methods"):
        carry_out(one, "dfu")


def test_m42_an_upload_that_hangs_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the tool that it started."""
    pid = tmp_path / "pid"
    tool(tmp_path, "openocd", f"echo $$ > {pid}.new; mv {pid}.new {pid}; exec sleep 600")
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setattr(process, "MOST_S", 300.0)

    async def story() -> None:
        one = Upload(environment("bluepill_f103c8"), tmp_path / "firmware.bin")
        upload = asyncio.create_task(process.upload(one))
        while not pid.exists():
            await asyncio.sleep(0.01)
        upload.cancel()
        await asyncio.wait([upload])
        while Path("/proc", pid.read_text().strip()).exists():
            await asyncio.sleep(0.01)
        monkeypatch.setattr(process, "MOST_S", 0.1)
        with pytest.raises(ToolError, match="did not end within 0 s"):
            await process.upload(one)

    asyncio.run(asyncio.wait_for(story(), 300))


def test_platformio_uploads_a_finished_image_without_a_build(tmp_path: Path) -> None:
    """The method of boards with a vendor framework, here with a process: PlatformIO compiles nothing."""
    sine = built_image("native", "sine")

    async def story(boards: EmulatedFleet) -> None:
        async with programmable([("native", boards)], tmp_path):
            one = Upload(environment("native"), sine, boards.urls[0])
            assert (usable_method(one), form_for(one.board, one.port)) == (EMULATOR, "elf")
            lines: list[str] = []
            await process.upload(one, lines.append, "platformio")
            assert not [line for line in lines if line.startswith("Compiling")]
        async with Board(boards.urls[0]) as board:
            assert board.identity.model == "sine"

    with EmulatedFleet(built_image("native"), 1, links=tmp_path) as boards:
        asyncio.run(story(boards))
