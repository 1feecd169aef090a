"""PlatformIO's build engine, also where its package registry cannot be reached.

PlatformIO builds with SCons, which it takes from its registry as the package ``tool-scons``. `ensure` asks PlatformIO
to install it in the ordinary way; if that fails, it makes the same package from the ``scons`` that pip installed.
`main` does so for the set-up of a clone; it is quick when there is nothing to do.
"""

from __future__ import annotations

import configparser
import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

from jaragua.emulate.project import CONFIGURATION, project_folder
from jaragua.errors import JaraguaError, ToolError

REGISTRY_PATIENCE_SECONDS = 10

# PlatformIO runs `python scons.py <arguments>`; SCons is importable because the same interpreter runs it.
_LAUNCHER = "import sys\n\nimport SCons.Script\n\nsys.exit(SCons.Script.main())\n"


def ensure(project: Path) -> None:
    """Make sure that ``tool-scons`` is there. Raises: ToolError if PlatformIO or SCons is not installed."""
    if find_spec("platformio") is None:
        raise not_installed()
    package = core_folder(project) / "packages" / "tool-scons"
    if (package / "package.json").exists():
        return
    disable_telemetry(project)
    version = wanted_version()
    if install_from_registry(project, version):
        return
    if find_spec("SCons") is None:
        raise ToolError("PlatformIO's registry cannot be reached and scons is not installed", _pip("'scons==4.11.1'"))
    make_package(package, version)


def not_installed() -> ToolError:
    """PlatformIO is an extra on machines that are not PCs."""
    return ToolError("PlatformIO is not installed", _pip("'jaragua[firmware]'"))


def _pip(what: str) -> str:
    return f"run {sys.executable} -m pip install {what}"


def core_folder(project: Path) -> Path:
    """Return the folder in which PlatformIO keeps its packages for a project: its variable, or ``core_dir``."""
    configuration = configparser.ConfigParser(interpolation=None)
    configuration.read(project / CONFIGURATION, encoding="utf-8")
    named = os.environ.get("PLATFORMIO_CORE_DIR") or configuration.get("platformio", "core_dir")
    return Path(named.replace("${PROJECT_DIR}", str(project))).expanduser()


def wanted_version() -> str:
    """Return the version of ``tool-scons`` that the installed PlatformIO asks for."""
    from platformio.dependencies import get_core_dependencies

    requirement: str = get_core_dependencies()["tool-scons"]
    return requirement.lstrip("~^=")


def install_from_registry(project: Path, version: str) -> bool:
    """Let PlatformIO install the package itself; False if it could not within the patience."""
    command = [sys.executable, "-m", "platformio", "pkg", "install", "-g", "-t", f"platformio/tool-scons@~{version}"]
    try:
        done = subprocess.run(command, cwd=project, capture_output=True, timeout=REGISTRY_PATIENCE_SECONDS, check=False)
    except subprocess.TimeoutExpired:
        return False
    return done.returncode == 0


def make_package(folder: Path, version: str) -> None:
    """Write ``tool-scons`` into ``folder``: description, PlatformIO's note of the origin, launcher."""
    description = {"name": "tool-scons", "version": version, "description": "SCons of this environment"}
    origin = {
        "type": "tool",
        "name": "tool-scons",
        "version": version,
        "spec": {"owner": "platformio", "name": "tool-scons", "requirements": None, "uri": None},
    }
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "scons.py").write_text(_LAUNCHER, encoding="utf-8")
    (folder / ".piopm").write_text(json.dumps(origin), encoding="utf-8")
    (folder / "package.json").write_text(json.dumps(description), encoding="utf-8")


def disable_telemetry(project: Path) -> None:
    """Nothing of this project reports home; PlatformIO's own reports are switched off in its project-local folder."""
    command = [sys.executable, "-m", "platformio", "settings", "set", "enable_telemetry", "no"]
    subprocess.run(command, cwd=project, capture_output=True, timeout=60, check=False)


def main() -> int:
    """For the clone's set-up; return the exit code."""
    try:
        ensure(project_folder())
    except JaraguaError as error:
        print(f"setup: {error.message}\n  {error.hint}", file=sys.stderr)
        return 1
    return 0
