"""Fixtures of the firmware's tests."""

from __future__ import annotations

from pathlib import Path

import pytest
from firmware_builds import CPrograms, SharedObjects

from images import built_image


@pytest.fixture(scope="session")
def shared_objects(tmp_path_factory: pytest.TempPathFactory) -> SharedObjects:
    """What all C test programs have in common, with AddressSanitizer and UndefinedBehaviorSanitizer."""
    return SharedObjects(tmp_path_factory.mktemp("shared_objects"))


@pytest.fixture(scope="session")
def c_programs(tmp_path_factory: pytest.TempPathFactory, shared_objects: SharedObjects) -> CPrograms:
    """The C test programs on the fake model."""
    return CPrograms(tmp_path_factory.mktemp("c_programs"), shared_objects)


@pytest.fixture(scope="session")
def qemu_m4_image() -> Path:
    """`pio run -e qemu_m4`."""
    return built_image("qemu_m4", "digits")


@pytest.fixture(scope="session")
def native_image() -> Path:
    """`pio run -e native`."""
    return built_image("native", "digits")
