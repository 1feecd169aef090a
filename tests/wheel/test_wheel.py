"""What the wheel holds, and what runs from it with an empty home and far from the repository.

`make test-wheel` installs it with pip into an empty environment, and runs the demonstration and images on boards, too.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tomllib
import zipfile
from email import message_from_bytes
from email.message import Message
from pathlib import Path

import pytest

from jaragua import __version__
from jaragua.emulate.project import project_folder
from jaragua.wire.codegen.version import build_hash
from wheel.wheels import ROOT, build_wheel, empty_environment, run

#: Folder of the repository -> folder of the wheel.
CARRIED = {
    "host/jaragua": "jaragua",
    "tools/jaragua_compiler": "jaragua_compiler",
    "tools/jaragua_bench": "jaragua_bench",
    "models/jaragua_models": "jaragua_models",
    "broker/jaragua_broker": "jaragua_broker",
    "firmware": "jaragua_compiler/_firmware",
    "tools/platform": "jaragua/_project/platform",
}
SECONDS = 300.0


class Unpacked:
    """The wheel, installed without its dependencies, which this environment has."""

    def __init__(self, folder: Path) -> None:
        self.wheel = build_wheel(folder / "dist")
        self.packages = folder / "packages"
        install = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"]
        run([*install, "--no-compile", "--target", self.packages, self.wheel], folder, os.environ, SECONDS)
        self.folder = folder / "work"
        self.folder.mkdir()
        self.variables = empty_environment(folder / "home", PYTHONPATH=str(self.packages))

    def python(self, *words: str) -> str:
        """`python …` with the packages of the wheel before those of this environment."""
        return run([sys.executable, *words], self.folder, self.variables, SECONDS)

    def jaragua(self, *words: str) -> str:
        return self.python("-m", "jaragua.cli.main", *words)


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory: pytest.TempPathFactory) -> Unpacked:
    return Unpacked(tmp_path_factory.mktemp("wheel"))


def tracked() -> set[str]:
    """Files of the repository that the wheel is to hold, by their place in it."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", *CARRIED]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    names = [name for name in listed.split("\0") if name and (ROOT / name).is_file()]
    folders = {name: next(folder for folder in CARRIED if name.startswith(folder + "/")) for name in names}
    return {CARRIED[folder] + name.removeprefix(folder) for name, folder in folders.items()}


def metadata(wheel: Path) -> Message:
    with zipfile.ZipFile(wheel) as archive:
        return message_from_bytes(archive.read(f"jaragua-{__version__}.dist-info/METADATA"))


def test_the_wheel_holds_what_the_repository_has_and_no_more(unpacked: Unpacked) -> None:
    with zipfile.ZipFile(unpacked.wheel) as archive:
        held = {name for name in archive.namelist() if not name.startswith("jaragua-")}
    more = {"jaragua/_project/platformio.ini", "jaragua_compiler/_firmware/LICENSE"}
    assert {name for name in held if "__pycache__" not in name} == tracked() | more
    assert unpacked.wheel.stat().st_size < 3_000_000


def test_its_metadata_are_those_of_the_project(unpacked: Unpacked) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    said = metadata(unpacked.wheel)
    assert (said["Name"], said["Version"], said["License-Expression"]) == ("jaragua", __version__, "Apache-2.0")
    assert set(said.get_all("Provides-Extra", [])) == set(project["optional-dependencies"])
    required = [one for one in said.get_all("Requires-Dist", []) if "extra ==" not in one]
    assert len(required) == len(project["dependencies"])
    with zipfile.ZipFile(unpacked.wheel) as archive:
        names = archive.read(f"jaragua-{__version__}.dist-info/entry_points.txt").decode()
    assert "jaragua = jaragua.cli.main:main" in names


def test_the_page_lists_every_extra() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    page = (ROOT / "docs" / "how-to" / "install.md").read_text(encoding="utf-8")
    table = page.partition("| extra |")[2].partition("\n\n")[0]
    listed = [line.split("|")[1].strip(" `") for line in table.splitlines() if line.startswith("| `")]
    assert listed == list(project["optional-dependencies"])


def test_its_code_is_what_runs(unpacked: Unpacked) -> None:
    """Else the tests below would run the repository's."""
    for package in ("jaragua", "jaragua_compiler", "jaragua_models", "jaragua_broker", "jaragua_bench"):
        said = unpacked.python("-c", f"import {package}; print({package}.__file__)")
        assert Path(said.strip()).is_relative_to(unpacked.packages)


def test_the_firmware_gets_a_project_in_the_cache(unpacked: Unpacked) -> None:
    """PlatformIO writes into its project: never into site-packages. The images name the same sources as a clone's."""
    code = (
        "from jaragua.emulate.project import project_folder as folder\n"
        "from jaragua.wire.codegen.version import build_hash\n"
        "print(folder()); print(build_hash(folder() / 'firmware'))"
    )
    place, digest = unpacked.python("-c", code).splitlines()
    project = Path(place)
    assert project.is_relative_to(Path(unpacked.variables["HOME"]) / ".cache" / "jaragua" / "firmware")
    assert digest == build_hash(project_folder() / "firmware")
    for part in ("firmware", "tools/platform"):
        ours = {path.relative_to(ROOT) for path in (ROOT / part).rglob("*") if path.is_file()}
        copied = {path.relative_to(project) for path in (project / part).rglob("*") if path.is_file()}
        assert copied - {Path("firmware/LICENSE")} == {path for path in ours if "__pycache__" not in path.parts}
    text = (project / "platformio.ini").read_text(encoding="utf-8")
    assert f"core_dir = {project.parent / 'platformio'}" in text


def test_from_a_table_to_c_for_a_board(unpacked: Unpacked) -> None:
    unpacked.jaragua("new", "plant")
    project = unpacked.folder / "plant"
    (task,) = project.glob("*.toml") if not (project / "plant.toml").exists() else (project / "plant.toml",)
    assert "samples of" in unpacked.jaragua("data", str(task))
    short = ["--set", "run.rounds=2", "--eval-tasks", "2"]
    said = unpacked.jaragua("simulate", "--task", str(task), "--save", "plant.safetensors", *short, "--json")
    assert json.loads(said)["status"] == "ok"
    start = ["--start", "plant.safetensors", "--out", "plant-c"]
    assert "plant-c" in unpacked.jaragua("compile", str(task), "--board", "nano33ble", *start)
    assert list((unpacked.folder / "plant-c").glob("*.c"))


def test_missing_programs_are_named_at_once_with_one_command(unpacked: Unpacked) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "jaragua.cli.main", "demo", "--rounds", "1"],
        cwd=unpacked.folder,
        env=unpacked.variables | {"PATH": str(unpacked.folder)},
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert done.returncode == 10
    assert "arm-none-eabi-gcc, newlib, qemu-system-arm" in done.stderr
    assert "gcc-arm-none-eabi libnewlib-arm-none-eabi qemu-system-arm" in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr
