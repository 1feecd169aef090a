"""The Nano's port: it compiles against the framework's signatures, and feeds its watchdog wherever it waits."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from emulated_images import FIRMWARE

from jaragua.wire.codegen.constants import write_header
from strict_c import STRICT

PORT = FIRMWARE / "ports" / "nano33ble" / "jrg_port.cpp"
FLASH = PORT.with_name("jrg_flash.cpp")
OPTIONS = ["-DJRG_PORT_WATCHDOG=1", "-DJRG_PORT_WATCHDOG=0", "-DJRG_PORT_WATCHDOG_MS=60000"]


def _flags(folder: Path) -> list[str]:
    write_header(folder)
    includes = [
        folder,
        FIRMWARE / "ports",
        FIRMWARE / "src",
        FIRMWARE / "lib" / "jrg_keep",
        FIRMWARE / "test" / "arduino_stubs",
    ]
    warnings = ["-Wall", "-Wextra", "-Wconversion", "-Wshadow", *STRICT]
    return ["-std=gnu++14", *warnings, *(f"-I{path}" for path in includes)]


@pytest.mark.cross
@pytest.mark.parametrize("option", OPTIONS)
def test_the_nano_port_compiles_against_the_frameworks_signatures(tmp_path: Path, option: str) -> None:
    """The framework itself must be downloaded; what the port calls of it is in arduino_stubs. W6: its options."""
    subprocess.run(["arm-none-eabi-g++", *_flags(tmp_path), "-fsyntax-only", option, str(PORT), str(FLASH)], check=True)


@pytest.mark.skipif(shutil.which("g++") is None, reason="g++ IS NOT INSTALLED")
def test_the_nano_port_feeds_its_watchdog_wherever_it_waits(tmp_path: Path) -> None:
    """W2, W3: firmware/test/nano33ble.cpp."""
    flags = ["-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
    sources = [str(PORT), str(FIRMWARE / "test" / "nano33ble.cpp")]
    subprocess.run(["g++", *_flags(tmp_path), *flags, *sources, "-o", str(tmp_path / "nano")], check=True)
    done = subprocess.run([tmp_path / "nano"], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
