"""tools/setup/pio_fallback.py: PlatformIO's build engine made from pip's SCons where its registry cannot be reached."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest
from platformio.package.manager.tool import ToolPackageManager

SCRIPT = Path(__file__).parents[2] / "tools" / "setup" / "pio_fallback.py"


@pytest.fixture
def fallback() -> ModuleType:
    spec = importlib.util.spec_from_file_location("pio_fallback", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_platformio_takes_the_package_for_its_own(fallback: ModuleType, tmp_path: Path) -> None:
    version = fallback.wanted_version()
    fallback.make_package(tmp_path / "tool-scons", version)
    assert ToolPackageManager(str(tmp_path)).get_package(f"platformio/tool-scons@~{version}") is not None


def test_the_package_starts_scons(fallback: ModuleType, tmp_path: Path) -> None:
    fallback.make_package(tmp_path / "tool-scons", fallback.wanted_version())
    command = [sys.executable, str(tmp_path / "tool-scons" / "scons.py"), "--version"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "SCons" in done.stdout


def test_a_package_that_is_there_is_left_alone(
    fallback: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A second run is quick: no question to the registry."""
    fallback.make_package(tmp_path / "packages" / "tool-scons", "1.0.0")
    monkeypatch.setattr(fallback, "core_folder", lambda: tmp_path)
    monkeypatch.setattr(fallback, "install_from_registry", lambda version: pytest.fail("the registry was asked"))
    assert fallback.main() == 0
