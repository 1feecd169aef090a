"""`make lock`: the exact versions, with hashes, of what setup.sh installs from PyPI, one file for each environment.

usage: lock.py [--upgrade]   writes the files; it runs with the Python of .venv-audit, which has uv
       lock.py --check       only says where they and pyproject.toml disagree (exit code 1), without a network

A file names no index and no machine. CI installs from these files; users have the ranges of pyproject.toml.
"""

from __future__ import annotations

import hashlib
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "tools" / "setup" / "lock"

#: What hatchling needs to install a clone in place, beside the requirements of the build (setup.sh: install_locked).
EDITABLE = "editables>=0.5"

#: What no version may be, beside the requirements, and why.
LIMITS = FOLDER / "limits.in"

_SETUP = re.compile(r"^(?P<what>[a-z]+)\) extras=(?P<extras>[a-z,-]+)(?: venv=\.(?P<venv>[a-z-]+))? ;;$", re.MULTILINE)
_PINNED = re.compile(r"^(?P<name>[A-Za-z0-9._-]+)==(?P<version>[^\s;\\]+)", re.MULTILINE)
_DIGEST = re.compile(r"^# requirements: ([0-9a-f]{64})$", re.MULTILINE)
_HASHES = re.compile(r"^    --hash=sha256:[0-9a-f]{64}", re.MULTILINE)


def environments(setup: str) -> dict[str, list[str]]:
    """The extras of each environment, by its name without the dot, from the text of setup.sh."""
    found: dict[str, set[str]] = {}
    for line in _SETUP.finditer(setup):
        found.setdefault(line["venv"] or "venv", set()).update(line["extras"].split(","))
    return {name: sorted(extras) for name, extras in found.items()}


def requirements(project: dict[str, Any], extras: list[str]) -> list[str]:
    """What pyproject.toml asks for with these extras, to build included; extras of extras are followed."""
    optional = project["project"]["optional-dependencies"]
    found, left, seen = (
        {EDITABLE, *project["build-system"]["requires"], *project["project"]["dependencies"]},
        [*extras],
        set(),
    )
    while left:
        extra = left.pop()
        if extra in seen:
            continue
        seen.add(extra)
        for text in optional[extra]:
            wanted = Requirement(text)
            if wanted.name == project["project"]["name"]:
                left.extend(sorted(wanted.extras))
            else:
                found.add(text)
    return sorted(found)


def digest(wanted: list[str]) -> str:
    """SHA-256 of the requirements, in hexadecimal."""
    return hashlib.sha256("\n".join(wanted).encode()).hexdigest()


def problems(wanted: list[str], lock: str) -> list[str]:
    """Where a file of exact versions and the requirements disagree, a line for each."""
    versions: dict[str, list[Version]] = {}
    for line in _PINNED.finditer(lock):
        versions.setdefault(canonicalize_name(line["name"]), []).append(Version(line["version"]))
    found = []
    for text in wanted:
        one = Requirement(text)
        locked = versions.get(canonicalize_name(one.name), [])
        if not locked:
            found.append(f"{one.name} is missing")
        elif not any(one.specifier.contains(version, prereleases=True) for version in locked):
            found.append(f"{one.name} is {', '.join(map(str, locked))}, not {one.specifier}")
    said = _DIGEST.search(lock)
    if not found and (said is None or said[1] != digest(wanted)):
        found.append("it was made for other requirements")
    return found


def written(wanted: list[str], path: Path, *, upgrade: bool) -> str:
    """The text of one file, from uv. Versions that are in the file stay, unless `upgrade` or a requirement says no."""
    tool = Path(sys.executable).parent / "uv"
    options = ["--universal", "--generate-hashes", "--no-header", "--no-annotate", "--no-emit-index-url", "--quiet"]
    command = [
        tool,
        "pip",
        "compile",
        "-",
        *options,
        "--python-version",
        "3.11",
        "--constraints",
        LIMITS,
        "--output-file",
        path,
    ]
    subprocess.run(
        [*command, *(["--upgrade"] if upgrade else [])], input="\n".join(wanted), encoding="utf-8", check=True
    )
    return f"# Made by `make lock`.\n# requirements: {digest(wanted)}\n{path.read_text(encoding='utf-8')}"


def main(options: list[str]) -> int:
    """Write or check all files; returns the exit code."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    wanted = {
        name: requirements(project, extras)
        for name, extras in environments((ROOT / "tools" / "setup" / "setup.sh").read_text(encoding="utf-8")).items()
    }
    code = 0
    for name, texts in wanted.items():
        path = FOLDER / f"{name}.txt"
        if "--check" not in options:
            path.write_text(written(texts, path, upgrade="--upgrade" in options), encoding="utf-8")
        lock = path.read_text(encoding="utf-8") if path.exists() else ""
        for problem in problems(texts, lock):
            code = 1
            print(f"{path.relative_to(ROOT)}: {problem}; run `make lock`", file=sys.stderr)
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
