"""Fixtures of the firmware's tests."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from firmware_builds import CPrograms, build_image


@pytest.fixture(scope="session")
def c_programs(tmp_path_factory: pytest.TempPathFactory) -> CPrograms:
    """The C test programs, with AddressSanitizer and UndefinedBehaviorSanitizer."""
    return CPrograms(tmp_path_factory.mktemp("c_programs"))


@pytest.fixture(scope="session")
def qemu_m4_image() -> Path:
    """`pio run -e qemu_m4`."""
    if shutil.which("arm-none-eabi-gcc") is None:
        pytest.skip("arm-none-eabi-gcc is not installed; `make setup-test` installs it")
    return build_image("qemu_m4", "firmware.elf")


@pytest.fixture(scope="session")
def native_image() -> Path:
    """`pio run -e native`."""
    return build_image("native", "program")
