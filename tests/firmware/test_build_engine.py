"""PlatformIO's build engine made from pip's SCons where its registry cannot be reached."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from platformio.package.manager.tool import ToolPackageManager
from platformio.project.config import ProjectConfig

from jaragua.emulate import build_engine
from jaragua.emulate.project import project_folder
from jaragua.errors import ToolError


def test_platformio_takes_the_package_for_its_own(tmp_path: Path) -> None:
    version = build_engine.wanted_version()
    build_engine.make_package(tmp_path / "tool-scons", version)
    assert ToolPackageManager(str(tmp_path)).get_package(f"platformio/tool-scons@~{version}") is not None


def test_the_package_starts_scons(tmp_path: Path) -> None:
    build_engine.make_package(tmp_path / "tool-scons", build_engine.wanted_version())
    command = [sys.executable, str(tmp_path / "tool-scons" / "scons.py"), "--version"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "SCons" in done.stdout


def test_a_package_that_is_there_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A second run is quick: no question to the registry."""
    build_engine.make_package(tmp_path / "packages" / "tool-scons", "1.0.0")
    monkeypatch.setattr(build_engine, "core_folder", lambda project: tmp_path)
    monkeypatch.setattr(build_engine, "install_from_registry", lambda *_: pytest.fail("the registry was asked"))
    build_engine.ensure(project_folder())


def test_the_folder_of_packages_is_that_of_platformio(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    project = project_folder()
    named = ProjectConfig(str(project / "platformio.ini")).get("platformio", "core_dir")
    assert build_engine.core_folder(project) == Path(named.replace("${PROJECT_DIR}", str(project)))
    monkeypatch.setenv("PLATFORMIO_CORE_DIR", str(tmp_path))
    assert build_engine.core_folder(project) == tmp_path


@pytest.mark.parametrize(("lost", "said"), [("platformio", "PlatformIO is not installed"), ("SCons", "scons is not")])
def test_what_is_not_installed_is_named_with_its_command(
    lost: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(build_engine, "core_folder", lambda project: tmp_path)
    monkeypatch.setattr(build_engine, "install_from_registry", lambda *_: False)
    monkeypatch.setattr(build_engine, "disable_telemetry", lambda project: None)
    monkeypatch.setattr(build_engine, "find_spec", lambda name: None if name == lost else object())
    with pytest.raises(ToolError, match=said) as failed:
        build_engine.ensure(project_folder())
    assert "-m pip install" in failed.value.hint
