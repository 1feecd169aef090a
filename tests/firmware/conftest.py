"""Fixtures of the firmware's tests."""

from __future__ import annotations

from pathlib import Path

import pytest
from firmware_builds import CPrograms

from jaragua.emulate import build_image


@pytest.fixture(scope="session")
def c_programs(tmp_path_factory: pytest.TempPathFactory) -> CPrograms:
    """The C test programs, with AddressSanitizer and UndefinedBehaviorSanitizer."""
    return CPrograms(tmp_path_factory.mktemp("c_programs"))


@pytest.fixture(scope="session")
def qemu_m4_image() -> Path:
    """`pio run -e qemu_m4`."""
    return build_image("qemu_m4", "digits")


@pytest.fixture(scope="session")
def native_image() -> Path:
    """`pio run -e native`."""
    return build_image("native", "digits")
