"""Give PlatformIO its build engine where its package registry cannot be reached.

PlatformIO builds with SCons, which it takes from its registry as the package ``tool-scons``. This script asks
PlatformIO to install it in the ordinary way; if that fails, it makes the same package from the ``scons`` that pip
installed. Run by the set-up; silent, and quick when there is nothing to do.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]
REGISTRY_PATIENCE_SECONDS = 10

# PlatformIO runs `python scons.py <arguments>`; SCons is importable because the same interpreter runs it.
_LAUNCHER = "import sys\n\nimport SCons.Script\n\nsys.exit(SCons.Script.main())\n"


def core_folder() -> Path:
    """Return the folder in which PlatformIO keeps its packages for this project (``core_dir`` of platformio.ini)."""
    from platformio.project.config import ProjectConfig

    return Path(ProjectConfig(str(PROJECT / "platformio.ini")).get("platformio", "core_dir"))


def wanted_version() -> str:
    """Return the version of ``tool-scons`` that the installed PlatformIO asks for."""
    from platformio.dependencies import get_core_dependencies

    requirement: str = get_core_dependencies()["tool-scons"]
    return requirement.lstrip("~^=")


def install_from_registry(version: str) -> bool:
    """Let PlatformIO install the package itself; False if it could not within the patience."""
    command = [sys.executable, "-m", "platformio", "pkg", "install", "-g", "-t", f"platformio/tool-scons@~{version}"]
    try:
        done = subprocess.run(command, cwd=PROJECT, capture_output=True, timeout=REGISTRY_PATIENCE_SECONDS, check=False)
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
    (folder / "package.json").write_text(json.dumps(description), encoding="utf-8")
    (folder / ".piopm").write_text(json.dumps(origin), encoding="utf-8")
    (folder / "scons.py").write_text(_LAUNCHER, encoding="utf-8")


def disable_telemetry() -> None:
    """Nothing of this project reports home; PlatformIO's own reports are switched off in its project-local folder."""
    command = [sys.executable, "-m", "platformio", "settings", "set", "enable_telemetry", "no"]
    subprocess.run(command, cwd=PROJECT, capture_output=True, timeout=60, check=False)


def main() -> int:
    """Make sure that ``tool-scons`` is there; return the exit code."""
    package = core_folder() / "packages" / "tool-scons"
    if (package / "package.json").exists():
        return 0
    disable_telemetry()
    version = wanted_version()
    if install_from_registry(version):
        return 0
    try:
        import SCons.Script  # noqa: F401
    except ImportError:
        print("setup: PlatformIO's registry cannot be reached and scons is not installed.", file=sys.stderr)
        print("  run: .venv/bin/python -m pip install 'scons==4.11.1'", file=sys.stderr)
        return 1
    make_package(package, version)
    return 0


if __name__ == "__main__":
    sys.exit(main())
