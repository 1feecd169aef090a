"""The exact versions that CI installs (tools/setup/lock/), against the requirements of pyproject.toml."""

from __future__ import annotations

import os
import re
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest

from setup.loading import ROOT, SETUP, program

lock = program("lock")
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
SCRIPT = (SETUP / "setup.sh").read_text(encoding="utf-8")
FILES = sorted(lock.FOLDER.glob("*.txt"))


def made(wanted: list[str], *pins: str) -> str:
    return "\n".join([f"# requirements: {lock.digest(wanted)}", *pins])


def test_every_environment_of_the_setup_has_a_file() -> None:
    environments = lock.environments(SCRIPT)
    assert {path.stem for path in FILES} == set(environments)
    named = re.findall(r"^[a-z]+\) extras=", SCRIPT, re.MULTILINE)
    assert len(named) == len(lock._SETUP.findall(SCRIPT)), "a line of setup.sh that lock.py does not read"
    assert environments["venv"] == ["docs", "firmware", "keras", "lint", "test"]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_the_files_are_those_of_the_requirements(path: Path) -> None:
    wanted = lock.requirements(PROJECT, lock.environments(SCRIPT)[path.stem])
    assert lock.problems(wanted, path.read_text(encoding="utf-8")) == [], "make lock"


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_version_is_exact_and_has_hashes(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    blocks = [block for block in re.split(r"\n(?=[A-Za-z0-9])", text) if not block.startswith("#")]
    assert len(blocks) > 20
    for block in blocks:
        assert lock._PINNED.match(block), block
        assert lock._HASHES.search(block), block


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_no_index_and_no_machine_is_named(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert "://" not in text
    assert not re.search(r"index|find-links|(^|\s)/|file:| @ ", text, re.MULTILINE)


def test_disagreements_are_named() -> None:
    wanted = ["one>=2", "Two_Words>=1"]
    assert lock.problems(wanted, made(wanted, "one==2.1", "two-words==1.0")) == []
    assert lock.problems(wanted, made(wanted, "one==1.9", "two-words==1.0")) == ["one is 1.9, not >=2"]
    assert lock.problems(wanted, made(wanted, "one==2.1")) == ["Two_Words is missing"]


def test_a_requirement_that_went_is_noticed() -> None:
    text = made(["one>=2", "gone"], "one==2.1", "gone==1.0")
    assert lock.problems(["one>=2"], text) == ["it was made for other requirements"]


def test_extras_of_extras_are_followed() -> None:
    found = lock.requirements(PROJECT, ["dashboard"])
    assert {"nicegui>=3,<4", "jinja2>=3.1", "hatchling>=1.21", "numpy>=1.24", lock.EDITABLE} <= set(found)


def clone_without_an_index(folder: Path) -> Path:
    """What setup.sh reads, with one package in its files that no index has; pip may ask no index."""
    setup = folder / "tools" / "setup"
    (setup / "lock").mkdir(parents=True)
    (setup / "setup.sh").write_text(SCRIPT, encoding="utf-8")
    (setup / "lock" / "venv-audit.txt").write_text(f"absent==1.0 --hash=sha256:{'0' * 64}\n", encoding="utf-8")
    (folder / "pyproject.toml").write_text(
        "[build-system]\nrequires = []\nbuild-backend = 'backend'\nbackend-path = ['.']\n"
        "[project]\nname = 'small'\nversion = '1'\noptional-dependencies.audit = []\n",
        encoding="utf-8",
    )
    (folder / "backend.py").write_text(BACKEND, encoding="utf-8")
    return setup / "setup.sh"


#: The least that pip calls to install a folder in place.
BACKEND = """
import zipfile
def build_editable(folder, config_settings=None, metadata_directory=None):
    name = "small-1-py3-none-any.whl"
    with zipfile.ZipFile(f"{folder}/{name}", "w") as wheel:
        wheel.writestr("small.py", "")
        wheel.writestr("small-1.dist-info/METADATA",
            "Metadata-Version: 2.1\\nName: small\\nVersion: 1\\nProvides-Extra: audit\\n")
        wheel.writestr("small-1.dist-info/WHEEL", "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
        wheel.writestr("small-1.dist-info/RECORD", "")
    return name
"""


def set_up(script: Path, locked: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PIP_NO_INDEX": "1", "PIP_CONFIG_FILE": os.devnull, "JARAGUA_LOCKED": locked}
    return subprocess.run(
        ["sh", str(script), "audit"], env=environment, capture_output=True, encoding="utf-8", timeout=240, check=False
    )


def test_ci_fails_where_an_exact_version_is_missing_and_others_take_the_ranges(tmp_path: Path) -> None:
    script = clone_without_an_index(tmp_path)
    ci = set_up(script, "1")
    assert ci.returncode == 1
    assert "could not install the exact versions of tools/setup/lock/venv-audit.txt" in ci.stderr
    assert "Run make lock" in ci.stderr
    prefer = set_up(script, "prefer")
    assert prefer.returncode == 0, prefer.stderr
    assert "could not install the exact versions" in prefer.stderr
    assert "taking the ranges of pyproject.toml instead" in prefer.stderr
    free = set_up(script, "")
    assert free.returncode == 0, free.stderr
    assert "exact versions" not in free.stderr
