"""`monitor_filters = jaragua`: PlatformIO's own monitor on a terminal, with a real board on its port."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
import time
from pathlib import Path

from jaragua.emulate import EmulatedBoard, NativeBoard
from limits import GENEROUS_S

ROOT = Path(__file__).parents[2]
CTRL_C = b"\x03"


def shown_by_platformio(port: str, until: bytes) -> bytes:
    """What `pio device monitor` prints on a terminal until these words come, or it ends."""
    terminal, slave = pty.openpty()
    command = [sys.executable, "-m", "platformio", "device", "monitor", "--port", port, "--environment", "native"]
    environment = os.environ | {"PLATFORMIO_SETTING_ENABLE_TELEMETRY": "no", "TERM": "xterm"}
    try:
        with subprocess.Popen(
            command, stdin=slave, stdout=slave, stderr=slave, cwd=ROOT, env=environment, start_new_session=True
        ) as process:
            told, deadline = b"", time.monotonic() + GENEROUS_S
            while until not in told and time.monotonic() < deadline:
                told += os.read(terminal, 4096)
            os.write(terminal, CTRL_C)
            try:
                process.wait(GENEROUS_S)
            finally:
                process.kill()
        return told
    finally:
        os.close(slave)
        os.close(terminal)


def test_platformios_monitor_shows_the_lines_of_ours(native_board: EmulatedBoard) -> None:
    told = shown_by_platformio(native_board.url, b"retransmits")
    assert b"is open, protocol 1." in told
    assert native_board.uid.hex().encode() in told
    assert b"model digits" in told


def test_the_filter_is_that_of_every_environment() -> None:
    from configparser import ConfigParser

    configuration = ConfigParser(interpolation=None)
    configuration.read(ROOT / "platformio.ini", encoding="utf-8")
    assert configuration["env"]["monitor_filters"] == "jaragua"
    assert configuration["env"]["monitor_encoding"] == "latin-1"
    assert (ROOT / configuration["platformio"]["monitor_dir"] / "filter_jaragua.py").exists()


def test_the_process_behind_the_filter_ends_with_its_input(native_board: EmulatedBoard) -> None:
    assert isinstance(native_board, NativeBoard)
    command = [sys.executable, "-m", "jaragua.monitor.pipe"]
    done = subprocess.run(
        command, input=b"MicroPython\r\n>>> ", stdout=subprocess.PIPE, timeout=GENEROUS_S, check=True, cwd=ROOT
    )
    assert b"MicroPython" in done.stdout
